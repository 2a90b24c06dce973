"""The exchange without sockets: an order's life, the refusals, and what is on hold."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from alpaca_simulator.clock import parse_rfc3339, rfc3339
from alpaca_simulator.exchange.drafts import read_draft
from alpaca_simulator.exchange.orders import Status
from alpaca_simulator.exchange.plans import AfterPart, Plan
from alpaca_simulator.exchange.rejections import Rejection
from tests.simulator.sim_builders import Bench, market, request

CENTS_SHORT = market(qty=None, notional="9.99")
TOO_FINE = market(qty=None, notional="20.001")
TOO_DEAR = {"qty": "1500", "limit_price": "99"}
BRACKET = {"order_class": "bracket"}
LONG_ID = {"client_order_id": "x" * 129}


def bench(**rules: Any) -> Bench:
    made = Bench(**rules)
    made.quote("99", "100")
    return made


def refusal(made: Bench, **fields: Any) -> tuple[int, dict[str, object]]:
    with pytest.raises(Rejection) as caught:
        made.send(**fields)
    return caught.value.status, caught.value.body


def test_an_order_is_pending_then_new_then_filled() -> None:
    made = bench()
    order = made.send(qty="1", limit_price="101")
    assert order.status is Status.PENDING_NEW
    made.wait()
    assert made.events() == ["pending_new", "new", "fill"]
    assert [update.execution_id is not None for update in made.updates] == [False, True, True]
    filled = made.exchange.order(order.id)
    assert (filled.status, filled.average_price) == (Status.FILLED, Decimal(100))


def test_a_buy_is_filled_gross_and_held_net_of_its_fee() -> None:
    made = bench()
    made.done(qty="1", limit_price="101")
    fill = made.updates[-1].to_wire()
    assert fill["order"]["filled_qty"] == "1"
    assert fill["qty"] == "1"
    assert fill["position_qty"] == "0.9975"
    assert made.free("BTC") == Decimal("0.9975")
    assert made.free("USD") == Decimal("99900")


def test_a_sell_pays_its_fee_in_dollars() -> None:
    made = bench()
    made.done(qty="1", limit_price="101")
    made.done(side="sell", **market(qty="0.9975"))
    assert made.free("BTC") == 0
    assert made.free("USD") == Decimal("99900") + Decimal("98.7525") - Decimal("0.25")


def test_a_resting_order_fills_at_its_limit_as_a_maker() -> None:
    made = bench()
    order = made.done(qty="1", limit_price="95")
    assert order.status is Status.NEW
    made.quote("90", "91")
    execution = made.exchange.executions[-1]
    assert (execution.price, execution.fee) == (Decimal(95), Decimal("0.0015"))


def test_an_order_fills_against_the_quote_in_force_when_it_came() -> None:
    made = bench()
    made.send(qty="1", limit_price="101")
    made.quote("100.4", "100.5")
    made.wait()
    execution = made.exchange.executions[-1]
    assert execution.price == 100
    assert execution.quote is not None
    assert execution.quote.ask == 100


def test_buying_power_is_net_of_resting_buys_and_comes_back_with_their_cancel() -> None:
    made = bench()
    order = made.done(qty="2", limit_price="50")
    assert made.free("USD") == Decimal(99_900)
    made.exchange.cancel(order.id)
    assert made.free("USD") == Decimal(99_900)
    made.wait()
    assert made.free("USD") == Decimal(100_000)
    assert made.events()[-1] == "canceled"


def test_a_better_price_gives_the_rest_of_the_hold_back() -> None:
    made = bench()
    made.done(qty="1", limit_price="150")
    assert made.free("USD") == Decimal(99_900)


def test_numbers_finer_than_nine_decimals_are_cut() -> None:
    order = bench().send(qty="1.0000000019", limit_price="98.1234567899")
    assert (order.terms.qty, order.terms.limit_price) == (
        Decimal("1.000000001"),
        Decimal("98.123456789"),
    )
    assert refusal(bench(), qty="0.0000000009")[1]["message"] == "qty must be > 0"


def test_numbers_finer_than_nine_decimals_can_be_refused() -> None:
    body = request(qty="1.0000000001")
    with pytest.raises(Rejection, match="qty must be limited to 9 decimal places"):
        read_draft(body, bench().exchange.assets, strict=True)


@pytest.mark.parametrize("name", ["qty", "limit_price", "notional"])
def test_a_number_beyond_all_amounts_is_a_bad_request(name: str) -> None:
    fields = {"qty": None} if name == "notional" else {}
    for number in ("1e40", 10**40, "1e999999"):
        status, body = refusal(bench(), **(fields | {name: number}))
        assert (status, body["code"]) == (400, 40010000)


def test_the_gross_quantity_of_a_buy_cannot_be_sold() -> None:
    made = bench()
    made.done(qty="1", limit_price="101")
    assert refusal(made, side="sell", **market(qty="1")) == (
        403,
        {
            "available": "0.9975",
            "balance": "0.9975",
            "code": 40310000,
            "message": "insufficient balance for BTC (requested: 1, available: 0.9975)",
            "symbol": "BTC",
        },
    )


@pytest.mark.parametrize(
    ("fields", "status", "message"),
    [
        ({"qty": "0.09"}, 403, "cost basis must be >= minimal amount of order 10"),
        (market(qty="0.09"), 403, "cost basis must be >= minimal amount of order 10"),
        (CENTS_SHORT, 403, "cost basis must be >= minimal amount of order 10"),
        ({"qty": "2001"}, 403, "cost basis must be <= maximal amount of order 200000"),
        ({"qty": None}, 422, "qty or notional is required"),
        ({"notional": 20}, 422, "only one of qty or notional is accepted"),
        ({"qty": 0}, 422, "qty must be > 0"),
        ({"qty": "-1"}, 422, "qty must be > 0"),
        (TOO_FINE, 422, "notional value must be limited to 2 decimal places"),
        ({"limit_price": None}, 422, "limit orders require a limit price"),
        ({"side": "hold"}, 422, "invalid side"),
        ({"type": "stop", "stop_price": "90"}, 422, "invalid order type for crypto order"),
        ({"time_in_force": "day"}, 422, "invalid crypto time_in_force"),
        ({"time_in_force": "fok"}, 422, "invalid crypto time_in_force"),
        (BRACKET, 403, "crypto orders not allowed for advanced order_class: otoco"),
        ({"symbol": "NOPE/USD"}, 422, 'asset "NOPE/USD" not found'),
        (LONG_ID, 422, "client_order_id must be no more than 128 characters"),
        (TOO_DEAR, 403, "insufficient balance for USD (requested: 148500, available: 100000)"),
    ],
)  # fmt: skip
def test_what_alpaca_refuses_is_refused(fields: dict[str, Any], status: int, message: str) -> None:
    got, body = refusal(bench(), **fields)
    assert (got, body["message"]) == (status, message)


def test_sells_have_no_minimum() -> None:
    made = bench()
    made.done(qty="1", limit_price="101")
    assert made.done(side="sell", **market(qty="0.000000002")).status is Status.FILLED


def test_a_client_order_id_is_unique_for_ever() -> None:
    made = bench()
    order = made.done(client_order_id="mine", limit_price="50")
    made.exchange.cancel(order.id)
    made.wait()
    status, body = refusal(made, client_order_id="mine")
    assert (status, body) == (422, {"code": 40010001, "message": "client_order_id must be unique"})


@pytest.mark.parametrize(
    ("resting", "coming", "reason"),
    [
        ({"side": "buy", "limit_price": "90"}, {"side": "sell", "limit_price": "91"}, None),
        ({"side": "buy", "limit_price": "90"}, {"side": "sell", "limit_price": "90"}, "limit"),
        ({"side": "sell", "limit_price": "110"}, {"side": "buy", "limit_price": "110"}, "limit"),
        ({"side": "sell", "limit_price": "110"}, {"side": "buy", "limit_price": "109"}, None),
        ({"side": "buy", "limit_price": "90"}, market(side="sell"), "limit"),
        ({"side": "sell", "limit_price": "110"}, market(side="buy"), "limit"),
        (market(side="buy"), {"side": "sell", "limit_price": "200"}, "market/stop"),
        ({"side": "buy", "limit_price": "90"}, {"side": "buy", "limit_price": "90"}, None),
    ],
)
def test_orders_that_could_trade_with_each_other_are_refused(
    resting: dict[str, Any], coming: dict[str, Any], reason: str | None
) -> None:
    made = bench()
    made.done(qty="10", limit_price="101")
    made.exchange.hold_all = True
    first = made.done(qty="1", **resting)
    if reason is None:
        made.send(**({"qty": "1"} | coming))
        return
    status, body = refusal(made, **({"qty": "1"} | coming))
    assert (status, body["existing_order_id"]) == (403, first.id)
    assert body["message"] == "potential wash trade detected. use complex orders"
    assert str(body["reject_reason"]).startswith(f"opposite side {reason} order exists")


def test_a_limit_notional_buys_notional_over_limit() -> None:
    made = Bench(minimum_usd_buy=Decimal(1))
    made.quote("68670", "68672.16")
    order = made.done(qty=None, notional="1", limit_price="100000")
    wire = order.to_wire()
    assert (wire["filled_qty"], wire["qty"], wire["notional"]) == ("0.00001", None, "1")
    assert wire["filled_avg_price"] == "68672.16"
    assert made.free("BTC") == Decimal("0.000009975")


def test_a_market_notional_buys_at_a_cushioned_price() -> None:
    made = Bench(minimum_usd_buy=Decimal(1))
    made.quote("68650", "68655.172")
    order = made.done(**market(qty=None, notional="1.27"))
    # recorded: 0.000018187 at 68655.172, so within a thousandth of it
    assert abs(order.filled_qty / Decimal("0.000018187") - 1) < Decimal("0.001")


def test_a_partial_fill_comes_in_two_and_rounds_its_fee_up_twice() -> None:
    made = bench()
    order = made.send(Plan(part=Decimal("0.3")), qty="0.333333333", limit_price="101")
    made.wait()
    made.wait()
    assert made.events() == ["pending_new", "new", "partial_fill", "fill"]
    filled = made.exchange.order(order.id)
    fees = [execution.fee for execution in made.exchange.executions]
    assert filled.status is Status.FILLED
    assert made.free("BTC") == Decimal("0.333333333") - sum(fees)
    assert fees == [Decimal("0.00025"), Decimal("0.000583334")]


def test_one_order_in_ten_fills_in_parts_by_the_seed() -> None:
    def parts(seed: int) -> list[int]:
        made = Bench(seed=seed, partial_fill_chance=0.1)
        made.quote("99", "100")
        for _ in range(200):
            made.done(qty="0.2", limit_price="101")
            made.wait()
        ids = [execution.order.id for execution in made.exchange.executions]
        return [ids.count(order.id) for order in made.exchange.orders.all()]

    assert parts(7) == parts(7)
    assert parts(7) != parts(8)
    assert 8 <= sum(1 for count in parts(7) if count > 1) <= 35


def test_the_rest_of_a_part_may_be_canceled_and_keeps_the_part() -> None:
    made = bench()
    order = made.send(
        Plan(part=Decimal("0.5"), after_part=AfterPart.CANCEL), qty="1", limit_price="101"
    )
    made.wait()
    ended = made.exchange.order(order.id)
    assert (ended.status, ended.filled_qty) == (Status.CANCELED, Decimal("0.5"))
    assert made.exchange.account.ledger.held("USD") == 0


def test_a_fill_can_come_between_the_cancel_request_and_its_end() -> None:
    made = bench()
    order = made.done(qty="1", limit_price="95")
    made.exchange.cancel(order.id)
    made.quote("94", "95")
    made.wait()
    assert made.exchange.order(order.id).status is Status.FILLED
    assert made.events()[-1] == "fill"


def test_a_finished_order_cannot_be_canceled() -> None:
    made = bench()
    order = made.done(qty="1", limit_price="101")
    with pytest.raises(Rejection, match='order is already in "filled" state') as caught:
        made.exchange.cancel(order.id)
    assert (caught.value.status, caught.value.body["code"]) == (422, 42210000)


def test_an_ioc_order_that_finds_nothing_is_canceled() -> None:
    made = bench()
    assert made.done(limit_price="90", time_in_force="ioc").status is Status.CANCELED


def test_a_stop_limit_rests_until_its_stop_is_reached() -> None:
    made = bench()
    made.done(qty="1", limit_price="101")
    order = made.done(side="sell", type="stop_limit", qty="0.5", stop_price="90", limit_price="85")
    assert order.status is Status.NEW
    made.quote("91", "92")
    assert made.exchange.order(order.id).status is Status.NEW
    made.quote("88", "89")
    assert made.exchange.order(order.id).status is Status.FILLED
    assert made.exchange.executions[-1].price == 88


def test_a_replaced_order_gives_its_place_to_a_new_one() -> None:
    made = bench()
    old = made.done(qty="1", limit_price="50")
    draft = read_draft(request(qty="2", limit_price="60"), made.exchange.assets)
    new = made.exchange.replace_order(old.id, draft)
    made.wait()
    gone = made.exchange.order(old.id)
    assert (gone.status, gone.replaced_by, new.terms.replaces) == (
        Status.REPLACED,
        new.id,
        old.id,
    )
    assert made.exchange.account.ledger.held("USD") == 120


def test_a_replacement_that_is_refused_changes_nothing() -> None:
    made = bench()
    old = made.done(qty="1", limit_price="50")
    draft = read_draft(request(qty="2000", limit_price="60"), made.exchange.assets)
    with pytest.raises(Rejection):
        made.exchange.replace_order(old.id, draft)
    assert made.exchange.order(old.id).status is Status.NEW
    assert made.exchange.account.ledger.held("USD") == 50


def test_an_order_expires_when_its_time_has_come() -> None:
    made = bench()
    order = made.done(qty="1", limit_price="50")
    made.wait(91 * 24 * 3600 * 1000)
    assert made.exchange.order(order.id).status is Status.EXPIRED
    assert made.exchange.account.ledger.held("USD") == 0


@pytest.mark.parametrize(
    ("submitted", "expires"),
    [
        ("2024-11-05T19:57:41.980769861Z", "2025-02-03T21:00:00Z"),
        ("2024-11-06T17:42:21.441202163Z", "2025-02-04T21:00:00Z"),
    ],
)
def test_orders_expire_at_the_recorded_times(submitted: str, expires: str) -> None:
    made = Bench()
    moment = parse_rfc3339(submitted)
    assert moment is not None
    made.clock.advance(moment - made.clock.now())
    made.quote("99", "100")
    assert rfc3339(made.send(limit_price="50").terms.expires_at) == expires


def test_edited_increments_bind() -> None:
    made = bench()
    asset = made.exchange.assets.find("BTC/USD")
    assert asset is not None
    made.exchange.assets.put(replace(asset, price_increment=Decimal(1), tradable=True))
    status, body = refusal(made, limit_price="99.5")
    assert (status, body["message"]) == (422, "limit price increment must be > 1")
    made.exchange.assets.put(replace(asset, tradable=False))
    status, body = refusal(made)
    assert (status, body) == (422, {"message": "asset BTC/USD is not active"})


def test_a_pair_against_another_coin_is_paid_in_that_coin() -> None:
    made = bench()
    made.quote("0.03", "0.031", "ETH/BTC")
    made.done(qty="10", limit_price="101")
    made.done(symbol="ETH/BTC", qty="1", limit_price="0.032")
    assert made.free("ETH") == Decimal("0.9975")
    assert made.free("BTC") == Decimal("9.975") - Decimal("0.031")
    # what it cost in dollars: 0.031 BTC at the middle of 99 and 100
    assert made.exchange.account.holding("ETH").average_price == Decimal("3.0845")


def test_the_rest_of_a_market_buy_that_became_too_dear_is_canceled() -> None:
    made = bench(starting_cash=Decimal(105))
    order = made.send(Plan(part=Decimal("0.5")), **market(qty="1"))
    made.wait(10)
    made.quote("199", "200")
    made.wait()
    ended = made.exchange.order(order.id)
    assert (ended.status, ended.filled_qty) == (Status.CANCELED, Decimal("0.5"))
    assert made.free("USD") == 55


def test_a_fee_never_takes_more_than_a_sale_of_dust_brings() -> None:
    made = bench(starting_cash=Decimal(100), minimum_usd_buy=Decimal(0))
    made.done(qty="1", limit_price="100")
    assert made.free("USD") == 0
    made.done(side="sell", **market(qty="0.000000001"))
    assert made.free("USD") == 0
    assert made.exchange.executions[-1].fee == Decimal("0.000000099")
