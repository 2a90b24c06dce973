"""The columns that are off by default: what each makes of amounts, prices and decisions."""

from collections.abc import Collection
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from dca_bot.core.asset_row import problem_of
from dca_bot.core.booking import apply_update
from dca_bot.core.decide import Buy, Decision, Hold, Remember, Restart, Sell, decide
from dca_bot.core.decide import triggers as triggers_of
from dca_bot.core.ladder import (
    Triggers,
    next_safety_price,
    safety_amount,
    safety_deviation,
    stop_loss_price,
    take_profit_price,
    watched,
)
from dca_bot.core.model import (
    AfterStopLoss,
    Allowed,
    Asset,
    Cycle,
    CycleStatus,
    OrderKind,
    OrderStatus,
    Side,
)
from tests.builders import (
    NOW,
    a_cycle,
    a_fill,
    a_holding_cycle,
    a_quote,
    an_asset,
    an_order,
    rules_of,
)

RULES = rules_of()
Price = Decimal | str | int


def decided(
    asset: Asset,
    cycle: Cycle,
    bid: object,
    ask: object = None,
    after: int = 0,
    paused: Collection[Side] = (),
) -> Decision:
    quote = replace(a_quote(bid, ask), at=NOW + timedelta(seconds=after))
    return decide(asset, cycle, quote, RULES, paused=paused)


def seen(asset: Asset, cycle: Cycle, *bids: Price) -> Cycle:
    """The cycle after these bids, a second apart."""
    for number, bid in enumerate(bids):
        quote = replace(a_quote(bid), at=NOW + timedelta(seconds=number))
        cycle = watched(asset, cycle, quote)
    return cycle


# -- the ladder


def test_amounts_and_steps_grow_by_their_scales() -> None:
    asset = an_asset(
        safety_order_amount="20",
        safety_order_volume_scale="1.5",
        safety_order_deviation_pct="1.5",
        safety_order_step_scale="1.2",
    )
    assert [safety_amount(asset, rung) for rung in (1, 2, 3)] == [20, 30, 45]
    assert [safety_deviation(asset, rung) for rung in (1, 2, 3)] == [
        Decimal("1.5"),
        Decimal("1.8"),
        Decimal("2.16"),
    ]


def test_the_next_rung_is_its_own_step_below_the_last_fill_and_has_its_own_amount() -> None:
    asset = an_asset(
        safety_order_deviation_pct="1", safety_order_step_scale="2", safety_order_volume_scale="3"
    )
    cycle = a_holding_cycle(safety_orders=2, last_order_fill_price="50")
    assert next_safety_price(asset, cycle) == 48
    decision = decided(asset, cycle, 47, 48)
    assert isinstance(decision, Buy)
    assert (decision.rung, decision.quantity) == (3, Decimal("3.75"))


def test_an_amount_that_a_scale_made_too_small_names_both_columns() -> None:
    asset = an_asset(safety_order_amount=9, safety_order_volume_scale="0.5")
    for filled, columns in (
        (0, "safety_order_amount in dca_assets"),
        (1, "safety_order_amount and safety_order_volume_scale in dca_assets"),
    ):
        decision = decided(asset, a_holding_cycle(safety_orders=filled), 1)
        assert isinstance(decision, Hold)
        assert decision.reason.endswith(f": see {columns}")


def test_scales_of_one_change_no_digit() -> None:
    asset = an_asset(safety_order_amount="20.1234567891", safety_order_deviation_pct="1.2345")
    assert safety_amount(asset, 5) == asset.safety_order_amount
    assert safety_deviation(asset, 5) == asset.safety_order_deviation_pct


# -- fees


