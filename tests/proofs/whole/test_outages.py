"""What goes away comes back, and the bot goes on by itself."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from dca_bot.program.settings import DatabaseSettings
from dca_sandbox.private_mariadb import PrivateMariaDb
from tests.helpers import Simulator, eventually
from tests.proofs.whole.busy import (
    LIVELY,
    SYMBOLS,
    Bot,
    add_assets,
    agree_and_end,
    more_orders_than,
    settle,
    trade_on,
)
from tests.tally import struck

pytestmark = pytest.mark.proof


@pytest.fixture(scope="module")
def database_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateMariaDb]:
    """A server that keeps what was committed when its power is cut, as a user's does."""
    with PrivateMariaDb(tmp_path_factory.mktemp("durable") / "mariadb") as server:
        yield server


@pytest.mark.parametrize("simulator", [LIVELY], indirect=True)
def test_trading_goes_on_after_the_database_was_away(
    simulator: Simulator, database: DatabaseSettings, database_server: PrivateMariaDb, bot: Bot
) -> None:
    add_assets(database)
    bot.start()
    eventually(more_orders_than(simulator, 3), timeout=30)
    for _ in range(3):
        database_server.halt()
        eventually(lambda: misses_the_database(bot), timeout=60)
        database_server.resume()
        eventually(lambda: not misses_the_database(bot), timeout=60)
        struck("database halted and started again")
        trade_on(simulator)
    agree_and_end(database, simulator, bot)


@pytest.mark.parametrize("simulator", [(*LIVELY, "--early-fills", "0")], indirect=True)
def test_fills_reported_while_the_trade_stream_was_starved_are_booked_within_a_minute(
    simulator: Simulator, database: DatabaseSettings, bot: Bot
) -> None:
    add_assets(database)
    simulator.post("/sim/faults", {"name": "lose_update"})
    bot.start()
    # More than one for each asset: the fill of the last is not one that the round after the
    # connect has booked.
    eventually(more_orders_than(simulator, len(SYMBOLS)), timeout=60)
    simulator.post("/sim/walk", {"on": False})
    settle(database, simulator, timeout=60)
    struck("every update lost", simulator.get("/sim/faults")["on"][0]["hits"])
    assert bot.end() == 0


def misses_the_database(bot: Bot) -> bool:
    """By what it said last: on a slow machine it may have missed it for a moment before."""
    said = bot.output
    away = said.rfind("no orders until the database is back")
    return away > said.rfind("INFO main_app the database is back")
