"""One row of nonsense, by somebody's hand: every verb that reads it names it in a line, and shows
all the rest as before.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from dca_bot.commands.main import call
from dca_bot.commands.see.tie_out import compare
from dca_bot.page.content import Content
from dca_bot.program.clock import utc_now
from dca_bot.program.settings import (
    DatabaseSettings,
    read_settings,
    read_store_settings,
)
from tests.commands.called import traceless
from tests.helpers import Simulator, apply_sql, sql_client

# For each asset a finished cycle of the past (1, 2) and one under way (3, 4).
WORLD = """
SET @now = UTC_DATE();
DELETE FROM dca_assets;
TRUNCATE dca_orders; TRUNCATE dca_events; TRUNCATE dca_results;
INSERT INTO dca_assets (id, asset_symbol, base_order_amount, safety_order_amount, max_safety_orders,
    safety_order_deviation, take_profit_percent, cooldown_period, buy_order_price_deviation_percent)
VALUES (1, 'BTC/USD', 20, 20, 5, 1.5, 1, 300, 2), (2, 'ETH/USD', 20, 20, 5, 1.5, 1, 300, 2);
INSERT INTO dca_cycles (id, asset_id, status, quantity, average_purchase_price,
    last_order_fill_price, completed_at)
VALUES (1, 1, 'complete', 0, 100, 100, @now - INTERVAL 40 DAY),
       (2, 2, 'complete', 0, 100, 100, @now - INTERVAL 40 DAY),
       (3, 1, 'watching', 0.1995, 100, 100, NULL), (4, 2, 'watching', 0.1995, 100, 100, NULL);
INSERT INTO dca_orders (client_order_id, alpaca_order_id, asset_id, cycle_id, kind, status,
    quantity, limit_price, filled_quantity, filled_average_price, received_quantity, symbol, fee,
    created_at)
SELECT CONCAT('dca-', c.id, '-', k.kind), UUID(), c.asset_id, c.id, k.kind, 'filled', 0.2, 100,
       IF(k.kind = 'base', 0.2, 0.1995), IF(k.kind = 'base', 100, 102),
       IF(k.kind = 'base', 0.1995, 0), a.asset_symbol, IF(k.kind = 'base', NULL, 0.06),
       @now - INTERVAL IF(c.id < 3, 961, 1) HOUR
  FROM dca_cycles c JOIN dca_assets a ON a.id = c.asset_id
  JOIN (SELECT 'base' AS kind UNION SELECT 'take_profit') k ON k.kind = 'base' OR c.id < 3
 ORDER BY c.id, k.kind;
INSERT INTO dca_events (at, asset_id, symbol, cycle_id, kind, told, client_order_id)
SELECT o.created_at, o.asset_id, o.symbol, o.cycle_id, k.kind, 'so it was', o.client_order_id
  FROM dca_orders o JOIN (SELECT 'ordered' AS kind UNION SELECT 'filled') k ORDER BY o.id, k.kind;
INSERT INTO dca_results (cycle_id, asset_id, symbol, status, began_at, completed_at, safety_orders,
    max_safety_orders, cost, proceeds, fees, net, left_quantity, drawdown_pct)
SELECT id, asset_id, IF(asset_id = 1, 'BTC/USD', 'ETH/USD'), 'complete',
       completed_at - INTERVAL 1 HOUR, completed_at, 0, 5, 20, 20.35, 0.11, 0.29, 0, 0
  FROM dca_cycles WHERE id < 3;