def test_a_target_after_fees_leaves_the_percent_when_both_fees_are_paid() -> None:
    """20 USD at 100 buy 0.2, of which 0.1995 arrive; sold at the target, 20.20 come back."""
    asset = an_asset(take_profit_after_fees=True, take_profit_pct="1")
    cycle = a_holding_cycle(quantity="0.1995", average_purchase_price="100", fee_rate="0.0025")
    target = take_profit_price(asset, cycle)
    assert target is not None
    assert abs(target * cycle.quantity * Decimal("0.9975") - Decimal("20.2")) < Decimal("1e-20")


def test_a_target_after_fees_uses_the_rate_that_the_buy_was_charged() -> None:
    asset = an_asset(take_profit_after_fees=True)
    order = an_order(status=OrderStatus.OPEN)
    buying = a_cycle(status=CycleStatus.BUYING)
    fill = a_fill(order, 1, 100, position="0.9982")
    cycle = apply_update(asset, buying, order, fill, NOW).cycle
    assert cycle.fee_rate == Decimal("0.0018")
    assert take_profit_price(asset, cycle) == 101 / Decimal("0.9982") ** 2


def test_a_receipt_that_we_estimated_tells_no_rate() -> None:
    asset = an_asset(take_profit_after_fees=True)
    order = an_order(status=OrderStatus.OPEN)
    cycle = apply_update(
        asset, a_cycle(status=CycleStatus.BUYING), order, a_fill(order, 1), NOW
    ).cycle
    assert cycle.fee_rate is None
    assert take_profit_price(asset, cycle) == 101 / Decimal("0.9975") ** 2


# -- trailing take profit

TRAILING = an_asset(take_profit_pct="1", trailing_pct="0.5")


def test_at_the_target_nothing_is_sold_yet() -> None:
    assert decided(TRAILING, a_holding_cycle(), 101) == Remember()
    assert seen(TRAILING, a_holding_cycle(), 101).highest_bid == 101


def test_the_highest_bid_is_followed_and_a_fall_from_it_sells() -> None:
    cycle = seen(TRAILING, a_holding_cycle(), 101, 103, 102)
    assert cycle.highest_bid == 103
    assert isinstance(decided(TRAILING, cycle, "102.486"), Hold)
    assert decided(TRAILING, cycle, "102.485") == Sell(Decimal("102.485"))


def test_below_the_target_nothing_is_ever_sold() -> None:
    cycle = seen(TRAILING, a_holding_cycle(), 101)
    assert isinstance(decided(TRAILING, cycle, "100.9"), Hold)  # fell by more than 0.1 %
    deeper = seen(TRAILING, cycle, 103)
    assert isinstance(decided(TRAILING, deeper, "100.99"), Hold)
    assert isinstance(decided(TRAILING, deeper, 101), Sell)


def test_a_peak_is_remembered_once() -> None:
    cycle = seen(TRAILING, a_holding_cycle(), 102)
    assert isinstance(decided(TRAILING, cycle, 102), Hold)
    assert watched(TRAILING, cycle, a_quote(102)) is cycle


def test_a_buy_begins_peak_and_stop_loss_anew() -> None:
    cycle = replace(seen(TRAILING, a_holding_cycle(), 103), stop_loss_since=NOW)
    order = an_order(kind=OrderKind.SAFETY, rung=1)
    buying = replace(cycle, status=CycleStatus.BUYING)
    after = apply_update(TRAILING, buying, order, a_fill(order, 1, 90), NOW).cycle
    assert (after.highest_bid, after.stop_loss_since) == (None, None)


# -- stop loss

STOP = an_asset(stop_loss_pct="10", stop_loss_seconds=60, max_safety_orders=0)


def test_a_wick_is_not_enough() -> None:
    cycle = seen(STOP, a_holding_cycle(), 90)
    assert cycle.stop_loss_since == NOW
    assert isinstance(decided(STOP, cycle, 80, after=59), Hold)
    assert decided(STOP, cycle, "90.01", after=59) == Remember()
    back = watched(STOP, cycle, a_quote("90.01"))
    assert back.stop_loss_since is None
    assert decided(STOP, back, 80, after=120) == Remember()


