"""Where prices come from: the walk, scripts, recorded files, bursts."""

import asyncio
import gzip
import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from alpaca_simulator.options import LIVELY_INTERVAL, LIVELY_REVERSION, LIVELY_VOLATILITY
from alpaca_simulator.prices.recordings import Point, PriceFileError, read_prices
from alpaca_simulator.prices.scripts import ScriptError, read_script
from alpaca_simulator.prices.walk import Walk, tick_of
from tests.helpers import eventually
from tests.simulator.sim_wire import Wire, socket

BTC = Decimal(76_600)


def walk(seed: int = 1, symbol: str = "BTC/USD", price: Decimal = BTC, **more: Any) -> Walk:
    options = {"volatility": 1.0, "reversion_seconds": 3600.0} | more
    return Walk(symbol, price, seed=seed, **options)


def test_the_seed_determines_the_walk() -> None:
    def steps(seed: int) -> list[Any]:
        one = walk(seed)
        return [one.step(0.5) for _ in range(100)]

    assert steps(1) == steps(1)
    assert steps(1) != steps(2)


@pytest.mark.parametrize("price", ["76600", "2450", "1.1", "0.0851", "0.0000052", "0.00000364"])
def test_a_walk_never_crosses_and_keeps_a_realistic_spread(price: str) -> None:
    one = walk(price=Decimal(price), volatility=25.0)
    tick = tick_of(Decimal(price))
    for _ in range(2_000):
        step = one.step(0.1)
        assert 0 < step.bid < step.ask
        assert step.ask - step.bid <= max(step.ask * Decimal("0.001"), 4 * tick)
        assert step.bid_size > 0
        assert step.ask_size > 0


def minutes_until_a_cycle(seed: int) -> float:
    """How long a lively walk takes: safety orders each 1.5 % down, take profit at 1 %."""
    one = walk(seed, volatility=LIVELY_VOLATILITY, reversion_seconds=LIVELY_REVERSION)
    first = one.step(0)
    bought = [first.ask]
    for number in range(1, 100_000):
        step = one.step(LIVELY_INTERVAL)
        if step.ask <= bought[-1] * Decimal("0.985") and len(bought) < 6:
            bought.append(step.ask)
        if step.bid >= sum(bought) / len(bought) * Decimal("1.01"):
            return number * LIVELY_INTERVAL / 60
    return float("inf")


def test_a_lively_walk_completes_a_cycle_within_two_minutes_or_so() -> None:
    minutes = sorted(minutes_until_a_cycle(seed) for seed in range(40))
    assert minutes[20] < 1
    assert minutes[35] < 2


def write(path: Path, text: str) -> Path:
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(text.encode()))
    else:
        path.write_text(text)
    return path


QUOTES = "timestamp,bid,bid_size,ask,ask_size\n1000,99,2,100,3\n2000,98,2,99,3\n"
BARS = "timestamp,open,high,low,close,volume\n1000,1,2,0.5,1.5,10\n"
QUOTE_BARS = "timestamp,bid,ask,bid_low,bid_high,ask_low,ask_high\n1000,99,100,1,2,3,4\n"
TRADES = "timestamp,price,size,side\n1000,99,2,buy\n"


def point(bid: str, ask: str, bid_size: str = "1", ask_size: str = "1") -> Point:
    return Point(1000, Decimal(bid), Decimal(ask), Decimal(bid_size), Decimal(ask_size))


@pytest.mark.parametrize(
    ("text", "first"),
    [
        (QUOTES, point("99", "100", "2", "3")),
        (BARS, point("1.5", "1.5")),
        (QUOTE_BARS, point("99", "100")),
        (TRADES, point("99", "99")),
    ],
)
@pytest.mark.parametrize("name", ["prices.csv", "prices.csv.gz"])
def test_a_price_file_is_recognised_by_its_header(
    tmp_path: Path, text: str, first: Point, name: str
) -> None:
    assert next(read_prices(write(tmp_path / name, text))) == first


def test_a_spread_is_put_around_closes_alone(tmp_path: Path) -> None:
    bars = write(tmp_path / "bars.csv", "timestamp,open,high,low,close,volume\n1000,1,2,1,100,1\n")
    quotes = write(tmp_path / "quotes.csv", QUOTES)
    twenty = Decimal(20)
    assert next(read_prices(bars, spread_bps=twenty)) == point("99.9", "100.1")
    assert next(read_prices(quotes, spread_bps=twenty)) == point("99", "100", "2", "3")


def test_what_is_no_price_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PriceFileError, match="neither quotes"):
        next(read_prices(write(tmp_path / "a.csv", "a,b\n1,2\n")))
    with pytest.raises(PriceFileError, match="No such file"):
        next(read_prices(tmp_path / "none.csv"))


@pytest.mark.parametrize(
    "name",
    [
        "bars1m_bitstamp_btcusd_20200101.csv.gz",
        "bars1s_coinbase_btcusd_20161007_20161008.csv.gz",
        "bars5m_octobot_ethbtc_202005.csv.gz",
        "qbars1m_coinbase_ethusd_20170903_20170904.csv.gz",
        "quotes_binance_cm_ethusd_perp_20240808.csv.gz",
        "trades_binance_cm_ethusd_perp_20240808.csv.gz",
    ],
)
def test_recorded_files_of_every_kind_are_read_whole(
    shared_data: Callable[[str], Path], name: str
) -> None:
    path = shared_data(name)
    points = list(read_prices(path))
    with gzip.open(path, "rt") as lines:
        assert len(points) == sum(1 for _ in lines) - 1
    assert all(0 < one.bid <= one.ask for one in points)
    assert [one.origin for one in points] == sorted(one.origin for one in points)


