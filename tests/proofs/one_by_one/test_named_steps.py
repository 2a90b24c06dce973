"""SIGKILL at each named step of a life: what was under way is held until the process is dead.

One database and one exchange live through all of them, kill after kill, with a new process each
time; at the end each order of the cycle was filled once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from dca_bot.program.settings import DatabaseSettings
from tests.helpers import Simulator, apply_sql, eventually
from tests.proofs.one_by_one.one_cycle import ASSET, QUIET, STEPS, SYMBOL
from tests.proofs.whole.auditor import always, read_books, rows
from tests.proofs.whole.busy import Bot, settle
from tests.proofs.whole.database_proxy import DatabaseProxy, Following, Hold, Nth, Plan, like
from tests.tally import struck

pytestmark = pytest.mark.proof

POST = {"method": "POST", "path": "/v2/orders"}
FILLED = like("UPDATE dca_orders SET status = 'filled'")
COMMIT = like("COMMIT$")


def intent_of(kind: str) -> Callable[[str], bool]:
    return like(rf"INSERT INTO dca_orders .* VALUES .*, '{kind}', ")  # noqa: S608


def first(condition: Callable[[str], bool], *, is_done: bool = False) -> Plan:
    return Nth(1, Hold(is_done), condition)


# name -> what is held: a plan for the database or a fault of the exchange
Step = tuple[str, Plan | str]


def steps_of(kind: str) -> Iterator[Step]:
    """Every step of an order, in the order in which a bot that is killed at each meets them."""
    intended = intent_of(kind)
    yield "the intent is not yet written", first(intended)
    yield "the intent is written, which nobody heard", first(intended, is_done=True)
    yield "the order was sent, and not taken", "hang"
    yield "the order was taken, which nobody heard", "hang_after_accepting"
    yield "the fill is not yet written", first(FILLED)
    if kind == "take_profit":
        yield "the next cycle is not yet written", first(like("INSERT INTO dca_cycles"))
    yield "the fill is not yet committed", Following(FILLED, first(COMMIT))
    yield (
        "the fill is committed, which nobody heard",
        Following(FILLED, first(COMMIT, is_done=True)),
    )


class Scene:
    def __init__(
        self, simulator: Simulator, database: DatabaseSettings, proxy: DatabaseProxy, bot: Bot
    ) -> None:
        self.simulator, self.database, self.proxy, self.bot = simulator, database, proxy, bot

    def kill_at(self, price: str, step: Step) -> None:
        """Start a bot, hold it at this step, and kill it there."""
        name, held = step
        self.proxy.is_holding.clear()
        if isinstance(held, str):
            fault = {"name": held, "params": POST, "count": 1}
            self.simulator.post("/sim/faults", fault)
            # the bot hears of the fill in another way, and does not get round to writing it
            self.proxy.plan = first(FILLED)
        else:
            self.proxy.plan = held
        self.bot.start()
        eventually(lambda: self._is_reached(price, held), timeout=40)
        self.bot.kill()
        self.proxy.plan = None
        assert always(read_books(self.database, self.simulator)) == [], name
        # A minute goes by until the next start: what was never sent is given up then.
        apply_sql(
            self.database,
            b"UPDATE dca_orders SET created_at = created_at - INTERVAL 1 MINUTE"
            b" WHERE live_asset_id IS NOT NULL",
        )

    def _is_reached(self, price: str, held: Plan | str) -> bool:
        self.quote(price)
        if isinstance(held, str):
            return all(fault["left"] == 0 for fault in self._faults(held))
        return self.proxy.is_holding.is_set()

    def _faults(self, name: str) -> list[Any]:
        return [fault for fault in self.simulator.get("/sim/faults")["on"] if fault["name"] == name]

    def quote(self, price: str) -> None:
        self.simulator.post("/sim/quote", {"symbol": SYMBOL, "bid": price, "ask": price})

    def filled(self) -> list[str]:
        found = rows(
            self.database, "SELECT kind FROM dca_orders WHERE filled_quantity > 0 ORDER BY id"
        )
        return [row["kind"] for row in found]


@pytest.fixture
def proxy(database: DatabaseSettings, bot_env: dict[str, str]) -> Iterator[DatabaseProxy]:
    """The bot reaches its database through it."""
    proxy = DatabaseProxy(database)
    bot_env["DB_PORT"] = str(proxy.settings.port)
    yield proxy
    proxy.close()


@pytest.mark.parametrize("simulator", [QUIET], indirect=True)
def test_a_kill_at_each_step_of_a_cycle_loses_and_doubles_nothing(
    simulator: Simulator, database: DatabaseSettings, proxy: DatabaseProxy, bot: Bot
) -> None:
    scene = Scene(simulator, database, proxy, bot)
    apply_sql(database, ASSET.encode())
    for price, kind in STEPS:
        for step in steps_of(kind):
            scene.kill_at(price, step)
            struck("SIGKILL at a step", step=step[0], order=kind)
    bot.start()
    eventually(lambda: bot.is_trading, timeout=30)
    settle(database, simulator)
    assert scene.filled() == [kind for _, kind in STEPS]
    assert bot.end() == 0
