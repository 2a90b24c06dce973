"""The account: its money and coins, what they cost on average, and how Alpaca writes them."""

from collections import defaultdict
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any

from alpaca_simulator.clock import new_york, rfc3339_micros
from alpaca_simulator.decimals import AVERAGE_PLACES, ZERO, wire
from alpaca_simulator.exchange.assets import Asset
from alpaca_simulator.exchange.ledger import Ledger

CASH = "USD"
HOLDINGS_KEPT = 500  # of each coin: how far back lagging positions can look


@dataclass(frozen=True, slots=True)
class Configuration:
    """The settings of a fresh account; only `suspend_trade` has an effect here."""

    dtbp_check: str = "entry"
    fractional_trading: bool = True
    max_margin_multiplier: str = "4"
    max_options_trading_level: int = 3
    no_shorting: bool = False
    pdt_check: str = "entry"
    ptp_no_exception_entry: bool = False
    suspend_trade: bool = False
    trade_confirm_email: str = "all"
    disable_overnight_trading: bool = False

    def to_wire(self) -> dict[str, object]:
        """Writes the settings."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Holding:
    """How much of a coin there was from `since` on, and at what average price in USD."""

    since: int
    qty: Decimal
    average_price: Decimal


NOTHING = Holding(0, ZERO, ZERO)
AS_OPENED = Configuration()


class Account:
    """The ledger, with a history of every coin's holding."""

    def __init__(self, created_at: int, cash: Decimal) -> None:
        self.created_at = created_at
        self.start_cash = cash
        self.ledger = Ledger()
        self._holdings: defaultdict[str, list[Holding]] = defaultdict(lambda: [NOTHING])

    def holding(self, coin: str, at: int | None = None) -> Holding:
        """Given a coin, returns the holding now, or at an earlier time."""
        history = self._holdings[coin]
        if at is None:
            return history[-1]
        return next((holding for holding in reversed(history) if holding.since <= at), NOTHING)

    def coins(self, at: int | None = None) -> list[str]:
        """The coins of which something is, or was, held."""
        return [coin for coin in list(self._holdings) if self.holding(coin, at).qty > 0]

    def bought(self, coin: str, qty: Decimal, price: Decimal, at: int) -> None:
        """Notes that a coin was received, net of its fee, at a price in USD."""
        # The fee does not touch the average: 23.27479743 left of 23.326114883, both at 1.363
        # (docs/alpaca.md 1.5).
        before = self._holdings[coin][-1]
        total = before.qty + qty
        cost = before.qty * before.average_price + qty * price
        average = (cost / total).quantize(AVERAGE_PLACES) if total else ZERO
        self._note(coin, Holding(at, total, average))

    def sold(self, coin: str, qty: Decimal, at: int) -> None:
        """Notes that a coin was given away; the average price of the rest stays."""
        before = self._holdings[coin][-1]
        left = before.qty - qty
        self._note(coin, Holding(at, left, before.average_price if left else ZERO))

    def _note(self, coin: str, holding: Holding) -> None:
        history = self._holdings[coin]
        history.append(holding)
        if len(history) > HOLDINGS_KEPT * 2:
            del history[:-HOLDINGS_KEPT]

    def account_wire(
        self,
        account_id: str,
        configuration: Configuration = AS_OPENED,
        *,
        market_value: Decimal,
        multiplier: int,
        now: int,
    ) -> dict[str, Any]:
        """Writes GET /v2/account as recorded/account_paper_2026-07.json has it."""
        cash = self.ledger.owned(CASH)
        free = self.ledger.free(CASH)  # net of resting buys (docs/alpaca.md 1.6)
        equity = cash + market_value
        return {
            "account_blocked": False,
            "account_number": "PA0000000000",
            "accrued_fees": "0",
            "admin_configurations": {},
            "balance_asof": new_york(now).date().isoformat(),
            "buying_power": wire(free * multiplier),
            "cash": wire(cash),
            "created_at": rfc3339_micros(self.created_at),
            "crypto_status": "ACTIVE",
            "crypto_tier": 1,
            "currency": CASH,
            "effective_buying_power": wire(free * multiplier),
            "equity": wire(equity),
            "id": account_id,
            "initial_margin": "0",
            "intraday_adjustments": "0",
            "last_equity": wire(self.start_cash),
            "last_maintenance_margin": "0",
            "long_market_value": wire(market_value),
            "maintenance_margin": "0",
            "multiplier": str(multiplier),
            "non_marginable_buying_power": wire(free),
            "options_approved_level": 3,
            "options_buying_power": wire(free),
            "options_trading_level": 3,
            "pending_reg_taf_fees": "0",
            "portfolio_value": wire(equity),
            "position_market_value": wire(market_value),
            "regt_buying_power": wire(free * 2),
            "short_market_value": "0",
            "shorting_enabled": True,
            "sma": "0",
            "status": "ACTIVE",
            "trade_suspended_by_user": configuration.suspend_trade,
            "trading_blocked": False,
            "transfers_blocked": False,
            "user_configurations": None,
        }


def position_wire(
    asset: Asset, holding: Holding, *, free: Decimal, price: Decimal, lastday: Decimal
) -> dict[str, Any]:
    """Writes a position as recorded/position_crypto_docs_2022.json has it."""
    cost = holding.qty * holding.average_price
    value = holding.qty * price
    gain = value - cost
    today = holding.qty * (price - lastday)
    return {
        "asset_id": asset.id,
        "symbol": asset.compact,
        "exchange": "CRYPTO",
        "asset_class": "crypto",
        "asset_marginable": False,
        "qty": wire(holding.qty),
        "qty_available": wire(free),
        "avg_entry_price": wire(holding.average_price),
        "side": "long",
        "market_value": wire(value),
        "cost_basis": wire(cost),
        "unrealized_pl": wire(gain),
        "unrealized_plpc": wire(_ratio(gain, cost)),
        "unrealized_intraday_pl": wire(today),
        "unrealized_intraday_plpc": wire(_ratio(today, holding.qty * lastday)),
        "current_price": wire(price),
        "lastday_price": wire(lastday),
        "change_today": wire(_ratio(price - lastday, lastday)),
    }


def _ratio(part: Decimal, whole: Decimal) -> Decimal:
    return (part / whole).quantize(AVERAGE_PLACES) if whole else ZERO
