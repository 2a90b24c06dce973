"""The rules of filling: when, at what price, at what fee."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alpaca_simulator.exchange.ledger import Place
from alpaca_simulator.exchange.matching import Match, fee, match, part_of
from alpaca_simulator.exchange.orders import Liquidity, Order
from alpaca_simulator.prices.quotes import Quote
from tests.builders import CHECKED
from tests.simulator.sim_builders import Bench, market

prices = st.decimals(min_value="0.000001", max_value="100000", places=6)
sizes = st.decimals(min_value="0.000000001", max_value="1000000", places=9)
ONE = Decimal(1)


def order_for(**fields: object) -> Order:
    """An order as it is before it meets the market, from an exchange with deep pockets."""
    bench = Bench(
        starting_cash=Decimal(10**18), minimum_usd_buy=Decimal(0), maximum_notional=Decimal(10**18)
    )
    bench.quote("1", "1")
    bench.exchange.account.ledger.move("BTC", Decimal(10**9), Place.OUTSIDE, Place.FREE)
    return bench.send(**fields)


def quote(bid: Decimal, ask: Decimal) -> Quote:
    return Quote("BTC/USD", bid, ask, ONE, ONE, 0, 0)


@pytest.mark.parametrize(
    ("filled", "basis_points", "left"),
    [
        ("0.000018187", 25, "0.000018141"),
        ("0.00001", 25, "0.000009975"),
        ("0.0001", 25, "0.00009975"),
        ("0.008694422", 25, "0.008672685"),
        ("23.326114883", 22, "23.27479743"),
    ],
)
def test_the_coin_fee_of_five_recorded_fills_is_met_exactly(
    filled: str, basis_points: int, left: str
) -> None:
    order = order_for(qty=filled)
    currency, amount = fee(order, Decimal(filled), ONE, Decimal(basis_points) / 10_000)
    assert currency == "BTC"
    assert Decimal(filled) - amount == Decimal(left)


def test_the_dollar_fee_is_rounded_up_to_the_cent() -> None:
    order = order_for(side="sell", **market(qty="0.001"))
    assert fee(order, Decimal("0.001"), Decimal(70_000), Decimal("0.0025")) == (
        "USD",
        Decimal("0.18"),  # 0.175
    )


def test_a_limit_buy_at_100000_fills_at_the_ask_below() -> None:
    order = order_for(qty="0.00001", limit_price="100000")
    found = match(order, quote(Decimal(68_670), Decimal("68672.16")))
    assert found == Match(Decimal("68672.16"), Liquidity.TAKER)


@CHECKED
@given(prices, prices, prices, st.sampled_from(["buy", "sell"]))
def test_no_limit_order_fills_at_a_price_worse_than_its_limit(
    limit: Decimal, bid: Decimal, ask: Decimal, side: str
) -> None:
    order = order_for(side=side, limit_price=str(limit))
    found = match(order, quote(bid, ask))
    reached = ask <= limit if side == "buy" else bid >= limit
    assert (found is not None) == reached
    if found is not None:
        assert found.price == (ask if side == "buy" else bid)
        assert found.price <= limit if side == "buy" else found.price >= limit


@CHECKED
@given(sizes, prices, st.sampled_from(["0.0015", "0.0025"]), st.sampled_from(["buy", "sell"]))
def test_a_fee_is_never_less_than_its_rate_nor_more_than_what_is_credited(
    qty: Decimal, price: Decimal, rate: str, side: str
) -> None:
    order = order_for(side=side, qty=str(qty), limit_price=str(price))
    _, amount = fee(order, qty, price, Decimal(rate))
    credited = qty if side == "buy" else qty * price
    assert min(credited, credited * Decimal(rate)) <= amount <= credited


@CHECKED
@given(sizes, st.decimals(min_value="0.01", max_value="0.99", places=2))
def test_a_part_is_never_nothing(qty: Decimal, fraction: Decimal) -> None:
    order = order_for(qty=str(qty))
    part = part_of(order, fraction)
    assert 0 < part <= qty
    assert part % order.terms.asset.min_trade_increment == 0
