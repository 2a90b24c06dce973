"""The caretakers as cron runs them: real processes, a real database, a simulated exchange."""

# ruff: noqa: S608 - the SQL is the test's own

from __future__ import annotations

import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from dca_bot.program.clock import utc_now
from dca_bot.program.script import only_once
from dca_bot.program.settings import DatabaseSettings
from tests.helpers import (
    Simulator,
    add_samples,
    apply_sql,
    eventually,
    locked_asset,
    run_script,
    start_script,
)
from tests.proofs.whole.auditor import rows

CARETAKERS = ("order_manager", "cooldown_manager", "consistency_checker")
WITH_ALPACA = ("order_manager", "consistency_checker")
AT_ONCE = {
    "STALE_ORDER_SECONDS": "1",
    "ORPHAN_ORDER_SECONDS": "1",
    "STUCK_SELL_SECONDS": "1",
}
BUY = {"symbol": "BTC/USD", "side": "buy", "type": "limit", "time_in_force": "gtc"}


@pytest.fixture
def books(database: DatabaseSettings) -> DatabaseSettings:
    """One asset, as the README inserts it, and no cycle."""
    add_samples(database, "BTC/USD")
    return database


@pytest.fixture
def market(simulator: Simulator) -> Simulator:
    """Bitcoin stands at 50,000."""
    simulator.post("/sim/walk", {"on": False})
    quote(simulator)
    return simulator


def quote(market: Simulator) -> None:
    market.post("/sim/quote", {"symbol": "BTC/USD", "bid": 50_000, "ask": 50_000})


def add_cycle(database: DatabaseSettings, status: str, **columns: Any) -> None:
    row = {"asset_id": 1, "status": f"'{status}'"} | columns
    names, values = ", ".join(row), ", ".join(str(value) for value in row.values())
    apply_sql(database, f"INSERT INTO dca_cycles ({names}) VALUES ({values})".encode())


def everything(database: DatabaseSettings) -> list[Any]:
    return [
        rows(database, f"SELECT * FROM {table} ORDER BY id")
        for table in ("dca_assets", "dca_cycles", "dca_orders")
    ]


def active_cycle(database: DatabaseSettings) -> Any:
    [cycle] = rows(
        database, "SELECT * FROM dca_cycles WHERE status NOT IN ('complete', 'error') ORDER BY id"
    )
    return cycle


def open_orders(market: Simulator) -> list[str]:
    return [order["id"] for order in market.get("/v2/orders?status=open")]


def buy_limit(market: Simulator, price: int, qty: str = "0.001") -> str:
    order_id: str = market.post("/v2/orders", BUY | {"qty": qty, "limit_price": str(price)})["id"]
    return order_id


def is_older_than_a_second(market: Simulator, order_id: str) -> bool:
    created_at = datetime.fromisoformat(market.get(f"/v2/orders/{order_id}")["created_at"])
    return (utc_now() - created_at).total_seconds() > 2.5


def wait_until_old(market: Simulator, order_id: str) -> None:
    eventually(lambda: is_older_than_a_second(market, order_id))


@pytest.mark.proof
@pytest.mark.parametrize("name", CARETAKERS)
def test_help_is_the_scripts_own_story(name: str) -> None:
    done = run_script(f"{name}.py", "--help", env={"PATH": "/usr/bin:/bin"})
    assert done.returncode == 0
    assert "Cron runs this" in done.stdout
    assert "--dry-run" in done.stdout


@pytest.mark.parametrize("name", CARETAKERS)
def test_two_runs_never_overlap(name: str, bot_env: dict[str, str], tmp_path: Path) -> None:
    with only_once(name, tmp_path / "logs"):
        done = run_script(f"{name}.py", env=bot_env)
    assert done.returncode == 0
    assert "still running" in done.stdout


