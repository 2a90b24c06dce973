"""The network goes dark, or Alpaca refuses for a while: nothing is lost, and trading goes on."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest

from dca_bot.program.settings import DatabaseSettings
from tests.helpers import Simulator, eventually
from tests.proofs.whole.busy import (
    LIVELY,
    Bot,
    add_assets,
    agree_and_end,
    more_orders_than,
    trade_on,
    watch_for,
)
from tests.proofs.whole.dark_wire import DarkWire
from tests.tally import struck

pytestmark = pytest.mark.proof

IS_WHOLE = os.environ.get("DCA_SWEEP") == "all"
OUTAGE_SECONDS = 60 if IS_WHOLE else 10
slow = pytest.mark.skipif(not IS_WHOLE, reason="takes a minute: DCA_SWEEP=all runs it")
RECOVERY_SECONDS = 120


@pytest.fixture
def wire(simulator: Simulator, bot_env: dict[str, str]) -> Iterator[DarkWire]:
    """The bot reaches the exchange through it, with all that it says."""
    wire = DarkWire(simulator.base_url)
    bot_env.update(
        APCA_API_BASE_URL=wire.url,
        APCA_API_DATA_URL=wire.url,
        APCA_API_STREAM_URL=wire.url.replace("http", "ws", 1),
    )
    yield wire
    wire.close()


@pytest.mark.parametrize("websockets", [True, False], ids=["streams", "requests"])
@pytest.mark.parametrize("simulator", [LIVELY], indirect=True)
def test_connections_that_die_without_a_word_are_replaced(
    websockets: bool,
    simulator: Simulator,
    database: DatabaseSettings,
    wire: DarkWire,
    bot: Bot,
) -> None:
    add_assets(database)
    bot.start()
    eventually(more_orders_than(simulator, 3), timeout=30)
    dark = wire.darken(websockets=websockets)
    assert dark >= 1
    # Alpaca hears nothing either, and lets the account's places go
    simulator.post("/sim/settings", {"stale_slot_seconds": 0})
    for name in ("drop_trade_stream", "drop_data_stream") if websockets else ():
        simulator.post("/sim/faults", {"name": name, "count": 1})
    trade_on(simulator, 6, RECOVERY_SECONDS)
    assert wire.swallowed
    struck("connection went dark", dark, streams=websockets)
    agree_and_end(database, simulator, bot, RECOVERY_SECONDS)


@pytest.mark.parametrize("simulator", [LIVELY], indirect=True)
def test_answers_that_never_come_leave_no_order_unknown(
    simulator: Simulator, database: DatabaseSettings, wire: DarkWire, bot: Bot
) -> None:
    add_assets(database)
    bot.start()
    eventually(more_orders_than(simulator, 3), timeout=30)
    wire.lose_answers(on=True)
    watch_for(OUTAGE_SECONDS, database, simulator)
    eventually(lambda: wire.swallowed, timeout=60)
    struck("answer lost on the wire", wire.swallowed)
    wire.lose_answers(on=False)
    trade_on(simulator, 6, RECOVERY_SECONDS)
    agree_and_end(database, simulator, bot, RECOVERY_SECONDS)


@slow
@pytest.mark.parametrize("name", ["starve_trade_stream", "mute_data_stream"])
@pytest.mark.parametrize("simulator", [LIVELY], indirect=True)
def test_a_stream_that_lives_and_says_nothing_is_noticed(
    name: str, simulator: Simulator, database: DatabaseSettings, bot: Bot
) -> None:
    add_assets(database)
    bot.start()
    eventually(more_orders_than(simulator, 3), timeout=30)
    simulator.post("/sim/faults", {"name": name, "count": 1})
    eventually(lambda: simulator.get("/sim/record")["faults_struck"])
    struck(name)
    trade_on(simulator, 6, RECOVERY_SECONDS)
    agree_and_end(database, simulator, bot, RECOVERY_SECONDS)


@pytest.mark.parametrize(
    ("name", "params"),
    [
        pytest.param("rate_limited", {}, marks=slow),
        pytest.param("server_error", {"status": 503, "body": "html"}, marks=slow),
        ("error_after_accepting", {"status": 502, "body": "html"}),
    ],
)
@pytest.mark.parametrize("simulator", [LIVELY], indirect=True)
def test_an_alpaca_that_refuses_everything_for_a_while_is_waited_for(
    name: str,
    params: dict[str, Any],
    simulator: Simulator,
    database: DatabaseSettings,
    bot: Bot,
) -> None:
    add_assets(database)
    bot.start()
    eventually(more_orders_than(simulator, 3), timeout=30)
    simulator.post("/sim/faults", {"name": name, "params": params})
    watch_for(OUTAGE_SECONDS, database, simulator)
    hits = eventually(lambda: simulator.get("/sim/faults")["on"][0]["hits"], timeout=60)
    struck(f"{name} for a while", hits, seconds=OUTAGE_SECONDS)
    simulator.post("/sim/faults", {"name": name, "on": False})
    trade_on(simulator, 6, RECOVERY_SECONDS)
    agree_and_end(database, simulator, bot, RECOVERY_SECONDS)