def test_below_for_so_long_sells() -> None:
    cycle = seen(STOP, a_holding_cycle(), 90)
    assert decided(STOP, cycle, 90, after=60) == Sell(Decimal(90), OrderKind.STOP_LOSS)


def test_without_seconds_the_first_bid_sells_before_a_safety_order_is_bought() -> None:
    asset = an_asset(stop_loss_pct="10", safety_order_deviation_pct="5")
    assert decided(asset, a_holding_cycle(), 90) == Sell(Decimal(90), OrderKind.STOP_LOSS)
    assert isinstance(decided(asset, a_holding_cycle(), 91), Buy)


LADDER_AND_STOP = replace(STOP, max_safety_orders=5)


def test_a_stop_loss_begins_to_count_before_a_safety_order_is_bought() -> None:
    assert decided(LADDER_AND_STOP, a_holding_cycle(), 90) == Remember()
    counting = seen(LADDER_AND_STOP, a_holding_cycle(), 90)
    assert isinstance(decided(LADDER_AND_STOP, counting, 90), Buy)
    assert decided(LADDER_AND_STOP, counting, "90.01") == Remember()


def test_while_buys_are_paused_a_stop_loss_counts_and_sells() -> None:
    def then(cycle: Cycle, seconds: int) -> Decision:
        return decided(LADDER_AND_STOP, cycle, 90, after=seconds, paused=[Side.BUY])

    assert then(a_holding_cycle(), 0) == Remember()
    counting = seen(LADDER_AND_STOP, a_holding_cycle(), 90)
    assert then(counting, 59) == Hold("no trigger reached")
    assert then(counting, 60) == Sell(Decimal(90), OrderKind.STOP_LOSS)


def test_while_sells_are_paused_a_stop_loss_that_is_due_buys_nothing_either() -> None:
    counting = seen(LADDER_AND_STOP, a_holding_cycle(), 90)
    assert isinstance(decided(LADDER_AND_STOP, counting, 90, after=60, paused=[Side.SELL]), Hold)
    assert isinstance(decided(an_asset(), a_holding_cycle(), 101, paused=[Side.SELL]), Hold)
    buying = a_holding_cycle(status=CycleStatus.BUYING)
    assert isinstance(decided(an_asset(), buying, 101, paused=[Side.SELL]), Hold)


@pytest.mark.parametrize(
    ("after", "allowed"), [(AfterStopLoss.PAUSE, Allowed.EXIT), (AfterStopLoss.COOLDOWN, None)]
)
def test_after_a_stop_loss_the_asset_pauses_or_cools_down(
    after: AfterStopLoss, allowed: Allowed | None
) -> None:
    order = an_order(kind=OrderKind.STOP_LOSS)
    selling = a_holding_cycle(status=CycleStatus.SELLING)
    booked = apply_update(an_asset(after_stop_loss=after), selling, order, a_fill(order, 1), NOW)
    assert (booked.cycle.status, booked.allowed) == (CycleStatus.COMPLETE, allowed)


# -- limits of BUYs


def test_no_buy_while_bid_and_ask_are_too_far_apart() -> None:
    asset = an_asset(max_spread_pct="2")
    assert isinstance(decided(asset, a_cycle(), "98", "100"), Buy)
    assert isinstance(decided(asset, a_cycle(), "97.99", "100"), Hold)
    assert isinstance(decided(asset, a_holding_cycle(), "93.1", "95"), Buy)
    assert isinstance(decided(asset, a_holding_cycle(), "93", "95"), Hold)


def test_a_wide_spread_sells_all_the_same() -> None:
    assert isinstance(decided(an_asset(max_spread_pct="2"), a_holding_cycle(), 101, 200), Sell)