@pytest.mark.parametrize("setting", ["DB_NAME", "APCA_API_SECRET_KEY"])
@pytest.mark.parametrize("name", CARETAKERS)
def test_a_missing_setting_is_named(name: str, setting: str, bot_env: dict[str, str]) -> None:
    done = run_script(f"{name}.py", env=bot_env | {setting: ""})
    assert done.returncode == 2
    assert setting in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_the_cooldown_manager_needs_no_alpaca(
    books: DatabaseSettings, bot_env: dict[str, str]
) -> None:
    add_cycle(books, "complete", completed_at="UTC_TIMESTAMP() - INTERVAL 301 SECOND")
    add_cycle(books, "cooldown")
    env = bot_env | {"APCA_API_BASE_URL": "http://127.0.0.1:1"}
    assert run_script("cooldown_manager.py", env=env).returncode == 0
    assert active_cycle(books)["status"] == "watching"


def test_a_cooldown_that_is_not_over_stays(
    books: DatabaseSettings, bot_env: dict[str, str]
) -> None:
    add_cycle(books, "complete", completed_at="UTC_TIMESTAMP() - INTERVAL 200 SECOND")
    add_cycle(books, "cooldown")
    before = everything(books)
    assert run_script("cooldown_manager.py", env=bot_env).returncode == 0
    assert everything(books) == before


def test_a_stale_buy_of_the_bot_goes_and_what_it_filled_stays(
    books: DatabaseSettings, market: Simulator, bot_env: dict[str, str]
) -> None:
    market.post("/sim/hold")

    def has_ordered() -> bool:
        quote(market)  # again and again: after ten seconds a quote is too old to be acted on
        return bool(rows(books, "SELECT 1 FROM dca_orders WHERE status = 'open'"))

    with start_script("main_app.py", env=bot_env) as bot:
        eventually(has_ordered, timeout=60)
        bot.kill()
    [order_id] = open_orders(market)
    market.post(f"/sim/orders/{order_id}/fill", {"qty": "0.0001"})
    wait_until_old(market, order_id)
    done = run_script("order_manager.py", env=bot_env | AT_ONCE)
    assert done.returncode == 0, done.stdout
    assert open_orders(market) == []
    cycle = active_cycle(books)
    assert (cycle["status"], cycle["latest_order_id"]) == ("watching", None)
    assert cycle["quantity"] == Decimal("0.00009975")
    [row] = rows(books, "SELECT * FROM dca_orders")
    assert row["status"] == "canceled"


def test_orphans_go_and_orders_of_others_stay(
    books: DatabaseSettings, market: Simulator, bot_env: dict[str, str]
) -> None:
    orphan = buy_limit(market, 40_000)
    other = BUY | {"symbol": "ETH/USD", "qty": "1", "limit_price": "100"}
    stranger = market.post("/v2/orders", other)["id"]
    market.post("/v2/orders", other | {"client_order_id": "dca-9-base-old"})
    wait_until_old(market, stranger)
    before = set(open_orders(market))
    assert orphan in before
    quiet = {"LOG_LEVEL": "ERROR"}  # which hides no answer to a person
    dry = run_script("order_manager.py", "--dry-run", env=bot_env | AT_ONCE | quiet)
    assert set(open_orders(market)) == before
    assert dry.stdout.count("dry run, not done") == 2
    assert run_script("order_manager.py", env=bot_env).returncode == 0
    assert set(open_orders(market)) == before  # five minutes is the default
    assert run_script("order_manager.py", env=bot_env | AT_ONCE).returncode == 0
    assert open_orders(market) == [stranger]


def test_a_stale_order_that_sql_gave_to_a_cycle_goes(
    books: DatabaseSettings, market: Simulator, bot_env: dict[str, str]
) -> None:
    order_id = buy_limit(market, 40_000)
    add_cycle(books, "buying", latest_order_id=f"'{order_id}'")
    wait_until_old(market, order_id)
    assert run_script("order_manager.py", env=bot_env | AT_ONCE).returncode == 0
    cycle = active_cycle(books)
    assert (cycle["status"], cycle["latest_order_id"]) == ("watching", None)


