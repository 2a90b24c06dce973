"""The nouns of the trade as frozen values.  Nothing here decides, and nothing here does.

Money and quantities are Decimal, times are aware UTC, percentages are plain numbers (1.5 = 1.5 %).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

ZERO = Decimal(0)
ONE = Decimal(1)
USD_LIKE = frozenset({"USD", "USDC", "USDT"})
# Fields of an Asset whose column in `dca_assets` has another name; `_pct` at the end is `_percent`
# there in any case.
COLUMNS = {
    "asset_id": "id",
    "symbol": "asset_symbol",
    "safety_order_deviation_pct": "safety_order_deviation",
    "cooldown_seconds": "cooldown_period",
    "restart_deviation_pct": "buy_order_price_deviation_percent",
}


class CycleStatus(StrEnum):
    """`dca_cycles.status`: a cycle is active until it is complete or in error."""

    WATCHING = "watching"
    BUYING = "buying"
    SELLING = "selling"
    COOLDOWN = "cooldown"
    COMPLETE = "complete"
    ERROR = "error"

    @property
    def is_active(self) -> bool:
        return self not in (CycleStatus.COMPLETE, CycleStatus.ERROR)


class Side(StrEnum):
    BUY = "buy"
    SELL = "sell"


class OrderKind(StrEnum):
    """Why an order is placed."""

    BASE = "base"
    SAFETY = "safety"
    EXTRA = "extra"  # bought by hand (`dca buy`), beside the ladder
    ADOPTED = "adopted"  # no order: coins that Alpaca held (`dca adopt`)
    TAKE_PROFIT = "take_profit"
    STOP_LOSS = "stop_loss"
    CLOSE = "close"  # sold by hand (`dca close`, `dca panic`)

    @property
    def side(self) -> Side:
        return Side.SELL if self in SELLS else Side.BUY


SELLS = frozenset({OrderKind.TAKE_PROFIT, OrderKind.STOP_LOSS, OrderKind.CLOSE})
ORDER_NAMES = {
    OrderKind.BASE: "base order",
    OrderKind.SAFETY: "safety order",
    OrderKind.EXTRA: "extra order",
    OrderKind.ADOPTED: "adopted coins",
    OrderKind.TAKE_PROFIT: "take profit",
    OrderKind.STOP_LOSS: "stop loss",
    OrderKind.CLOSE: "sale by hand",
}


class Allowed(StrEnum):
    """`dca_assets.allowed`: how far an asset may go."""

    ALL = "all"
    CYCLE = "cycle"  # the running cycle goes on to its end, and none begins
    EXIT = "exit"  # no BUYs: what is held is only sold


class AfterStopLoss(StrEnum):
    """`dca_assets.after_stop_loss`: what follows a stop loss."""

    PAUSE = "pause"  # the asset is allowed `exit` only, until somebody says otherwise
    COOLDOWN = "cooldown"  # as after a take profit


class OrderStatus(StrEnum):
    """`dca_orders.status`: how far we know an order to have come."""

    INTENDED = "intended"  # written before the request; no answer known yet
    OPEN = "open"  # Alpaca has it
    FILLED = "filled"
    CANCELED = "canceled"  # may hold a partial fill
    EXPIRED = "expired"
    REJECTED = "rejected"
    LOST = "lost"  # asked for by client order id, and Alpaca has never heard of it

    @property
    def is_finished(self) -> bool:
        return self not in (OrderStatus.INTENDED, OrderStatus.OPEN)


@dataclass(frozen=True, slots=True)
class Asset:
    """A row of `dca_assets`: what the user configured, and the price of the last sale.

    The fields with defaults are off by default; `docs/strategy.md` explains each.
    """

    asset_id: int
    symbol: str
    is_enabled: bool
    base_order_amount: Decimal
    safety_order_amount: Decimal
    max_safety_orders: int
    safety_order_deviation_pct: Decimal
    take_profit_pct: Decimal
    cooldown_seconds: int
    restart_deviation_pct: Decimal  # column buy_order_price_deviation_percent
    last_sell_price: Decimal | None
    safety_order_volume_scale: Decimal = ONE
    safety_order_step_scale: Decimal = ONE
    take_profit_after_fees: bool = False
    trailing_pct: Decimal | None = None
    stop_loss_pct: Decimal | None = None
    stop_loss_seconds: int = 0
    after_stop_loss: AfterStopLoss = AfterStopLoss.PAUSE
    max_spread_pct: Decimal | None = None
    min_start_price: Decimal | None = None
    max_start_price: Decimal | None = None
    allowed: Allowed = Allowed.ALL
    allowed_before: Allowed | None = None  # before all were paused; None: set for this one alone

    @property
    def coin(self) -> str:
        """What is bought: Alpaca keeps one position per coin, whatever it was paid with."""
        return self.symbol.partition("/")[0]

    @property
    def quote_currency(self) -> str:
        return self.symbol.rpartition("/")[2]


def column_of(name: str) -> str:
    """The column of `dca_assets` that a field of Asset holds."""
    whole = f"{name.removesuffix('_pct')}_percent" if name.endswith("_pct") else name
    return COLUMNS.get(name, whole)


@dataclass(frozen=True, slots=True)
class Cycle:
    """A row of `dca_cycles`.  `latest_order_id` is Alpaca's id of the order under way, or None.

    `fee_rate` is the most that its BUYs were charged (0.0025 = 0.25 %), where Alpaca reported it
    and `take_profit_after_fees` asks for it.  Since its last BUY: `highest_bid` at or above the
    target of a trailing take profit, and `stop_loss_since` when the bid has been at or below the
    stop loss without a break.
    """

    cycle_id: int
    asset_id: int
    status: CycleStatus
    quantity: Decimal = ZERO
    average_purchase_price: Decimal = ZERO
    safety_orders: int = 0
    latest_order_id: str | None = None
    last_order_fill_price: Decimal | None = None
    completed_at: datetime | None = None
    created_at: datetime | None = None
    fee_rate: Decimal | None = None
    highest_bid: Decimal | None = None
    stop_loss_since: datetime | None = None


def new_cycle(asset_id: int, status: CycleStatus = CycleStatus.WATCHING) -> Cycle:
    """A cycle that holds nothing; the store gives it its number."""
    return Cycle(0, asset_id, status)


@dataclass(frozen=True, slots=True)
class AssetState:
    """An asset with its active cycle, if it has one.

    `problem` says why a hand-edited row can't be read (an unknown status, say; `cycle` is None
    then), or that the cycle's coins are `bought_as` another symbol than the row has now.
    """

    asset: Asset
    cycle: Cycle | None
    problem: str = ""
    bought_as: str = ""


@dataclass(frozen=True, slots=True)
class Quote:
    """Best bid and ask of one symbol; `at` is the exchange's time."""

    symbol: str
    bid: Decimal
    ask: Decimal
    at: datetime


