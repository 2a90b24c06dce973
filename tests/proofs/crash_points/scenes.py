"""The situations of a cycle's life, each a scene of its own: how it comes about, and how it ends.

Rule: `prepare` is played in calm weather; the mishap strikes while `act` is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from alpaca_simulator.exchange.orders import Side
from alpaca_simulator.exchange.plans import AfterPart
from dca_bot.core.model import CycleStatus

from .keyboard import Keyboard
from .stage import COIN, SYMBOL, Stage

PART = Decimal("0.4")


@dataclass(frozen=True, slots=True)
class Scene:
    name: str
    prepare: Callable[[Stage], None]
    act: Callable[[Stage], None]


def nothing(stage: Stage) -> None:
    """A bot that was just started on an empty table of cycles."""


def base_order(stage: Stage) -> None:
    stage.until(stage.is_watching, "the base order is filled")


def base_order_in_parts(stage: Stage) -> None:
    stage.fate(part=PART)
    base_order(stage)


def base_order_rejected(stage: Stage) -> None:
    stage.fate(reject="rejected")
    base_order(stage)


def safety_order(stage: Stage) -> None:
    stage.price(98)
    stage.until(lambda: stage.is_watching(safety_orders=1), "the first safety order is filled")


def safety_order_canceled(stage: Stage) -> None:
    """It fills in part, rests, and order_manager.py cancels it once it is stale."""
    stage.fate(part=PART, after_part=AfterPart.REST)
    safety_order(stage)


def safety_order_expires(stage: Stage) -> None:
    stage.fate(part=PART, after_part=AfterPart.REST)
    until_under_way(stage)
    stage.world.run(20)
    stage.world.venue.expire_one()
    stage.until(lambda: stage.is_watching(safety_orders=1), "what it bought is kept")


def last_safety_order(stage: Stage) -> None:
    stage.price(96)
    stage.until(lambda: stage.is_watching(safety_orders=2), "the second safety order is filled")


def take_profit(stage: Stage) -> None:
    stage.price(104)
    stage.until(lambda: stage.is_complete, "everything is sold")


def take_profit_stuck(stage: Stage) -> None:
    """It fills in part and rests; order_manager.py cancels it, and the rest is sold."""
    stage.fate(part=PART, after_part=AfterPart.REST)
    take_profit(stage)


def take_profit_canceled_by_the_exchange(stage: Stage) -> None:
    stage.fate(part=PART, after_part=AfterPart.CANCEL)
    take_profit(stage)


def take_profit_while_a_buy_rests(stage: Stage) -> None:
    """The BUY is cancelled, and then everything is sold."""
    stage.fate(part=PART, after_part=AfterPart.REST)
    until_under_way(stage)
    take_profit(stage)


def symbol_halted(stage: Stage) -> None:
    """What is due while Alpaca doesn't trade the symbol is done once it does again."""
    stage.world.venue.change_asset(SYMBOL, tradable=False)
    stage.price(98)
    stage.world.run(20)
    stage.world.venue.change_asset(SYMBOL, tradable=True)
    safety_order(stage)


def coins_deposited(stage: Stage) -> None:
    """More than the ladder could have bought: they stay when the cycle's own are sold."""
    deposit = Decimal(5)
    stage.touch_cycle()
    stage.world.venue.transfer(COIN, deposit, price=Decimal(100))
    stage.world.run(60)
    stage.price(104)
    stage.until(lambda: stage.cycle_is_new and stage.held >= deposit, "its own coins are sold")
    stage.trade_by_hand(Side.SELL, stage.held)
    stage.until(lambda: stage.is_complete, "the others were sold by hand")


def restart_by_price(stage: Stage) -> None:
    stage.price(99)
    stage.until(stage.is_watching, "the next cycle has bought")


def restart_after_the_cooldown(stage: Stage) -> None:
    stage.until(stage.is_watching, "the cooldown is over and the next cycle has bought")


def position_sold_by_hand(stage: Stage) -> None:
    """consistency_checker.py gives the cycle up and begins another, which buys."""
    before = stage.cycle
    stage.trade_by_hand(Side.SELL, stage.held)
    stage.until(
        lambda: stage.is_watching() and stage.cycle is not None and stage.cycle != before,
        "a new cycle has bought",
    )


def position_bought_by_hand(stage: Stage) -> None:
    """consistency_checker.py brings the cycle to what the position says."""
    stage.trade_by_hand(Side.BUY, Decimal("0.15"))
    stage.until(lambda: stage.cycle_holds_the_position, "the correction is in the books")


def order_row_forgotten(stage: Stage) -> None:
    """A cycle that waits for an order that nobody knows is let go."""
    stage.edit_cycle(status=CycleStatus.SELLING, latest_order_id=UNKNOWN_ORDER)
    stage.until(stage.is_watching, "the cycle watches again")


def order_by_hand_followed(stage: Stage) -> None:
    """A cycle that a user points at an order of his own takes what it bought."""
    stage.world.venue.order_by_hand(SYMBOL, Decimal("0.2"), Decimal(101))
    order = stage.world.venue.exchange.orders.all()[-1]
    stage.touch_cycle()  # it will hold what an order of somebody else's bought
    stage.edit_cycle(status=CycleStatus.BUYING, latest_order_id=order.id)
    stage.until(
        lambda: stage.is_watching(safety_orders=1) and stage.cycle_holds_the_position,
        "what the order bought is the cycle's",
    )


def orphan(stage: Stage) -> None:
    """An order that no cycle tracks is cancelled by order_manager.py."""
    stage.world.venue.order_by_hand(SYMBOL, Decimal("0.4"), Decimal(50))
    orders = stage.world.venue.exchange.orders
    stage.until(lambda: not orders.all_open(), "the orphan is cancelled")