"""
GAINS = f"gains --year {utc_now().astimezone().year}"
LOOKING = ("status", "why BTC/USD", "ladder BTC/USD --price 100", "cycles", "honesty")
VERBS = (*LOOKING, "cycle 1", "cycle 3", "profit", "profit --by day", GAINS)
ACTIVE = {*LOOKING, "page"}
ORDER_NOW = {*ACTIVE, "cycle 3", "page of BTC/USD", GAINS, "tie-out"}
ORDER_THEN = {"cycle 1", GAINS}
RESULT = {"status", "cycles", "honesty", "cycle 1", "profit", "profit --by day", "page"}
BAD_ORDERS = (
    "kind = 'gift'",
    "kind = ''",
    "status = 'dreaming'",
    "quantity = 0",
    "quantity = -5",
    "limit_price = -1",
    "filled_quantity = -5",
    "filled_quantity = 999999999999999",
    "filled_average_price = -3",
    "received_quantity = -1",
    "received_quantity = 999999999999999",
    "fee = -1",
)
UNTOLD = ("filled_average_price", "limit_price", "symbol", "alpaca_order_id", "fee")
# What is written, into which row, and who must name it; nobody: there is nothing wrong with it.
GARBAGE = [
    *((f"dca_orders SET {bad}", "dca-3-base", ORDER_NOW) for bad in BAD_ORDERS),
    *((f"dca_orders SET {bad}", "dca-1-base", ORDER_THEN) for bad in BAD_ORDERS[::4]),
    *((f"dca_orders SET {name} = NULL", "dca-3-base", set()) for name in UNTOLD),
    ("dca_orders SET symbol = 'FOO/BAR'", "dca-1-base", set()),
    ("dca_cycles SET status = 'dreaming'", 3, {*ACTIVE, "cycle 3"}),
    ("dca_cycles SET quantity = 999999999999999", 3, ACTIVE),
    ("dca_cycles SET quantity = -5", 3, ACTIVE),
    ("dca_cycles SET average_purchase_price = -1", 3, ACTIVE),
    ("dca_cycles SET safety_orders = -3", 3, ACTIVE),
    ("dca_cycles SET last_order_fill_price = -1", 3, ACTIVE),
    ("dca_cycles SET last_order_fill_price = NULL", 3, set()),
    ("dca_events SET kind = 'rumour'", 1, {"cycle 1"}),
    ("dca_events SET kind = 'rumour'", 9, {"cycle 3", "page of BTC/USD"}),
    ("dca_events SET price = NULL, client_order_id = NULL", 9, set()),
    ("dca_results SET status = 'dreaming'", 1, RESULT),
    ("dca_results SET cost = -5", 1, RESULT),
    ("dca_results SET began_at = '2036-01-01'", 1, RESULT),
    ("dca_results SET net = NULL", 1, set()),
    ("dca_results SET symbol = 'FOO/BAR'", 1, set()),
]
KEYS = {
    "dca_orders": "client_order_id",
    "dca_cycles": "id",
    "dca_events": "id",
    "dca_results": "cycle_id",
}


@pytest.fixture(autouse=True)
def _traceless() -> Iterator[None]:
    with traceless():
        yield


@pytest.fixture
def look(
    database: DatabaseSettings,
    simulator: Simulator,
    bot_env: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Callable[[], dict[str, dict[str, Any]]]:
    """What each verb and the page answer."""
    apply_sql(database, WORLD.encode())
    for name, value in bot_env.items():
        monkeypatch.setenv(name, value)

    def answers() -> dict[str, dict[str, Any]]:
        found = {}
        for verb in VERBS:
            assert call([*verb.split(), "--json"]) == 0
            found[verb] = json.loads(capsys.readouterr().out)
        found["tie-out"] = {
            "to_correct": [
                each.what
                for each in compare(read_settings(), utc_now(), 7).differences
                if each.kind == "row to correct"
            ]
        }
        with closing(Content(read_store_settings(), "simulated", "")) as content:
            return found | asyncio.run(_of_page(content))

    return answers


async def _of_page(content: Content) -> dict[str, Any]:
    told = dict(await content.everything())
    told["to_correct"] = told["status"]["to_correct"]
    assert "ETH/USD" in await content.cycles_csv(None)
    asset = await content.asset("BTC/USD")
    assert asset is not None
    return {"page": told, "page of BTC/USD": dict(asset)}


def of_eth(found: dict[str, dict[str, Any]]) -> list[Any]:
    """What must not change whatever is wrong with BTC's rows."""
    [status] = [each for each in found["status"]["assets"] if each["symbol"] == "ETH/USD"]
    return [
        {name: value for name, value in status.items() if name != "waits_for"},
        [each for each in found["cycles"]["cycles"] if each["symbol"] == "ETH/USD"],
        found["profit"]["by_asset"]["ETH/USD"],
        [each for each in found[GAINS]["lots"] if each["symbol"] == "ETH/USD"],
    ]


@pytest.mark.parametrize("table", KEYS)
def test_a_row_of_nonsense_is_named_and_all_else_is_shown(
    look: Callable[[], dict[str, dict[str, Any]]], database: DatabaseSettings, table: str
) -> None:
    before = look()
    assert not any(each["to_correct"] for each in before.values())
    for written, row, named_by in (each for each in GARBAGE if each[0].startswith(table)):
        garbage = f"UPDATE {written} WHERE {KEYS[table]} = {row!r};"  # noqa: S608
        apply_sql(database, (WORLD + garbage).encode())
        after = look()
        name = f"correct row {row!r} of {table}"
        told = {verb: each["to_correct"] for verb, each in after.items() if each["to_correct"]}
        assert told.keys() == named_by, garbage
        for lines in told.values():
            assert [name in line for line in lines] == [True], garbage
        assert of_eth(after) == of_eth(before), garbage


def test_people_are_told_beside_the_table(
    look: Callable[[], dict[str, dict[str, Any]]],
    database: DatabaseSettings,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    apply_sql(database, b"UPDATE dca_orders SET kind = 'gift' WHERE cycle_id = 3;")
    apply_sql(database, b"UPDATE dca_results SET status = 'dreaming' WHERE cycle_id = 1;")
    for verb in VERBS:
        assert call(verb.split()) == 0
        shown = capsys.readouterr()
        lines = [*shown.err.splitlines(), " ".join(shown.out.split())]
        assert sum("correct row" in line for line in lines) >= 1, verb


@pytest.mark.parametrize(
    "garbage",
    [
        "UPDATE dca_orders SET kind = 'gift', status = 'open' WHERE client_order_id = 'dca-3-base'",
        "UPDATE dca_orders SET filled_quantity = -5 WHERE client_order_id = 'dca-3-base'",
        "UPDATE dca_cycles SET status = 'dreaming' WHERE id = 3",
        "UPDATE dca_cycles SET quantity = 999999999999999 WHERE id = 3",
    ],
)
def test_a_row_of_nonsense_keeps_no_other_asset_from_being_paused_and_resumed(
    look: Callable[[], dict[str, dict[str, Any]]],
    database: DatabaseSettings,
    capsys: pytest.CaptureFixture[str],
    garbage: str,
) -> None:
    apply_sql(database, f"{garbage};".encode())
    for verb, allowed in (("pause", "exit"), ("resume", "all"), ("finish", "cycle")):
        status = call([verb, "--yes", "--json"])
        told = json.loads(capsys.readouterr().out)
        assert status == bool(told["troubles"])
        assert all("correct row" in trouble for trouble in told["troubles"])
        with closing(sql_client(database)) as connection, closing(connection.cursor()) as cursor:
            cursor.execute("SELECT allowed FROM dca_assets WHERE id = 2")
            assert cursor.fetchall() == [(allowed,)]
