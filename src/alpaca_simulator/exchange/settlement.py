"""Moving money and coins for an execution, and for transfers from outside."""

from collections.abc import Callable
from decimal import Decimal

from alpaca_simulator.exchange.account import CASH, Account
from alpaca_simulator.exchange.ledger import Place
from alpaca_simulator.exchange.orders import Order, Side

UsdPrice = Callable[[str], Decimal]


def settle(
    account: Account,
    order: Order,
    qty: Decimal,
    price: Decimal,
    *,
    fee: Decimal,
    at: int,
    usd_price: UsdPrice,
) -> Decimal:
    """Given an execution, moves both sides and the fee; returns what it took from the hold."""
    asset, ledger = order.terms.asset, account.ledger
    cost = qty * price
    if order.terms.side is Side.SELL:
        ledger.move(asset.base, qty, Place.HELD, Place.MARKET)
        account.sold(asset.base, qty, at)
        ledger.move(asset.quote, cost, Place.MARKET, Place.FREE)
        ledger.move(asset.quote, fee, Place.FREE, Place.FEES)
        _receive(account, asset.quote, cost - fee, usd_price(asset.quote), at)
        return qty
    from_hold = min(cost, order.held)
    ledger.move(asset.quote, from_hold, Place.HELD, Place.MARKET)
    ledger.move(asset.quote, cost - from_hold, Place.FREE, Place.MARKET)
    if asset.quote != CASH:
        account.sold(asset.quote, cost, at)
    ledger.move(asset.base, qty, Place.MARKET, Place.FREE)
    ledger.move(asset.base, fee, Place.FREE, Place.FEES)
    _receive(account, asset.base, qty - fee, price * usd_price(asset.quote), at)
    return from_hold


def transfer(account: Account, currency: str, amount: Decimal, *, price: Decimal, at: int) -> None:
    """Given an amount, deposits it, or withdraws it when negative; raises OverdrawnError."""
    if amount >= 0:
        account.ledger.move(currency, amount, Place.OUTSIDE, Place.FREE)
        _receive(account, currency, amount, price, at)
        return
    account.ledger.move(currency, -amount, Place.FREE, Place.OUTSIDE)
    if currency != CASH:
        account.sold(currency, -amount, at)


def _receive(account: Account, currency: str, qty: Decimal, price: Decimal, at: int) -> None:
    if currency != CASH and qty > 0:
        account.bought(currency, qty, price, at)