def restart_of_the_bot(stage: Stage) -> None:
    """An order is under way when the bot is killed; it fills while nobody listens."""
    stage.world.venue.exchange.hold_all = True
    until_under_way(stage)
    if stage.world.bot is not None:
        stage.world.bot.process.end()
    stage.world.venue.exchange.hold_all = False
    stage.world.venue.exchange.release()
    stage.until(lambda: stage.is_watching(safety_orders=1), "the fill is in the books")


def until_under_way(stage: Stage) -> None:
    """A safety order is, or was, if the mishap has ended it at once."""
    stage.price(98)
    orders = stage.world.venue.exchange.orders
    count = len(orders.all())
    stage.until(lambda: len(orders.all()) > count, "the safety order is under way")


def closed_by(*verbs: str) -> Callable[[Stage], None]:
    """What the cycle holds is sold by these verbs, called at once; the asset is paused then."""

    def play(stage: Stage) -> None:
        keyboard = Keyboard(stage.world, *verbs)
        stage.until(lambda: keyboard.is_done, f"{verbs} are done")
        stage.until(lambda: stage.is_complete, "everything is sold")
        stage.price(50)
        stage.world.run(60)
        if not stage.is_paused or not stage.is_complete:
            stage.world.complain(f"paused and sold out no more: {stage.world.store.assets()}")

    return play


def closed_while_a_buy_rests(stage: Stage) -> None:
    """It has filled in part; the part is sold too."""
    stage.fate(part=PART, after_part=AfterPart.REST)
    until_under_way(stage)
    closed_by("close")(stage)


def closed_while_it_sells(stage: Stage) -> None:
    """The take profit is at the exchange, and fills while the verb looks at it."""
    exchange = stage.world.venue.exchange
    exchange.hold_all = True
    stage.price(104)
    orders = len(exchange.orders.all())
    stage.until(lambda: len(exchange.orders.all()) > orders, "the take profit is under way")
    keyboard = Keyboard(stage.world, "close")
    stage.world.run(1)
    exchange.hold_all = False
    exchange.release()
    stage.until(lambda: keyboard.is_done and stage.is_complete, "everything is sold once")


def closed_beside_coins_of_the_user(stage: Stage) -> None:
    deposit = Decimal(5)
    stage.touch_cycle()
    stage.world.venue.transfer(COIN, deposit, price=Decimal(100))
    keyboard = Keyboard(stage.world, "close")
    stage.until(lambda: keyboard.is_done and stage.cycle_is_new, "the cycle's own are sold")
    if stage.held < deposit:
        stage.world.complain(f"{deposit} were the user's, {stage.held} are left")
    stage.trade_by_hand(Side.SELL, stage.held)


def panic_during_an_outage(stage: Stage) -> None:
    """Nothing is bought meanwhile, however far the price falls; then everything is sold."""
    stage.world.venue.is_away = True
    keyboard = Keyboard(stage.world, "panic")
    stage.until(lambda: keyboard.is_done or stage.is_paused, "it is paused without Alpaca")
    stage.price(50)
    stage.world.run(120)
    stage.world.venue.is_away = False
    stage.until(lambda: keyboard.is_done and stage.is_complete, "everything is sold")


UNKNOWN_ORDER = "00000000-0000-4000-8000-000000000000"


def both(*parts: Callable[[Stage], None]) -> Callable[[Stage], None]:
    def play(stage: Stage) -> None:
        for part in parts:
            part(stage)

    return play


HOLDING = base_order
SOLD = both(base_order, take_profit)

SCENES = (
    Scene("start and base order", nothing, base_order),
    Scene("base order filled in parts", nothing, base_order_in_parts),
    Scene("base order rejected", nothing, base_order_rejected),
    Scene("safety order", HOLDING, safety_order),
    Scene("safety order stale after a part", HOLDING, safety_order_canceled),
    Scene("safety order expires after a part", HOLDING, safety_order_expires),
    Scene("last safety order", both(base_order, safety_order), last_safety_order),
    Scene("take profit", HOLDING, take_profit),
    Scene("take profit stuck after a part", HOLDING, take_profit_stuck),
    Scene("take profit canceled after a part", HOLDING, take_profit_canceled_by_the_exchange),
    Scene("take profit while a BUY rests", HOLDING, take_profit_while_a_buy_rests),
    Scene("symbol halted", HOLDING, symbol_halted),
    Scene("coins deposited", HOLDING, coins_deposited),
    Scene("restart by price", SOLD, restart_by_price),
    Scene("restart after the cooldown", SOLD, restart_after_the_cooldown),
    Scene("position sold by hand", HOLDING, position_sold_by_hand),
    Scene("position bought by hand", HOLDING, position_bought_by_hand),
    Scene("order unknown to everybody", HOLDING, order_row_forgotten),
    Scene("order by hand followed", HOLDING, order_by_hand_followed),
    Scene("orphan", HOLDING, orphan),
    Scene("restart of the bot", HOLDING, restart_of_the_bot),
    Scene("closed by hand", HOLDING, closed_by("close")),
    Scene("closed while a BUY rests", HOLDING, closed_while_a_buy_rests),
    Scene("closed while it sells", HOLDING, closed_while_it_sells),
    Scene("closed beside coins of the user", HOLDING, closed_beside_coins_of_the_user),
    Scene("panic", HOLDING, closed_by("panic")),
    Scene("panic during an outage", HOLDING, panic_during_an_outage),
    Scene("two commands at once", HOLDING, closed_by("panic", "close")),
)