@dataclass(frozen=True, slots=True)
class AssetRules:
    """What Alpaca says of an asset (GET /v2/assets): read there, never hard-coded."""

    symbol: str
    tradable: bool
    min_trade_increment: Decimal
    price_increment: Decimal


@dataclass(frozen=True, slots=True)
class Holding:
    """A position at Alpaca; `available` is what no open order of ours or another's holds back."""

    coin: str
    quantity: Decimal
    available: Decimal
    average_entry_price: Decimal


@dataclass(frozen=True, slots=True)
class Order:
    """A row of `dca_orders`: one order that we ever meant to send, and how much of it is booked.

    `filled_quantity` is gross and cumulative, as Alpaca tells it; `received_quantity` is the net
    coin that a BUY has put into the cycle.  `quantity_before` and `average_before` are the cycle's
    columns when the first fill was booked, so that every later fill is computed from the same
    ground, and the order in which updates arrive cannot matter.
    """

    client_order_id: str
    asset_id: int
    cycle_id: int
    kind: OrderKind
    rung: int  # which safety order of the cycle; 0 for the others
    quantity: Decimal
    limit_price: Decimal | None  # None: a market order
    status: OrderStatus
    created_at: datetime
    alpaca_order_id: str | None = None
    filled_quantity: Decimal = ZERO
    filled_average_price: Decimal | None = None
    received_quantity: Decimal = ZERO
    quantity_before: Decimal | None = None
    average_before: Decimal | None = None
    fee: Decimal | None = None  # of a SELL's fills; None: no fill yet, or not known
    fee_is_known: bool = False  # by Alpaca's own records; an estimate until then

    @property
    def side(self) -> Side:
        return self.kind.side


@dataclass(frozen=True, slots=True)
class OrderUpdate:
    """What Alpaca says of an order, from the stream or from REST alike.

    Fills are cumulative.  `position_quantity` is the whole position after the fill, net of fees,
    where Alpaca reported it (docs/alpaca.md 1.5).  `reason` is Alpaca's text for a refusal, for the
    log; `replaced_by` Alpaca's id of the order that a hand has put in this one's place.
    """

    client_order_id: str
    alpaca_order_id: str | None
    symbol: str
    side: Side
    status: OrderStatus
    filled_quantity: Decimal = ZERO
    filled_average_price: Decimal | None = None
    position_quantity: Decimal | None = None
    created_at: datetime | None = None
    ended_at: datetime | None = None  # by Alpaca's clock; None: it works still, or nobody knows
    reason: str = ""
    replaced_by: str | None = None


@dataclass(frozen=True, slots=True)
class Exposure:
    """What all assets together are in: cycles that hold coins or wait for an order, the money in
    them and in resting BUYs, and what the cycles finished since some moment came to."""

    active_cycles: int
    invested: Decimal
    realised: Decimal


@dataclass(frozen=True, slots=True)
class Account:
    """GET /v2/account, as far as the bot needs it; `cash_available` is what BUYs may use."""

    cash_available: Decimal  # non_marginable_buying_power: crypto knows no margin
    problem: str = ""  # why trading is blocked; empty: it is not
