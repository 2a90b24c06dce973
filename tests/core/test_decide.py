"""When to buy, when to sell, how much; and that every request is one that Alpaca can take."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dca_bot.core.decide import (
    ANY_PRICE,
    Buy,
    Decision,
    Hold,
    Restart,
    Sell,
    Withdraw,
    decide,
    order_kind,
    triggers,
)
from dca_bot.core.ladder import Triggers
from dca_bot.core.model import Asset, Cycle, CycleStatus, Holding, OrderKind, Quote
from dca_bot.core.position import blocks_base_order, size_sell, why_nothing_to_sell
from tests.builders import (
    CHECKED,
    a_cycle,
    a_holding,
    a_holding_cycle,
    a_quote,
    an_asset,
    rules_of,
)

NO_TRIGGERS = Triggers()


def decided(asset: Asset, cycle: Cycle, quote: Quote) -> Decision:
    return decide(asset, cycle, quote, rules_of(asset.symbol))


# -- base order


def test_an_empty_watching_cycle_buys_the_base_order_at_the_ask() -> None:
    asset = an_asset(base_order_amount="20")
    decision = decided(asset, a_cycle(), a_quote(99, 100))
    assert decision == Buy(OrderKind.BASE, 0, Decimal("0.2"), Decimal(100))


def test_a_quote_of_another_symbol_says_nothing() -> None:
    quote = a_quote("0.05", symbol="ETH/USD")
    assert isinstance(decided(an_asset(), a_cycle(), quote), Hold)


def test_a_base_order_takes_any_price() -> None:
    assert triggers(an_asset(), a_cycle()) == Triggers(ANY_PRICE)


# -- safety orders


@pytest.mark.parametrize(
    ("ask", "buys"), [("98.51", False), ("98.5000000001", False), ("98.5", True), ("50", True)]
)
def test_a_safety_order_waits_for_the_ask_to_fall_below_the_last_fill(ask: str, buys: bool) -> None:
    cycle = a_holding_cycle(average_purchase_price="110", last_order_fill_price="100")
    decision = decided(an_asset(safety_order_deviation_pct="1.5"), cycle, a_quote(ask))
    assert isinstance(decision, Buy) is buys


def test_the_bid_alone_triggers_no_safety_order() -> None:
    assert isinstance(decided(an_asset(), a_holding_cycle(), a_quote(90, 99)), Hold)


def test_a_safety_order_is_the_next_rung_however_far_the_price_fell() -> None:
    asset = an_asset(safety_order_amount="30")
    decision = decided(asset, a_holding_cycle(safety_orders=2), a_quote("9.9", 10))
    assert decision == Buy(OrderKind.SAFETY, 3, Decimal(3), Decimal(10))


@pytest.mark.parametrize("filled", [5, 6])
def test_no_safety_order_follows_the_last_one(filled: int) -> None:
    cycle = a_holding_cycle(safety_orders=filled)
    assert isinstance(decided(an_asset(max_safety_orders=5), cycle, a_quote(1)), Hold)


def test_without_a_last_fill_price_the_next_rung_is_below_the_average() -> None:
    cycle = a_holding_cycle(average_purchase_price="100", last_order_fill_price=None)
    asset = an_asset(safety_order_deviation_pct="10")
    assert triggers(asset, cycle).buy_at_or_below == Decimal(90)


# -- take profit


@pytest.mark.parametrize(
    ("bid", "sells"), [("100.99", False), ("101", True), ("101.0000000001", True)]
)
def test_a_take_profit_waits_for_the_bid_to_reach_the_average(bid: str, sells: bool) -> None:
    cycle = a_holding_cycle(average_purchase_price="100", last_order_fill_price="90")
    decision = decided(an_asset(take_profit_pct="1"), cycle, a_quote(bid, 200))
    assert isinstance(decision, Sell) is sells


def test_a_tick_that_floats_would_miss_takes_profit() -> None:
    cycle = a_holding_cycle(average_purchase_price="0.00143", last_order_fill_price="0.00143")
    decision = decided(an_asset(take_profit_pct="1"), cycle, a_quote("0.0014443"))
    assert decision == Sell(Decimal("0.0014443"))


def test_a_quote_that_reaches_both_prices_buys() -> None:
    cycle = a_holding_cycle(average_purchase_price="50", last_order_fill_price="100")
    assert isinstance(decided(an_asset(), cycle, a_quote(90)), Buy)


def test_a_holding_without_any_price_is_left_alone() -> None:
    cycle = a_holding_cycle(average_purchase_price="0", last_order_fill_price=None)
    assert triggers(an_asset(), cycle) == NO_TRIGGERS


def test_a_holding_without_an_average_price_still_buys_below_its_last_fill() -> None:
    cycle = a_holding_cycle(average_purchase_price="0", last_order_fill_price="100")
    prices = triggers(an_asset(safety_order_deviation_pct="2"), cycle)
    assert (prices.buy_at_or_below, prices.sell_at_or_above) == (98, None)


# -- cooldown


@pytest.mark.parametrize(("ask", "restarts"), [("98.01", False), ("98", True), ("1", True)])
def test_a_cooldown_ends_early_when_the_ask_fell_below_the_last_sale(
    ask: str, restarts: bool
) -> None:
    asset = an_asset(last_sell_price="100", restart_deviation_pct="2")
    decision = decided(asset, a_cycle(status=CycleStatus.COOLDOWN), a_quote(ask))
    assert decision == (Restart(Decimal(98)) if restarts else Hold("no trigger reached"))


def test_a_cooldown_without_a_last_sale_is_not_ended_by_a_price() -> None:
    cycle = a_cycle(status=CycleStatus.COOLDOWN)
    assert triggers(an_asset(last_sell_price=None), cycle) == NO_TRIGGERS


# -- nothing to decide


@pytest.mark.parametrize("status", [s for s in CycleStatus if s is not CycleStatus.WATCHING])
def test_only_a_watching_cycle_places_orders(status: CycleStatus) -> None:
    cycle = a_holding_cycle(status=status)
    for price in ("0.01", "100", "100000"):
        decision = decided(an_asset(last_sell_price="100"), cycle, a_quote(price))
        assert order_kind(decision) is None


@pytest.mark.parametrize("status", list(CycleStatus))
@pytest.mark.parametrize("quantity", [0, 1])
def test_a_disabled_asset_does_nothing(status: CycleStatus, quantity: int) -> None:
    cycle = a_holding_cycle(status=status, quantity=quantity)
    asset = an_asset(is_enabled=False, last_sell_price="100")
    assert triggers(asset, cycle) == NO_TRIGGERS


# -- how much to buy


@pytest.mark.parametrize(
    ("amount", "ask", "steps", "expected"),
    [
        ("20", "3", ("0.000000001", "0.000000001"), ("6.666666666", "3")),
        ("20", "3.456", ("0.1", "0.01"), ("5.7", "3.45")),
        ("20", "23143.72", ("0.000000001", "0.01"), ("0.000864165", "23143.72")),
    ],
)
def test_quantity_and_limit_are_rounded_down_to_the_increments(
    amount: str, ask: str, steps: tuple[str, str], expected: tuple[str, str]
) -> None:
    rules = rules_of(quantity_step=steps[0], price_step=steps[1])
    decision = decide(an_asset(base_order_amount=amount), a_cycle(), a_quote(ask), rules)
    quantity, limit_price = map(Decimal, expected)
    assert decision == Buy(OrderKind.BASE, 0, quantity, limit_price)


@pytest.mark.parametrize(
    ("columns", "ask", "rules"),
    [
        ({"base_order_amount": "10.01"}, "3", rules_of(quantity_step="0.1")),  # 9.90
        ({"base_order_amount": "20"}, "30", rules_of(quantity_step="1")),
        ({"base_order_amount": "20"}, "0.0000000001", rules_of()),
        ({"base_order_amount": "199999"}, "0.0000000001", rules_of(price_step="0.0000000001")),
        (
            {"symbol": "ETH/BTC", "base_order_amount": "0.001"},
            "2000000",
            rules_of("ETH/BTC"),
        ),
    ],
)
def test_an_impossible_order_is_refused_with_a_reason_for_the_user(
    columns: dict[str, Any], ask: str, rules: Any
) -> None:
    asset = an_asset(**columns)
    decision = decide(asset, a_cycle(), a_quote(ask, symbol=asset.symbol), rules)
    assert isinstance(decision, Hold)
    assert decision.reported
    assert "base_order_amount" in decision.reason


def test_in_other_currencies_the_minimum_in_usd_does_not_count() -> None:
    asset = an_asset(symbol="ETH/BTC", base_order_amount="0.001")
    assert decided(asset, a_cycle(), a_quote("0.05", symbol="ETH/BTC")) == Buy(
        OrderKind.BASE, 0, Decimal("0.02"), Decimal("0.05")
    )


@given(
    amount=st.decimals(min_value="10.0000000001", max_value="200000", places=10),
    ask=st.decimals(min_value="0.000000001", max_value=10**6, places=10),
    symbol=st.sampled_from(["BTC/USD", "ETH/BTC", "SOL/USDT"]),
    quantity_step=st.sampled_from(["0.000000001", "0.0001", "1"]),
    price_step=st.sampled_from(["0.000000001", "0.01", "0.5"]),
)
@example(
    amount=Decimal(20),
    ask=Decimal("0.0000000011"),
    symbol="BTC/USD",
    quantity_step="0.000000001",
    price_step="0.000000001",
)
@CHECKED
def test_every_buy_is_valid_or_refused_with_a_reason(
    amount: Decimal, ask: Decimal, symbol: str, quantity_step: str, price_step: str
) -> None:
    rules = rules_of(symbol, quantity_step=quantity_step, price_step=price_step)
    asset = an_asset(symbol=symbol, base_order_amount=amount)
    decision = decide(asset, a_cycle(), a_quote(ask, symbol=symbol), rules)
    if isinstance(decision, Hold):
        assert decision.reported
        assert decision.reason
        return
    assert isinstance(decision, Buy)
    assert decision.quantity % rules.min_trade_increment == 0
    assert decision.limit_price % rules.price_increment == 0
    assert 0 < decision.limit_price <= ask
    assert 0 < decision.quantity < 10**15  # what the books can hold
    assert decision.quantity * decision.limit_price <= amount
    if symbol == "BTC/USD":
        assert decision.quantity * decision.limit_price >= 10


# -- a BUY that rests when the take profit is due


@pytest.mark.parametrize(("bid", "withdraws"), [("100.99", False), ("101", True), ("150", True)])
def test_a_resting_buy_is_withdrawn_when_the_take_profit_is_due(bid: str, withdraws: bool) -> None:
    cycle = a_holding_cycle(status=CycleStatus.BUYING, latest_order_id="alpaca-1")
    decision = decided(an_asset(), cycle, a_quote(bid))
    assert (decision == Withdraw(Decimal(101))) is withdraws


@pytest.mark.parametrize("quantity", ["0", "0.009"])
def test_a_resting_buy_is_not_withdrawn_for_dust(quantity: str) -> None:
    cycle = a_holding_cycle(status=CycleStatus.BUYING, quantity=quantity)
    assert isinstance(decided(an_asset(), cycle, a_quote("110")), Hold)


def test_a_resting_sell_is_left_alone() -> None:
    cycle = a_holding_cycle(status=CycleStatus.SELLING)
    assert isinstance(decided(an_asset(), cycle, a_quote("110")), Hold)


# -- how much to sell


@pytest.mark.parametrize("symbol", ["BTC/USD", "BTC/USDC", "BTC/USDT"])
@pytest.mark.parametrize(
    ("quantity", "expected"), [("1899", "1899"), ("1900", "1900"), ("5000", "1900")]
)
def test_no_sell_is_larger_than_alpaca_takes_though_the_price_may_rise(
    symbol: str, quantity: str, expected: str
) -> None:
    asset, cycle = an_asset(symbol=symbol), a_holding_cycle(quantity=quantity)
    held, rules = a_holding(quantity), rules_of(symbol)
    size = size_sell(asset, cycle, held, a_quote(100, symbol=symbol), rules)
    assert size == Decimal(expected)


@pytest.mark.parametrize(
    ("holding", "expected", "why"),
    [
        (None, "0", "there is nothing at all"),
        (a_holding("1"), "1", "what the cycle bought"),
        (a_holding("0.9975"), "0.9975", "the fee was taken in coin"),
        (a_holding("1.009"), "1.009", "dust of an earlier cycle goes along"),
        (a_holding("3"), "1", "the rest is not ours"),
        (a_holding("1", available="0.4"), "0.4", "another order holds the rest back"),
        (a_holding("1", available="0.009"), "0", "only dust is free"),
        (a_holding("1", available="0"), "0", "nothing is free"),
        (a_holding("0.9975000001234"), "0.9975", "nine digits are traded"),
    ],
)
def test_what_can_be_sold_of_one_coin(holding: Holding | None, expected: str, why: str) -> None:
    sold = size_sell(an_asset(), a_holding_cycle(), holding, a_quote(100), rules_of())
    assert sold == Decimal(expected), why


@pytest.mark.parametrize(
    ("held", "expected"),
    [("1000", "1000"), ("999", "999"), ("1000.009", "1000.009"), ("1000.01", "997.5")],
)
def test_coins_that_the_books_took_for_a_fee_are_sold_and_no_more(held: str, expected: str) -> None:
    cycle = a_holding_cycle(quantity="997.5")
    sold = size_sell(
        *(an_asset(), cycle, a_holding(held), a_quote(100), rules_of()),
        assumed_fees=Decimal("2.5"),
    )
    assert sold == Decimal(expected)


def test_a_cycle_that_holds_nothing_but_dust_sells_it() -> None:
    """A base order canceled after a crumb was filled must not keep the asset for ever."""
    cycle = a_holding_cycle(quantity="0.001")
    sold = size_sell(an_asset(), cycle, a_holding("0.001"), a_quote(100), rules_of())
    assert sold == Decimal("0.001")


@given(
    quantity=st.decimals(min_value=0, max_value=1000, places=12),
    held=st.decimals(min_value=0, max_value=1000, places=12),
    free_part=st.decimals(min_value=0, max_value=1, places=3),
    bid=st.decimals(min_value="0.000001", max_value=10**6, places=6),
)
@CHECKED
def test_no_sell_asks_for_more_than_the_exchange_lets_go(
    quantity: Decimal, held: Decimal, free_part: Decimal, bid: Decimal
) -> None:
    holding = a_holding(held, available=held * free_part)
    cycle, rules = a_holding_cycle(quantity=quantity), rules_of()
    sold = size_sell(an_asset(), cycle, holding, a_quote(bid), rules)
    assert 0 <= sold <= holding.available
    assert sold % rules.min_trade_increment == 0
    assert (sold - quantity) * bid < 1  # nothing of worth that the cycle doesn't hold


@pytest.mark.parametrize(
    ("holding", "named"),
    [
        (None, "consistency_checker.py"),
        (a_holding("0"), "consistency_checker.py"),
        (a_holding("1", available="0"), "order_manager.py"),
    ],
)
def test_nothing_to_sell_names_who_settles_it(holding: Holding | None, named: str) -> None:
    assert named in why_nothing_to_sell(a_holding_cycle(), holding)


# -- positions that aren't ours


@pytest.mark.parametrize(
    ("holding", "blocks"),
    [(None, False), (a_holding("0.009"), False), (a_holding("0.01"), True), (a_holding(5), True)],
)
def test_a_foreign_position_worth_something_blocks_the_base_order(
    holding: Holding | None, blocks: bool
) -> None:
    assert blocks_base_order(an_asset(), holding, a_quote(100)) is blocks