def collect(wire: Wire, wanted: int, act: Callable[[], None]) -> list[Any]:
    """The quotes of BTC/USD that a subscriber gets."""

    async def run() -> list[Any]:
        heard: list[Any] = []
        async with socket(wire.data_url) as stream:
            await stream.subscribe("BTC/USD")
            await asyncio.to_thread(act)
            while len(heard) < wanted:
                heard += await stream.hear()
            return heard

    return asyncio.run(run())


def test_a_recording_is_replayed_whole_and_in_order_with_fresh_times(
    start: Any, tmp_path: Path
) -> None:
    rows = [f"{n * 10**9},{100 + n},1,{101 + n},1" for n in range(95)]
    text = "timestamp,bid,bid_size,ask,ask_size\n" + "\n".join(rows) + "\n"
    path = write(tmp_path / "quotes.csv.gz", text)
    wire = start("--prices", str(path), "--prices-symbol", "BTC/USD", "--speed", "max")
    started = wire.get("/sim/state")["time"]
    heard = collect(wire, 95, lambda: None)
    assert [quote["bp"] for quote in heard] == [100 + n for n in range(95)]
    assert all(quote["t"] >= started[:19] for quote in heard)
    state = wire.get("/sim/state")
    assert state["feeds"]["replay-1"] == {"quotes": 95, "finished": True}
    assert state["quotes"]["BTC/USD"]["origin_ns"] == 94 * 10**9
    assert state["quotes"]["BTC/USD"]["at"] > started


def test_a_fill_names_its_quote_of_the_recording(wire: Wire, tmp_path: Path) -> None:
    path = write(tmp_path / "quotes.csv", QUOTES)
    feed = wire.control("replay", path=str(path), speed=0, wait=False)["feed"]
    eventually(lambda: wire.get("/sim/state")["feeds"][feed]["finished"])
    order = wire.order(qty="0.5")
    eventually(lambda: wire.status(order["id"]) == "filled")
    fill = wire.get("/sim/record")["fills"][-1]
    assert (fill["price"], fill["quote"]["origin_ns"], fill["quote"]["bid"]) == ("99", 2000, "98")


def test_a_script_is_played_step_by_step(wire: Wire) -> None:
    steps = [
        {"symbol": "BTC/USD", "bid": "99", "ask": "100"},
        {"symbol": "BTC/USD", "price": 200, "spread_bps": 100, "after": 0.01},
        {"symbol": "BTC/USD", "path": [300, 310], "after": 0.01},
    ]
    heard = collect(wire, 4, lambda: wire.control("script", steps=steps))
    assert [(quote["bp"], quote["ap"]) for quote in heard] == [
        (99, 100),
        (199, 201),
        (300, 300),
        (310, 310),
    ]


def test_a_script_can_be_given_at_the_start(start: Any, tmp_path: Path) -> None:
    path = write(tmp_path / "a.json", json.dumps([{"symbol": "BTC/USD", "price": 5}]))
    wire = start("--script", str(path))
    eventually(lambda: wire.get("/sim/state")["quotes"]["BTC/USD"]["bid"] == "5")


@pytest.mark.parametrize(
    "body",
    [[], {}, [{"bid": 1, "ask": 2}], [{"symbol": "X/Y"}], [{"symbol": "X/Y", "price": "much"}]],
)
def test_a_script_that_makes_no_sense_is_refused(body: Any) -> None:
    with pytest.raises(ScriptError):
        read_script(body, lambda symbol: Decimal(symbol == "X/Y"))


def test_the_walk_moves_every_pair_and_can_be_paused(start: Any) -> None:
    wire = start("--quote-interval", "0.02", "--port", "0", "--rate-limit", "0", quiet=False)

    def numbers() -> dict[str, int]:
        quotes = wire.get("/sim/state")["quotes"]
        return {symbol: quote["number"] for symbol, quote in quotes.items()}

    eventually(lambda: min(numbers().values()) >= 3)
    wire.control("walk", on=False)
    assert numbers() == numbers()


def test_a_burst_sends_what_was_asked_for_in_frames(wire: Wire) -> None:
    async def run() -> list[int]:
        async with socket(wire.data_url) as stream:
            await stream.subscribe("BTC/USD", "ETH/USD")
            await asyncio.to_thread(
                wire.control, "burst", symbols=["BTC/USD", "ETH/USD"], quotes=95, frame=10
            )
            return [len(await stream.hear()) for _ in range(10)]

    assert asyncio.run(run()) == [10] * 9 + [5]


def test_two_simulators_of_one_seed_quote_the_same(start: Any) -> None:
    first, second = (start("--seed", "9").get("/sim/state")["quotes"] for _ in range(2))
    assert {s: (q["bid"], q["ask"]) for s, q in first.items()} == {
        s: (q["bid"], q["ask"]) for s, q in second.items()
    }