def test_cycles_whose_orders_are_unknown_watch_again(
    books: DatabaseSettings, market: Simulator, bot_env: dict[str, str]
) -> None:
    unknown = ("NULL", "'gone-1'", "'00000000-0000-4000-8000-000000000000'")
    add_samples(books, "ETH/USD", "SOL/USD", "LTC/USD", "DOGE/USD", "AVAX/USD")
    for asset_id, (status, order) in enumerate(product(("buying", "selling"), unknown), start=1):
        add_cycle(books, status, asset_id=asset_id, latest_order_id=order)
    done = run_script("consistency_checker.py", env=bot_env)
    assert done.returncode == 0, done.stdout
    found = rows(books, "SELECT status, latest_order_id FROM dca_cycles")
    assert found == [{"status": "watching", "latest_order_id": None}] * 6


def test_a_finished_order_that_sql_gave_to_a_cycle_is_booked(
    books: DatabaseSettings, market: Simulator, bot_env: dict[str, str]
) -> None:
    order = market.post("/sim/trade", {"symbol": "BTC/USD", "side": "buy", "qty": "0.001"})
    add_cycle(books, "buying", latest_order_id=f"'{order['id']}'")
    assert run_script("consistency_checker.py", env=bot_env).returncode == 0
    cycle = active_cycle(books)
    assert cycle["status"] == "watching"
    assert cycle["quantity"] == Decimal("0.0009975")
    assert cycle["average_purchase_price"] == 50_000
    sell = market.post("/sim/trade", {"symbol": "BTC/USD", "side": "sell", "qty": "0.0009975"})
    apply_sql(
        books, f"UPDATE dca_cycles SET status='selling', latest_order_id='{sell['id']}'".encode()
    )
    assert run_script("consistency_checker.py", env=bot_env).returncode == 0
    assert active_cycle(books)["status"] == "cooldown"
    assert rows(books, "SELECT last_sell_price AS price FROM dca_assets") == [{"price": 50_000}]


def test_positions_win_over_the_books_and_nobody_elses_coins_are_touched(
    books: DatabaseSettings, market: Simulator, bot_env: dict[str, str]
) -> None:
    """Three assets in one run, since it takes its half minute: one corrected, one gone, one not
    the bot's."""
    add_samples(books, "ETH/USD", "SOL/USD")
    for symbol in ("ETH/USD", "SOL/USD"):
        market.post("/sim/quote", {"symbol": symbol, "bid": 50_000, "ask": 50_000})
    for symbol in ("BTC/USD", "SOL/USD"):
        market.post("/sim/trade", {"symbol": symbol, "side": "buy", "qty": "0.002"})
    # more than a minute later by Alpaca's clock, which tells whole seconds
    market.post("/sim/faults", {"name": "clock_skew", "params": {"seconds": 65}})
    add_cycle(books, "watching", quantity=1, average_purchase_price=49_000)
    add_cycle(books, "watching", asset_id=2, quantity=1, average_purchase_price=50_000)
    add_cycle(books, "watching", asset_id=3)
    done = run_script("consistency_checker.py", env=bot_env, timeout=120)
    assert done.returncode == 0, done.stdout
    differed, gone, foreign, new = rows(books, "SELECT * FROM dca_cycles ORDER BY id")
    assert differed["quantity"] == Decimal("0.001995")
    assert differed["average_purchase_price"] == 50_000
    assert "quantity_before=1 quantity=0.001995" in done.stdout
    assert gone["status"] == "error"
    assert gone["completed_at"] is not None
    assert (new["asset_id"], new["status"], new["quantity"]) == (2, "watching", 0)
    assert (foreign["status"], foreign["quantity"]) == ("watching", 0)
    assert "no cycle owns" in done.stdout
    assert open_orders(market) == []


def test_a_consistent_state_is_left_byte_for_byte_and_the_last_line_sums_up(
    books: DatabaseSettings, market: Simulator, bot_env: dict[str, str]
) -> None:
    market.post("/sim/trade", {"symbol": "BTC/USD", "side": "buy", "qty": "0.002"})
    past = "'2020-01-01 00:00:00'"
    held = {"quantity": "0.001995", "average_purchase_price": 49_000}
    add_cycle(books, "watching", **held, created_at=past, updated_at=past)
    before = everything(books)
    for name in CARETAKERS:
        done = run_script(f"{name}.py", env=bot_env)
        assert (done.returncode, done.stderr) == (0, "")
        assert f"INFO {name} done " in done.stdout.splitlines()[-1]
    assert everything(books) == before