@pytest.mark.parametrize(("ask", "begins"), [(89, False), (90, True), (110, True), (111, False)])
def test_a_cycle_begins_between_two_prices_only(ask: int, begins: bool) -> None:
    asset = an_asset(min_start_price="90", max_start_price="110", last_sell_price="200")
    assert isinstance(decided(asset, a_cycle(), ask), Buy) is begins
    cooldown = a_cycle(status=CycleStatus.COOLDOWN)
    assert isinstance(decided(asset, cooldown, ask), Restart) is begins


def test_the_prices_of_a_start_mean_nothing_to_a_running_cycle() -> None:
    asset = an_asset(min_start_price="1000", max_start_price="1001")
    assert isinstance(decided(asset, a_holding_cycle(), 90), Buy)


# -- how far an asset may go


@pytest.mark.parametrize(
    ("allowed", "begins", "adds"),
    [(Allowed.ALL, True, True), (Allowed.CYCLE, False, True), (Allowed.EXIT, False, False)],
)
def test_an_asset_goes_only_as_far_as_its_row_allows(
    allowed: Allowed, begins: bool, adds: bool
) -> None:
    asset = an_asset(allowed=allowed, last_sell_price="200")
    assert isinstance(decided(asset, a_cycle(), 100), Buy) is begins
    cooldown = a_cycle(status=CycleStatus.COOLDOWN)
    assert isinstance(decided(asset, cooldown, 100), Restart) is begins
    assert isinstance(decided(asset, a_holding_cycle(), 90), Buy) is adds
    assert isinstance(decided(asset, a_holding_cycle(), 101), Sell)


def test_a_disabled_asset_remembers_and_sells_nothing() -> None:
    asset = replace(STOP, is_enabled=False)
    assert isinstance(decided(asset, a_holding_cycle(), 50), Hold)


# -- the prices that the hot path compares


def test_the_plain_strategy_has_two_prices() -> None:
    assert triggers_of(an_asset(), a_holding_cycle()) == Triggers(Decimal("98.5"), Decimal(101))
    assert not triggers_of(an_asset(), a_holding_cycle()).are_more_than_two_prices


def test_coins_of_a_few_cents_have_a_stop_loss_too() -> None:
    cycle = a_holding_cycle(quantity="1000", average_purchase_price="0.1")
    assert stop_loss_price(STOP, cycle) == Decimal("0.09")


def test_a_pending_stop_loss_looks_at_every_quote() -> None:
    cycle = seen(STOP, a_holding_cycle(), 90)
    assert triggers_of(STOP, cycle).sell_at_or_above == 0


# -- rows that can't be traded


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"safety_order_volume_scale": "0"}, "safety_order_volume_scale is 0"),
        ({"safety_order_volume_scale": "0.5"}, "makes safety order 5 1.25, must be above"),
        ({"safety_order_step_scale": "-1"}, "safety_order_step_scale is -1"),
        ({"safety_order_step_scale": "3"}, "the step to safety order 5 121.50 %"),
        ({"trailing_pct": "0"}, "trailing_percent is 0"),
        ({"stop_loss_pct": "100"}, "stop_loss_percent is 100"),
        ({"stop_loss_seconds": -1}, "stop_loss_seconds is -1"),
        ({"max_spread_pct": "0"}, "max_spread_percent is 0"),
        ({"min_start_price": "0"}, "min_start_price is 0"),
        ({"min_start_price": "2", "max_start_price": "1"}, "min_start_price is 2, above"),
    ],
)
def test_what_makes_no_sense_is_named(columns: dict[str, object], message: str) -> None:
    assert message in problem_of(an_asset(**columns), RULES)


def test_all_of_them_together_can_make_sense() -> None:
    asset = an_asset(
        safety_order_volume_scale="1.5",
        safety_order_step_scale="1.2",
        take_profit_after_fees=True,
        trailing_pct="0.5",
        stop_loss_pct="20",
        max_spread_pct="1",
        min_start_price="1",
        max_start_price="2",
    )
    assert problem_of(asset, RULES) == ""
