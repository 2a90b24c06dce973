"""How a request travels: once, in time, on a fresh connection; and what that stands on."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest
from alpaca.common.rest import RESTClient
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.util.connection import is_connection_dropped

from dca_bot.broker.http_client import Patience
from dca_bot.broker.rate_limit import RateLimiter
from dca_bot.broker.rest import AlpacaBroker
from dca_bot.core.holdings import Holdings
from dca_bot.core.model import OrderKind, OrderStatus
from dca_bot.program.errors import BrokerUnavailable, OrderOutcomeUnknown
from dca_bot.program.setting_groups import AlpacaSettings
from tests.broker.nasty_http import CLOSE, DRIP, DRIP_BODY, HALF, RESET, NastyHttp, answer
from tests.broker.recorded import ACCOUNT
from tests.builders import an_order

NOW = datetime(2026, 11, 22, 20, tzinfo=UTC)
DATE = "Sun, 22 Nov 2026 20:00:00 GMT"
ORDER = an_order(kind=OrderKind.BASE, status=OrderStatus.INTENDED, limit_price="100")


@pytest.fixture
def server() -> Iterator[NastyHttp]:
    server = NastyHttp()
    yield server
    server.close()


def broker_at(
    server: NastyHttp,
    patience: Patience | None = None,
    *,
    limiter: RateLimiter | None = None,
    seconds_off: float = 0,
) -> AlpacaBroker:
    settings = AlpacaSettings("key-id-for-tests", "secret-for-tests", server.url, server.url, "")
    return AlpacaBroker(
        settings,
        limiter or RateLimiter(6000, wait_seconds_max=0.5),
        patience=patience or Patience(),
        clock=lambda: NOW + timedelta(seconds=seconds_off),
    )


@pytest.mark.parametrize("dripping", [DRIP, DRIP_BODY])
def test_an_answer_that_drips_in_has_one_limit_for_all_of_it(
    server: NastyHttp, dripping: bytes
) -> None:
    """Each byte comes well in time, as a socket counts; the whole would take ten seconds."""
    server.answers = [dripping + answer(200, ACCOUNT | {"x": "x" * 500})] * 2
    with closing(broker_at(server, Patience(answer=0.4))) as broker:
        with pytest.raises(BrokerUnavailable):
            broker.account()
        assert len(server.heard) == 2  # what only reads is tried once more


def test_an_order_whose_answer_drips_in_is_in_doubt(server: NastyHttp) -> None:
    server.answers = [DRIP + answer(200, {"id": "x" * 500})]
    with (
        closing(broker_at(server, Patience(answer=0.4))) as broker,
        pytest.raises(OrderOutcomeUnknown, match="no answer"),
    ):
        broker.submit(ORDER, "BTC/USD")


def test_an_answer_that_drips_in_fast_enough_is_taken(server: NastyHttp) -> None:
    server.answers = [DRIP + answer(200, [])]
    with closing(broker_at(server, Patience(answer=30))) as broker:
        assert broker.holdings() == Holdings()


@pytest.mark.parametrize(("idle_seconds", "connections"), [(0.0, 3), (3600.0, 1)])
def test_a_connection_that_has_rested_too_long_is_not_used_again(
    server: NastyHttp, idle_seconds: float, connections: int
) -> None:
    with closing(broker_at(server, Patience(idle=idle_seconds))) as broker:
        for _ in range(3):
            broker.holdings()
    assert server.connections == connections


def test_no_connection_rests_for_more_than_about_a_minute() -> None:
    assert Patience().idle <= 60


@pytest.mark.parametrize("ending", [RESET, HALF, CLOSE])
def test_what_only_reads_is_tried_once_more(server: NastyHttp, ending: bytes) -> None:
    with closing(broker_at(server)) as broker:
        server.answers = [ending, answer(200, [])]
        assert broker.holdings() == Holdings()
        server.answers = [ending, ending, answer(200, [])]
        with pytest.raises(BrokerUnavailable):
            broker.holdings()


def test_a_cancel_is_sent_once(server: NastyHttp) -> None:
    server.answers = [RESET, answer(204)]
    with closing(broker_at(server)) as broker, pytest.raises(BrokerUnavailable):
        broker.cancel("904837e3-3b76-47ec-b432-046db621571b")
    assert len(server.heard) == 1


def test_thirty_that_ask_for_the_positions_at_once_share_the_answers(server: NastyHttp) -> None:
    found: list[Holdings] = []
    limiter = RateLimiter(20, wait_seconds_max=0.5)  # ten may go at once
    with closing(broker_at(server, limiter=limiter)) as broker:
        server.answers = [DRIP + answer(200, [])]
        threads = [
            threading.Thread(target=lambda: found.append(broker.holdings(urgent=True)))
            for _ in range(30)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert found == [Holdings()] * 30
    assert len(server.heard) <= 10


def test_what_a_sell_needs_is_asked_for_when_only_the_reserve_is_left(server: NastyHttp) -> None:
    limiter = RateLimiter(100, wait_seconds_max=0, clock=lambda: 0.0)
    with closing(broker_at(server, limiter=limiter)) as broker:
        for _ in range(40):  # of fifty that may go at once, ten are the reserve
            broker.holdings()
        with pytest.raises(BrokerUnavailable):
            broker.holdings()
        assert broker.holdings(urgent=True) == Holdings()


# -- Alpaca's clock


@pytest.mark.parametrize("seconds_off", [-300, -31.5, 31.5, 300])
def test_no_order_is_sent_while_the_clocks_are_far_apart(
    server: NastyHttp, seconds_off: float
) -> None:
    server.answers = [answer(200, ACCOUNT, Date=DATE)]
    with closing(broker_at(server, seconds_off=seconds_off)) as broker:
        broker.account()
        assert abs(broker.clock_offset + timedelta(seconds=seconds_off)) < timedelta(seconds=1)
        with pytest.raises(BrokerUnavailable, match="clock"):
            broker.submit(ORDER, "BTC/USD")
        assert len(server.heard) == 1


@pytest.mark.parametrize("date", ["", "yesterday", "Sun, 99 Nov 2026 20:00:00 GMT"])
def test_an_answer_without_a_readable_date_says_nothing_of_the_clock(
    server: NastyHttp, date: str
) -> None:
    server.answers = [answer(200, ACCOUNT, Date=date)]
    with closing(broker_at(server, seconds_off=300)) as broker:
        broker.account()
        assert broker.clock_offset == timedelta(0)


# -- what the libraries must go on doing


def test_the_sdk_still_has_the_parts_that_a_request_stands_on() -> None:
    source = inspect.getsource(RESTClient._request)
    assert "return self._one_request(method, url, opts, retry)" in source
    assert 'url: str = base_url + "/" + version + path' in source
    assert 'opts["params"] = data' in source
    assert 'opts["json"] = data' in source
    assert RESTClient("https://host", "key", "secret")._base_url == "https://host"


def test_requests_still_hands_out_its_pool() -> None:
    parameters = inspect.signature(HTTPAdapter.get_connection_with_tls_context).parameters
    assert list(parameters) == ["self", "request", "verify", "proxies", "cert"]


@pytest.mark.parametrize("pool_class", [HTTPConnectionPool, HTTPSConnectionPool])
def test_urllib3_still_makes_its_connections_as_it_is_told(pool_class: type) -> None:
    pool = pool_class("host")
    assert pool.conn_kw == {}
    made: list[object] = []

    class Connection(pool.ConnectionCls):  # type: ignore[misc, name-defined]
        def __init__(self, *arguments: object, **options: object) -> None:
            made.append(options["socket_options"])
            super().__init__(*arguments, **options)

    pool.conn_kw["socket_options"] = []
    pool.ConnectionCls = Connection
    assert isinstance(pool._get_conn(), Connection)
    assert made == [[]]


@pytest.mark.parametrize("connection_class", [HTTPConnection, HTTPSConnection])
def test_urllib3_still_asks_a_kept_connection_whether_it_is_connected(
    connection_class: type,
) -> None:
    class Gone(connection_class):  # type: ignore[misc]
        is_connected = False

    assert is_connection_dropped(Gone("host"))
    assert "is_connection_dropped(conn)" in inspect.getsource(HTTPConnectionPool._get_conn)


def test_urllib3_still_reads_the_whole_answer_in_getresponse() -> None:
    assert "preload_content=resp_options.preload_content" in inspect.getsource(
        HTTPConnection.getresponse
    )
