"""The hot path: two comparisons, and never a trigger missed."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dca_bot.core.decide import ANY_PRICE
from dca_bot.core.ladder import Triggers
from dca_bot.core.model import Side
from dca_bot.live.watch import Watch, look_at
from tests.builders import CHECKED


class Hits:
    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> None:
        self.count += 1


def raw(symbol: str, bid: float | Decimal, ask: float | Decimal) -> dict[str, Any]:
    return {"T": "q", "S": symbol, "bp": bid, "ap": ask}


def armed(triggers: Triggers) -> tuple[Watch, Hits]:
    hits = Hits()
    watch = Watch(hits)
    watch.arm(triggers)
    return watch, hits


def test_a_quote_between_the_prices_hits_nothing() -> None:
    watch, hits = armed(Triggers(Decimal(90), Decimal(110)))
    look_at({"BTC/USD": watch}, [raw("BTC/USD", 90.5, 90.6), raw("BTC/USD", 109.9, 110.5)])
    assert hits.count == 0


def test_an_ask_at_the_buy_price_hits() -> None:
    watch, hits = armed(Triggers(Decimal(90), Decimal(110)))
    quote = raw("BTC/USD", 89, 90)
    look_at({"BTC/USD": watch}, [quote])
    assert hits.count == 1
    assert watch.take_newest() is quote


def test_a_bid_at_the_sell_price_hits() -> None:
    watch, hits = armed(Triggers(Decimal(90), Decimal(110)))
    look_at({"BTC/USD": watch}, [raw("BTC/USD", 110, 111)])
    assert hits.count == 1


def test_any_ask_hits_when_any_price_will_do() -> None:
    watch, hits = armed(Triggers(ANY_PRICE))
    look_at({"BTC/USD": watch}, [raw("BTC/USD", 1e6, 1.1e6)])
    assert hits.count == 1


@pytest.mark.parametrize("prices", [("99", 100.0), (99.0, None), (99.0, []), (None, 1.0), (99.0,)])
def test_a_quote_that_cannot_be_compared_is_not_kept(prices: tuple[Any, ...]) -> None:
    watch, hits = armed(Triggers(Decimal(90), Decimal(110)))
    good = raw("BTC/USD", 99, 100)
    look_at({"BTC/USD": watch}, [good])
    bad = {"S": "BTC/USD"} | dict(zip(("bp", "ap"), prices, strict=False))
    with pytest.raises((TypeError, KeyError)):
        look_at({"BTC/USD": watch}, [bad])
    watch.arm(Triggers(Decimal(100)))
    assert (watch.newest, hits.count) == (good, 1)


@pytest.mark.parametrize("bad", [{}, {"S": []}, {"S": "A", "ap": 1}, {"S": "A", "ap": 1, "bp": ""}])
def test_a_quote_that_cannot_be_compared_loses_only_itself(bad: dict[str, Any]) -> None:
    (a, a_hits), (b, b_hits) = armed(Triggers(ANY_PRICE)), armed(Triggers(ANY_PRICE))
    with pytest.raises((TypeError, KeyError)):
        look_at({"A": a, "B": b}, [bad, raw("B", 1, 1), bad])
    assert (a_hits.count, a.newest, b_hits.count) == (0, None, 1)


def test_nothing_hits_while_disarmed() -> None:
    watch, hits = armed(Triggers(ANY_PRICE, Decimal(1)))
    watch.disarm()
    look_at({"BTC/USD": watch}, [raw("BTC/USD", 1, 1)])
    assert hits.count == 0


def test_a_quote_that_came_while_disarmed_hits_once_armed_again() -> None:
    watch, hits = armed(Triggers())
    look_at({"BTC/USD": watch}, [raw("BTC/USD", 89, 90)])
    assert hits.count == 0
    watch.arm(Triggers(Decimal(90)))
    assert hits.count == 1


def test_a_quote_that_was_looked_at_does_not_hit_again() -> None:
    watch, hits = armed(Triggers())
    look_at({"BTC/USD": watch}, [raw("BTC/USD", 89, 90)])
    assert watch.take_newest() is not None
    watch.arm(Triggers(Decimal(90)))
    assert hits.count == 0
    assert watch.take_newest() is None


def test_of_several_quotes_the_newest_is_looked_at() -> None:
    watch, _ = armed(Triggers())
    newest = raw("BTC/USD", 80, 81)
    look_at({"BTC/USD": watch}, [raw("BTC/USD", 89, 90), newest])
    assert watch.take_newest() is newest


def test_a_quote_of_an_unknown_symbol_is_passed_over() -> None:
    watch, hits = armed(Triggers(ANY_PRICE))
    look_at({"BTC/USD": watch}, [raw("ETH/USD", 1, 1), raw("BTC/USD", 1, 1)])
    assert hits.count == 1


PRICES = st.decimals(min_value="0.000000001", max_value="1000000", places=9)
PERCENTS = st.decimals(min_value="0", max_value="50", places=4)


@CHECKED
@given(price=PRICES, pct=PERCENTS)
def test_no_price_that_reaches_a_trigger_in_decimal_is_missed_in_floats(
    price: Decimal, pct: Decimal
) -> None:
    """Bought at 0.00143, take profit 1 %: a bid of exactly 0.0014443 must hit."""
    sell_at = price * (1 + pct / 100)
    buy_at = price * (1 - pct / 100)
    selling, sell_hits = armed(Triggers(None, sell_at))
    buying, buy_hits = armed(Triggers(buy_at))
    look_at({"X": selling}, [raw("X", float(sell_at), float(sell_at) * 2)])
    look_at({"X": buying}, [raw("X", float(buy_at) / 2, float(buy_at))])
    assert (sell_hits.count, buy_hits.count) == (1, 1)


@CHECKED
@given(price=PRICES, pct=PERCENTS)
def test_nor_is_one_missed_that_rest_tells_in_decimals(price: Decimal, pct: Decimal) -> None:
    """The float of 0.0014443 is a hair above it."""
    sell_at = price * (1 + pct / 100)
    buy_at = price * (1 - pct / 100)
    selling, sell_hits = armed(Triggers(None, sell_at))
    buying, buy_hits = armed(Triggers(buy_at))
    look_at({"X": selling}, [raw("X", sell_at, sell_at * 2)])
    look_at({"X": buying}, [raw("X", buy_at / 2, buy_at)])
    assert (sell_hits.count, buy_hits.count) == (1, 1)


def test_a_bid_that_falls_to_the_stop_loss_hits() -> None:
    watch, hits = armed(Triggers(Decimal(80), Decimal(110), stop_at_or_below=Decimal(90)))
    look_at({"X": watch}, [raw("X", 91, 92), raw("X", 90, 91)])
    assert hits.count == 1


def test_a_trailing_bid_hits_between_target_and_fall_only() -> None:
    watch, hits = armed(Triggers(None, Decimal(110), sell_between=(Decimal(101), Decimal(105))))
    look_at({"X": watch}, [raw("X", 100, 101), raw("X", 106, 107)])
    assert hits.count == 0
    look_at({"X": watch}, [raw("X", 101, 102), raw("X", 105, 106), raw("X", 110, 111)])
    assert hits.count == 3


def test_an_ask_below_the_lowest_start_or_with_a_wide_spread_does_not_hit() -> None:
    limits = Triggers(Decimal(100), buy_at_or_above=Decimal(90), max_spread_pct=Decimal(2))
    watch, hits = armed(limits)
    look_at({"X": watch}, [raw("X", 89, 89), raw("X", 97, 100), raw("X", 101, 101)])
    assert hits.count == 0
    look_at({"X": watch}, [raw("X", 98, 100), raw("X", 90, 90)])
    assert hits.count == 2


def test_while_one_side_waits_the_other_still_hits() -> None:
    prices = Triggers(Decimal(95), Decimal(110), stop_at_or_below=Decimal(90))
    watch, hits = armed(prices.without(Side.SELL))
    look_at({"X": watch}, [raw("X", 89, 96), raw("X", 111, 112)])
    assert hits.count == 0
    look_at({"X": watch}, [raw("X", 89, 95)])
    assert hits.count == 1


def test_a_quote_whose_bid_is_above_its_ask_hits_nothing_and_is_not_kept() -> None:
    watch, hits = armed(Triggers(Decimal(100), Decimal(101)))
    look_at({"X": watch}, [raw("X", 102, 99)])
    assert (hits.count, watch.newest) == (0, None)


def test_a_quote_that_was_looked_at_may_hit_again_when_somebody_asks_for_it() -> None:
    watch, hits = armed(Triggers())
    look_at({"X": watch}, [raw("X", 89, 90)])
    assert watch.take_newest() is not None
    watch.look_again()
    watch.arm(Triggers(Decimal(90)))
    assert hits.count == 1
    assert watch.take_newest() is not None


def test_a_plain_asset_forgets_the_closer_look_of_the_prices_before() -> None:
    watch, hits = armed(Triggers(Decimal(90), buy_at_or_above=Decimal(80)))
    watch.arm(Triggers(Decimal(90)))
    look_at({"X": watch}, [raw("X", 70, 70)])
    assert hits.count == 1


def test_a_quote_that_came_before_is_looked_at_closely_too() -> None:
    watch, hits = armed(Triggers())
    look_at({"X": watch}, [raw("X", 100, 103)])
    watch.arm(Triggers(Decimal(110), max_spread_pct=Decimal(2)))
    assert hits.count == 0
    watch.arm(Triggers(Decimal(110), max_spread_pct=Decimal(3)))
    assert hits.count == 1
