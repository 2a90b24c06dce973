"""What each ending of a request means, against a server that ends them in every way."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from dca_bot.broker.holdings import coin_in_name
from dca_bot.broker.http_client import PATIENCE, Patience
from dca_bot.broker.rate_limit import RateLimiter
from dca_bot.broker.rest import AlpacaBroker, KeysRefused
from dca_bot.core.holdings import Holdings
from dca_bot.core.model import Order, OrderKind, OrderStatus
from dca_bot.program.errors import BrokerUnavailable, OrderOutcomeUnknown, OrderRefused, Unreadable
from dca_bot.program.settings import AlpacaSettings
from tests.broker.nasty_http import CLOSE, HALF, HANG, HTML, LATE, RESET, NastyHttp, answer
from tests.broker.recorded import ACCOUNT, ASSET, POSITION, QUOTE, order
from tests.builders import an_order

NOT_FOUND = {"code": 40410000, "message": "order not found for dca-1-base-1"}
NOT_UNIQUE = {"code": 40010001, "message": "client_order_id must be unique"}
ALPACAS_ID = "b28e2b24-b1b2-40cc-8979-63f45e8edc02"


@pytest.fixture
def server() -> Iterator[NastyHttp]:
    server = NastyHttp()
    yield server
    server.close()


@pytest.fixture
def broker(server: NastyHttp) -> Iterator[AlpacaBroker]:
    broker = broker_at(server.url)
    yield broker
    broker.close()


def broker_at(url: str, read_seconds: float = 10, idle_seconds: float = 60) -> AlpacaBroker:
    settings = AlpacaSettings("key-id-for-tests", "secret-for-tests", url, url, "ws://127.0.0.1:9")
    # generous: no test here is about the limit; a pause would fail instead of waiting
    limiter = RateLimiter(6000, wait_seconds_max=0.5)
    data_limiter = RateLimiter(6000)
    patience = Patience(answer=read_seconds, idle=idle_seconds)
    return AlpacaBroker(settings, limiter, data_limiter=data_limiter, patience=patience)


def broker_that_awaits(server: NastyHttp, ending: bytes) -> AlpacaBroker:
    """Impatient only with what never comes: a machine that stands still may answer late."""
    return broker_at(server.url, 0.3 if ending == HANG else 10)


def buy(quantity: str = "0.000311", limit_price: str | None = "64120.5") -> Order:
    kind = OrderKind.BASE if limit_price else OrderKind.TAKE_PROFIT
    return an_order(
        kind=kind, quantity=quantity, limit_price=limit_price, status=OrderStatus.INTENDED
    )


SELL = buy("0.0003", None)


def taken(**changes: Any) -> dict[str, Any]:
    fields = {
        "client_order_id": "dca-1-base-1",
        "status": "pending_new",
        "symbol": "BTC/USD",
        "side": "buy",
        "filled_qty": "0",
        "filled_avg_price": None,
    }
    return order(**(fields | changes))


# -- submit


def test_a_yes_is_the_order_as_alpaca_has_it(server: NastyHttp, broker: AlpacaBroker) -> None:
    server.answers = [answer(200, taken())]
    update = broker.submit(buy(), "BTC/USD")
    assert (update.status, update.alpaca_order_id) == (OrderStatus.OPEN, ALPACAS_ID)
    request = server.heard[0]
    assert (request.method, request.path) == ("POST", "/v2/orders")
    assert request.body["qty"] == "0.000311"
    assert request.headers["apca-api-key-id"] == "key-id-for-tests"


@pytest.mark.parametrize(
    "ending",
    [
        answer(200, None),
        answer(200, HTML),
        answer(200, []),
        answer(200, {}),
        answer(200, taken(status="frobnicated")),
        answer(200, taken(id=...)),
        answer(200, taken(filled_qty="1")),
        answer(200, taken(client_order_id="somebody-elses")),
        answer(302, HTML, Location="https://elsewhere.example/"),
        answer(408, {"message": "request timeout"}),
        answer(500, {"message": "internal server error"}),
        answer(502, HTML),
        answer(503, None),
        answer(504, HTML),
        HANG,
        RESET,
        HALF,
        CLOSE,
        b"complete nonsense\r\n\r\n",
    ],
    ids=lambda ending: ending[:12].decode() + str(len(ending)),
)
def test_whatever_leaves_room_for_doubt_is_in_doubt_and_sent_once(
    server: NastyHttp, ending: bytes
) -> None:
    server.answers = [ending]
    with (
        closing(broker_that_awaits(server, ending)) as broker,
        pytest.raises(OrderOutcomeUnknown) as caught,
    ):
        broker.submit(buy(), "BTC/USD")
    # what was given up early may not even have been read by a server that stood still
    assert len(server.heard) in ((0, 1) if ending == HANG else (1,))
    assert "dca-1-base-1" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_keys_that_an_answer_repeats_are_shown_to_nobody(
    server: NastyHttp, broker: AlpacaBroker
) -> None:
    server.answers = [answer(403, {"message": "no key-id-for-tests with secret-for-tests"})]
    with pytest.raises(OrderRefused, match=re.escape("no *** with ***")):
        broker.submit(buy(), "BTC/USD")


@pytest.mark.parametrize(
    ("status", "body", "needs_cash"),
    [
        (403, {"code": 40310000, "message": "insufficient balance for USD (requested: 1)"}, True),
        (403, {"code": 40310000, "message": "insufficient buying power"}, True),
        (403, {"message": "cost basis must be >= minimal amount of order 10"}, False),
        (403, {"message": "potential wash trade detected. use complex orders"}, False),
        (422, {"code": 42210000, "message": "invalid crypto time_in_force"}, False),
        (422, {"message": "asset MKR/USD is not active"}, False),
        (404, HTML, False),
        (413, None, False),
    ],
)
def test_a_clear_no_is_a_refusal_with_alpacas_reason(
    server: NastyHttp, broker: AlpacaBroker, status: int, body: Any, needs_cash: bool
) -> None:
    server.answers = [answer(status, body)]
    with pytest.raises(OrderRefused) as caught:
        broker.submit(buy(), "BTC/USD")
    assert caught.value.needs_cash is needs_cash
    if isinstance(body, dict):
        assert str(caught.value) == body["message"]


def test_a_sell_without_coins_does_not_wait_for_cash(
    server: NastyHttp, broker: AlpacaBroker
) -> None:
    server.answers = [answer(403, {"message": "insufficient balance for BTC (requested: 1)"})]
    with pytest.raises(OrderRefused) as caught:
        broker.submit(SELL, "BTC/USD")
    assert not caught.value.needs_cash


@pytest.mark.parametrize("status", [422, 409])
def test_an_order_that_is_there_already_is_looked_up(
    server: NastyHttp, broker: AlpacaBroker, status: int
) -> None:
    server.answers = [answer(status, NOT_UNIQUE), answer(200, taken(status="new"))]
    assert broker.submit(buy(), "BTC/USD").alpaca_order_id == ALPACAS_ID
    assert server.heard[1].path == "/v2/orders:by_client_order_id?client_order_id=dca-1-base-1"


@pytest.mark.parametrize("second", [answer(404, NOT_FOUND), answer(502, HTML), RESET])
def test_an_order_that_is_there_but_cannot_be_looked_up_is_in_doubt(
    server: NastyHttp, broker: AlpacaBroker, second: bytes
) -> None:
    server.answers = [answer(422, NOT_UNIQUE), second]
    with pytest.raises(OrderOutcomeUnknown):
        broker.submit(buy(), "BTC/USD")


def test_a_refused_connection_means_that_nothing_was_sent() -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))  # and never listens: nobody else can take the port either
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        with closing(broker_at(url)) as broker, pytest.raises(BrokerUnavailable):
            broker.submit(buy(), "BTC/USD")


def test_a_host_that_does_not_exist_means_that_nothing_was_sent() -> None:
    broker = broker_at("http://alpaca.invalid")
    with pytest.raises(BrokerUnavailable) as caught:
        broker.submit(buy(), "BTC/USD")
    assert "alpaca.invalid" in str(caught.value)
    broker.close()


@pytest.mark.parametrize("body", ["Too Many Requests", {"code": 42910000, "message": "slow down"}])
def test_too_many_requests_means_that_nothing_was_taken_and_everybody_pauses(
    server: NastyHttp, broker: AlpacaBroker, body: Any
) -> None:
    # longer than this machine can stand still between two tries
    server.answers = [answer(429, body, Retry_After="60")]
    for _ in range(3):
        with pytest.raises(BrokerUnavailable):
            broker.submit(buy(), "BTC/USD")
    assert len(server.heard) == 1


@pytest.mark.parametrize(
    ("status", "body"),
    [(401, {"message": "unauthorized."}), (401, HTML), (403, {"message": "forbidden."})],
)
def test_refused_keys_name_the_host_and_the_usual_mistake(
    server: NastyHttp, broker: AlpacaBroker, status: int, body: Any
) -> None:
    server.answers = [answer(status, body)] * 2
    for ask in (broker.account, lambda: broker.submit(buy(), "BTC/USD")):
        with pytest.raises(KeysRefused) as caught:
            ask()
        assert urlsplit(server.url).netloc in str(caught.value)
        assert "paper keys work only on the paper host" in str(caught.value)
        assert "secret" not in str(caught.value)
        assert "key-id-for-tests" not in str(caught.value)


def test_the_longest_silence_ends_within_fifteen_seconds() -> None:
    assert PATIENCE.connect + PATIENCE.answer <= 15


# -- cancel


@pytest.mark.parametrize(
    "ending",
    [
        answer(204),
        answer(422, {"code": 42210000, "message": 'order is already in "filled" state'}),
        answer(422, {"code": 42210000, "message": 'order is already in "canceled" state'}),
        answer(404, {"code": 40410000, "message": "order not found for " + ALPACAS_ID}),
    ],
)
def test_a_cancel_is_fine_when_there_is_nothing_left_to_cancel(
    server: NastyHttp, broker: AlpacaBroker, ending: bytes
) -> None:
    server.answers = [ending]
    broker.cancel(ALPACAS_ID)
    assert (server.heard[0].method, server.heard[0].path) == ("DELETE", f"/v2/orders/{ALPACAS_ID}")


@pytest.mark.parametrize(
    "ending", [answer(500, HTML), answer(404, HTML), answer(429, "slow"), HANG, RESET]
)
def test_a_cancel_that_nobody_confirmed_is_not_a_cancel(server: NastyHttp, ending: bytes) -> None:
    server.answers = [ending]
    with (
        closing(broker_that_awaits(server, ending)) as broker,
        pytest.raises(BrokerUnavailable),
    ):
        broker.cancel(ALPACAS_ID)


# -- questions


def test_an_unknown_order_is_none_when_alpaca_itself_says_so(
    server: NastyHttp, broker: AlpacaBroker
) -> None:
    server.answers = [
        answer(404, NOT_FOUND),
        answer(404, {"message": "order not found"}),
        answer(404, {"code": 40410000, "message": "resource does not exist"}),
    ]
    assert [broker.order("dca-1-base-1") for _ in range(3)] == [None, None, None]


@pytest.mark.parametrize(
    "ending",
    [
        answer(404, HTML),
        answer(404, None),
        answer(404, {"code": 40410000, "message": "endpoint not found"}),
        answer(404, {"message": "page not found"}),
        answer(200, {}),
        answer(200, None),
        answer(500, HTML),
        answer(401, HTML),
        HANG,
        RESET,
    ],
    ids=lambda ending: ending[:12].decode() + str(len(ending)),
)
def test_not_knowing_is_never_taken_for_nothing(server: NastyHttp, ending: bytes) -> None:
    broker = broker_that_awaits(server, ending)
    questions: list[Callable[[], object]] = [
        lambda: broker.order("dca-1-base-1"),
        broker.open_orders,
        broker.holdings,
        broker.account,
        broker.rules,
        lambda: broker.latest_quotes(["BTC/USD"]),
    ]
    # more than enough: one that was given up early may be answered while the next is asked
    server.answers = [ending] * 3 * len(questions)
    with closing(broker):
        for ask in questions:
            with pytest.raises(BrokerUnavailable):
                ask()


def test_a_page_in_place_of_an_answer_is_called_what_it_is(
    server: NastyHttp, broker: AlpacaBroker
) -> None:
    server.answers = [answer(200, HTML), answer(200, HTML)]
    with pytest.raises(BrokerUnavailable, match="what it sent is not JSON"):
        broker.account()


def test_open_orders_are_read_page_by_page_and_each_counts_once(
    server: NastyHttp, broker: AlpacaBroker
) -> None:
    rows = [
        taken(id=f"id-{number}", submitted_at=f"2026-01-01T00:00:{number // 20:02}.5Z")
        for number in range(700)
    ]
    server.answers = [answer(200, rows[:500]), answer(200, rows[480:])]
    orders = broker.open_orders()
    assert [each.alpaca_order_id for each in orders] == [f"id-{number}" for number in range(700)]
    first, second = (parse_qs(urlsplit(heard.path).query) for heard in server.heard)
    assert first == {"status": ["open"], "limit": ["500"], "direction": ["asc"]}
    assert second["after"] == ["2026-01-01T00:00:24.499999Z"]


def test_open_orders_are_crypto_and_spelled_with_a_slash(
    server: NastyHttp, broker: AlpacaBroker
) -> None:
    rows = [taken(id="1", asset_class="us_option", side="", symbol=""), taken(symbol="BTCUSD")]
    server.answers = [answer(200, rows), answer(200, [ASSET])]
    assert [each.symbol for each in broker.open_orders()] == ["BTC/USD"]


def test_an_order_in_words_that_nobody_knows_hides_no_other_and_is_reported_once(
    server: NastyHttp, broker: AlpacaBroker, caplog: pytest.LogCaptureFixture
) -> None:
    strange = taken(id="2", client_order_id="by-hand", status="frobnicated", submitted_at=None)
    server.answers = [answer(200, [taken(), strange])] * 2
    for _ in range(2):
        assert [each.client_order_id for each in broker.open_orders()] == ["dca-1-base-1"]
    assert [record.getMessage().count("by-hand") for record in caplog.records] == [1]


def test_a_full_page_whose_last_order_does_not_tell_its_time_is_not_the_whole_list(
    server: NastyHttp, broker: AlpacaBroker
) -> None:
    rows = [taken(id=str(number)) for number in range(499)]
    server.answers = [answer(200, [*rows, taken(id="499", submitted_at="?")])]
    with pytest.raises(BrokerUnavailable, match="submitted_at"):
        broker.open_orders()


def test_an_order_of_ours_in_words_that_nobody_knows_is_in_doubt_alone(
    server: NastyHttp, broker: AlpacaBroker
) -> None:
    server.answers = [answer(200, taken(status="frobnicated"))]
    with pytest.raises(Unreadable, match="frobnicated"):
        broker.order("dca-1-base-1")


def test_holdings_are_found_by_asset_id_and_by_name(
    server: NastyHttp, broker: AlpacaBroker
) -> None:
    ether = {"id": "a1733398", "symbol": "ETH/USD"}
    server.answers = [
        answer(200, [POSITION, POSITION | {"asset_id": "?", "symbol": "ETHUSD"}]),
        answer(200, [ASSET, ASSET | ether]),
    ]
    assert set(broker.holdings().readable) == {"BTC", "ETH"}
    assert server.heard[0].path == "/v2/positions"


def test_no_positions_need_no_second_question(server: NastyHttp, broker: AlpacaBroker) -> None:
    server.answers = [answer(200, [])]
    assert broker.holdings() == Holdings()
    assert len(server.heard) == 1


def test_a_delisted_coin_is_asked_for_by_its_id(server: NastyHttp, broker: AlpacaBroker) -> None:
    maker = {"id": "m-1", "symbol": "MKR/USD", "status": "inactive", "tradable": False}
    server.answers = [
        answer(200, [POSITION | {"asset_id": "m-1", "symbol": "MKRUSD"}]),
        answer(200, [ASSET]),
        answer(200, ASSET | maker),
        answer(200, [POSITION | {"asset_id": "m-1", "symbol": "MKRUSD"}]),
    ]
    assert list(broker.holdings().readable) == ["MKR"]
    assert list(broker.holdings().readable) == ["MKR"]
    assert server.heard[2].path == "/v2/assets/m-1"


def test_holdings_whose_names_cannot_be_learnt_are_not_missing_holdings(
    server: NastyHttp, broker: AlpacaBroker
) -> None:
    server.answers = [answer(200, [POSITION]), answer(502, HTML)]
    with pytest.raises(BrokerUnavailable):
        broker.holdings()


@pytest.mark.parametrize(
    "oddity", [{"avg_entry_price": None}, {"qty": "many"}, {"asset_id": "gone", "symbol": "MKRUSD"}]
)
def test_a_position_that_cannot_be_read_concerns_its_own_coin_alone(
    server: NastyHttp, broker: AlpacaBroker, oddity: dict[str, Any]
) -> None:
    odd = POSITION | {"asset_id": "m-1", "symbol": "MKRUSD"} | oddity
    server.answers = [
        answer(200, [odd, POSITION]),
        answer(
            200,
            [ASSET, ASSET | {"id": "m-1", "symbol": "MKR/USD"}][: 1 if "asset_id" in oddity else 2],
        ),
        answer(404, {"code": 40410000, "message": "asset not found for gone"}),
    ]
    holdings = broker.holdings()
    assert holdings.of("BTC") is not None
    assert holdings.of("ETH") is None
    with pytest.raises(BrokerUnavailable, match="MKR"):
        holdings.of("MKR")


def test_an_asset_that_alpaca_does_not_know_is_asked_for_once(
    server: NastyHttp, broker: AlpacaBroker
) -> None:
    gone = POSITION | {"asset_id": "gone", "symbol": "MKRUSD"}
    unknown = answer(404, {"code": 40410000, "message": "asset not found for gone"})
    server.answers = [answer(200, [gone]), answer(200, [ASSET]), unknown, answer(200, [gone])]
    first, again = broker.holdings(), broker.holdings()
    assert first == again
    assert set(again.unreadable) == {"MKR"}
    assert len(server.heard) == 4


def test_a_position_without_a_name_casts_doubt_on_coins_that_are_not_listed(
    server: NastyHttp, broker: AlpacaBroker
) -> None:
    nameless = POSITION | {"asset_id": "", "symbol": None}
    server.answers = [answer(200, [nameless, POSITION]), answer(200, [ASSET])]
    holdings = broker.holdings()
    assert holdings.of("BTC") is not None
    with pytest.raises(BrokerUnavailable):
        holdings.of("ETH")


def test_coins_are_found_in_the_names_of_positions() -> None:
    names = {"MKRUSD": "MKR", "BTC/USD": "BTC", "USDCUSD": "USDC", "ETHUSDT": "ETH", "X": "X"}
    for name, coin in names.items():
        assert coin_in_name({"symbol": name}) == coin
    assert coin_in_name({"symbol": None}) == ""


def test_account_and_rules_are_read(server: NastyHttp, broker: AlpacaBroker) -> None:
    server.answers = [answer(200, ACCOUNT), answer(200, [ASSET])]
    assert broker.account().cash_available == Decimal("99990.5")
    assert broker.rules()["BTC/USD"].tradable
    assert server.heard[1].path == "/v2/assets?status=active&asset_class=crypto"


def test_one_symbol_that_alpaca_cannot_read_does_not_blind_the_others(
    server: NastyHttp, broker: AlpacaBroker
) -> None:
    refusal = "invalid symbol: BTCUSD does not match ^[A-Z]+x?/[A-Z]+$"
    server.answers = [
        answer(400, {"message": refusal}),
        answer(200, {"quotes": {"BAT/USD": QUOTE}}),
    ]
    assert list(broker.latest_quotes(["BTCUSD", "BAT/USD"])) == ["BAT/USD"]
    query = parse_qs(urlsplit(server.heard[1].path).query)
    assert query == {"symbols": ["BAT/USD"]}
    assert server.heard[1].path.startswith("/v1beta3/crypto/us/latest/quotes?")


def test_no_symbols_need_no_request(server: NastyHttp, broker: AlpacaBroker) -> None:
    assert broker.latest_quotes([]) == {}
    assert server.heard == []


# -- the way there


def test_threads_share_kept_alive_connections(server: NastyHttp, broker: AlpacaBroker) -> None:
    for _ in range(20):
        thread = threading.Thread(target=broker.holdings)
        thread.start()
        thread.join()
    assert len(server.heard) == 20
    assert server.connections == 1


def test_a_connection_that_was_closed_while_idle_does_not_put_an_order_in_doubt(
    server: NastyHttp, broker: AlpacaBroker
) -> None:
    server.answers = [answer(200, []), answer(200, taken())]
    broker.holdings()
    server.close_idle()
    assert broker.submit(buy(), "BTC/USD").status is OrderStatus.OPEN
    assert server.connections == 2


def test_many_threads_at_once_get_their_own_answers(
    server: NastyHttp, broker: AlpacaBroker
) -> None:
    found: list[object] = []
    threads = [threading.Thread(target=lambda: found.append(broker.holdings())) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [Holdings()] * 16


def test_nothing_on_this_machine_is_behind_a_proxy(
    server: NastyHttp, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    broker = broker_at(server.url)
    assert broker.holdings() == Holdings()
    broker.close()


def test_a_proxy_is_used_for_hosts_elsewhere(
    server: NastyHttp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", server.url)
    broker = broker_at("http://paper-api.alpaca.invalid")
    assert broker.holdings() == Holdings()
    assert server.heard[0].path == "http://paper-api.alpaca.invalid/v2/positions"
    broker.close()


def test_asking_over_rest_does_not_load_half_the_world() -> None:
    """Caretakers run from cron every minute: pandas alone would cost more than their work."""
    program = "import sys, dca_bot.broker.rest; print('pandas' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == "False"


def is_given_up(broker: AlpacaBroker) -> bool:
    try:
        broker.cancel(ALPACAS_ID)
    except BrokerUnavailable:
        return True
    return False


def test_an_answer_is_waited_for_as_long_as_was_said(server: NastyHttp) -> None:
    """Neither shorter nor longer because of the time that connecting may take."""
    settings = AlpacaSettings("key-id-for-tests", "secret-for-tests", server.url, server.url, "")
    server.answers = [LATE] * 4
    with closing(
        AlpacaBroker(settings, RateLimiter(6000), patience=Patience(answer=0.3))
    ) as impatient:
        # more than one try: to one that stood still meanwhile, the late answer is in time
        assert any(is_given_up(impatient) for _ in range(3))
    server.answers = [LATE]
    with closing(
        AlpacaBroker(settings, RateLimiter(6000), patience=Patience(answer=10))
    ) as patient:
        patient.cancel(ALPACAS_ID)


def test_a_request_that_was_given_up_is_not_delivered_later() -> None:
    """The system would go on trying for minutes, long after the order was given up as lost.

    A connection that is reset, not closed, takes what it has not delivered with it.
    """
    with socket.create_server(("127.0.0.1", 0)) as mute:
        url = f"http://127.0.0.1:{mute.getsockname()[1]}"
        settings = AlpacaSettings("key-id-for-tests", "secret-for-tests", url, url, "")
        with (
            closing(
                AlpacaBroker(settings, RateLimiter(6000), patience=Patience(answer=0.3))
            ) as broker,
            pytest.raises(OrderOutcomeUnknown),
        ):
            broker.submit(buy(), "BTC/USD")
        connection, _ = mute.accept()
        with connection, pytest.raises(ConnectionResetError):
            list(iter(lambda: connection.recv(65_536), b""))