def test_an_unreadable_row_is_named_and_the_others_are_served(
    books: DatabaseSettings, market: Simulator, bot_env: dict[str, str]
) -> None:
    add_cycle(books, "biying")
    add_samples(books, "ETH/USD")
    done = run_script("consistency_checker.py", env=bot_env)
    assert done.returncode == 1
    assert "BTC/USD" in done.stdout
    assert "biying" in done.stdout
    [ether] = rows(books, "SELECT * FROM dca_cycles WHERE asset_id = 2")
    assert ether["status"] == "watching"


@pytest.mark.parametrize("name", WITH_ALPACA)
@pytest.mark.parametrize("fault", ["server_error", "rate_limited", "reset", "garbled_answer"])
def test_an_alpaca_that_answers_nonsense_changes_nothing(
    name: str,
    fault: str,
    books: DatabaseSettings,
    market: Simulator,
    bot_env: dict[str, str],
) -> None:
    add_cycle(books, "watching", quantity=1, average_purchase_price=50_000)
    before = everything(books)
    market.post("/sim/faults", {"name": fault})
    done = run_script(f"{name}.py", env=bot_env)
    assert done.returncode == 1
    assert "next run tries again" in done.stdout
    assert everything(books) == before


@pytest.mark.parametrize("name", WITH_ALPACA)
def test_a_run_ends_in_time_though_alpaca_hangs(
    name: str, books: DatabaseSettings, bot_env: dict[str, str]
) -> None:
    with silent_server() as port:
        env = bot_env | {"APCA_API_BASE_URL": f"http://127.0.0.1:{port}"}
        done = run_script(f"{name}.py", env=env, timeout=60)
    assert done.returncode == 1
    assert "next run tries again" in done.stdout


@pytest.mark.parametrize("name", CARETAKERS)
def test_a_run_ends_in_time_though_the_database_hangs(name: str, bot_env: dict[str, str]) -> None:
    with silent_server() as port:
        done = run_script(f"{name}.py", env=bot_env | {"DB_PORT": str(port)}, timeout=60)
    assert done.returncode == 1
    assert len(done.stdout.splitlines()) == 1


def test_a_run_that_is_stopped_lets_go_of_its_lock(
    books: DatabaseSettings, bot_env: dict[str, str], tmp_path: Path
) -> None:
    with silent_server() as port:
        env = bot_env | {"APCA_API_BASE_URL": f"http://127.0.0.1:{port}"}
        with start_script("order_manager.py", env=env) as hanging:
            eventually(lambda: is_locked(tmp_path / "logs" / "order_manager.lock"), 30)
            hanging.send_signal(signal.SIGTERM)
    assert hanging.returncode == 128 + signal.SIGTERM
    assert run_script("order_manager.py", env=bot_env).returncode == 0


def test_an_asset_that_somebody_holds_locked_does_not_stop_the_others(
    books: DatabaseSettings, bot_env: dict[str, str]
) -> None:
    add_samples(books, "ETH/USD")
    for asset_id in (1, 2):
        add_cycle(books, "cooldown", asset_id=asset_id)
    with locked_asset(books, "BTC/USD"):
        done = run_script("cooldown_manager.py", env=bot_env)
    assert done.returncode == 1
    assert "BTC/USD skipped in this run" in done.stdout
    found = rows(books, "SELECT status FROM dca_cycles ORDER BY asset_id")
    assert [cycle["status"] for cycle in found] == ["cooldown", "watching"]


def is_locked(file: Path) -> bool:
    # looked up, not tried: a try could be in the way of who is to take it
    return file.exists() and f":{file.stat().st_ino} " in Path("/proc/locks").read_text()


@contextmanager
def silent_server() -> Iterator[int]:
    """Takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]
