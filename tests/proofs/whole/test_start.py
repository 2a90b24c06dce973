"""How main_app.py starts, refuses to start, and ends: as a process, from outside."""

from __future__ import annotations

import json
import signal
import socket
import time
from pathlib import Path

import pytest

from dca_bot.program.settings import PROJECT_ROOT, DatabaseSettings
from tests.helpers import Simulator, apply_sql, eventually, run_script
from tests.proofs.whole.auditor import rows
from tests.proofs.whole.busy import Bot, add_assets, more_orders_than, quoting
from tests.proofs.whole.database_proxy import DatabaseProxy

QUIET = ("--no-walk", "--stale-slot-seconds", "0")
END_SECONDS = 5  # as the README says


@pytest.mark.parametrize("simulator", [QUIET], indirect=True)
def test_it_ends_cleanly_on_sigint_too(bot: Bot, database: DatabaseSettings) -> None:
    # a second try, since the machine itself may stall for seconds
    assert any(seconds_to_end(bot) < END_SECONDS for _ in range(2))


def seconds_to_end(bot: Bot) -> float:
    bot.start()
    eventually(lambda: bot.is_trading, timeout=30)
    began_at = time.monotonic()
    assert bot.end_by(signal.SIGINT) == 0
    return time.monotonic() - began_at


def test_pid_file_and_heartbeat_tell_of_this_process(
    bot: Bot, bot_env: dict[str, str], database: DatabaseSettings
) -> None:
    bot.start()
    heartbeat = Path(bot_env["LOG_DIR"]) / "main_app.heartbeat"
    beat = json.loads(eventually(lambda: heartbeat.exists() and heartbeat.read_text(), 30))
    assert bot.process is not None
    assert beat["pid"] == bot.process.pid
    assert beat["problems"] == []
    pid_file = Path(bot_env["LOG_DIR"]) / "main_app.pid"
    assert pid_file.read_text().strip() == str(bot.process.pid)
    assert bot.end() == 0
    assert not pid_file.exists()


def test_while_alpaca_is_away_at_the_start_it_waits_and_says_that_it_lives(
    bot: Bot, bot_env: dict[str, str], simulator: Simulator
) -> None:
    simulator.post("/sim/faults", {"name": "server_error", "params": {"path": "/v2/account"}})
    bot.start()
    heartbeat = Path(bot_env["LOG_DIR"]) / "main_app.heartbeat"
    eventually(heartbeat.exists, timeout=30)
    assert not bot.is_trading
    simulator.post("/sim/faults", {"name": "server_error", "on": False})
    eventually(lambda: bot.is_trading, timeout=30)
    assert bot.end() == 0


def test_while_the_database_is_away_at_the_start_it_waits_and_says_that_it_lives(
    bot_env: dict[str, str], database: DatabaseSettings, tmp_path: Path
) -> None:
    port = free_port()
    bot = Bot({**bot_env, "DB_PORT": str(port)}, tmp_path)
    bot.start()
    heartbeat = Path(bot_env["LOG_DIR"]) / "main_app.heartbeat"
    first = eventually(lambda: heartbeat.exists() and heartbeat.read_text(), timeout=30)
    eventually(lambda: heartbeat.read_text() != first, timeout=30)
    proxy = DatabaseProxy(database, port)
    try:
        eventually(lambda: bot.is_trading, timeout=30)
        assert bot.output.count("waiting for the database") == 1
        assert bot.end() == 0
    finally:
        bot.kill()
        proxy.close()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def test_a_second_bot_on_the_same_database_says_so_and_ends(
    bot: Bot, bot_env: dict[str, str], database: DatabaseSettings, tmp_path: Path
) -> None:
    bot.start()
    eventually(lambda: bot.is_trading, timeout=30)
    second = run_script("main_app.py", env={**bot_env, "LOG_DIR": str(tmp_path / "other")})
    assert second.returncode == 1
    assert "already trades this database" in second.stdout + second.stderr
    third = run_script("main_app.py", env=bot_env)
    assert third.returncode == 1
    assert bot.process is not None
    assert f"(pid {bot.process.pid}) is already running" in third.stdout + third.stderr
    assert bot.end() == 0


def test_a_missing_setting_is_named_on_one_line_of_stderr(bot_env: dict[str, str]) -> None:
    del bot_env["DB_NAME"]
    ended = run_script("main_app.py", env={**bot_env, "DB_NAME": ""})
    assert ended.returncode == 2
    assert "DB_NAME" in ended.stderr
    assert len(ended.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize(
    "simulator", [("--key", "RIGHT-KEY", "--secret", "RIGHT-SECRET")], indirect=True
)
def test_refused_keys_name_the_host_and_recall_the_paper_host(bot_env: dict[str, str]) -> None:
    wrong = {**bot_env, "APCA_API_SECRET_KEY": "WRONG-SECRET-0123"}
    ended = run_script("main_app.py", env=wrong)
    said = ended.stdout + ended.stderr
    assert ended.returncode == 1
    assert "127.0.0.1" in said
    assert "paper" in said
    assert "WRONG-SECRET-0123" not in said
    assert "Traceback" not in said


def test_a_wrong_database_password_gets_one_line(bot_env: dict[str, str]) -> None:
    ended = run_script("main_app.py", env={**bot_env, "DB_PASSWORD": "not-the-password"})
    said = ended.stdout + ended.stderr
    assert ended.returncode == 1
    assert "DB_PASSWORD" in said
    assert "Traceback" not in said
    assert "not-the-password" not in said


def test_the_two_tables_of_the_readme_are_enough_to_begin(
    bot: Bot, database: DatabaseSettings, simulator: Simulator
) -> None:
    """The bot adds to a hand-made database what it needs of its own."""
    apply_sql(database, b"DROP TABLE dca_orders, dca_cycles, dca_assets;")
    apply_sql(database, (PROJECT_ROOT / "tests" / "store" / "readme.sql").read_bytes())
    bot.start()
    eventually(more_orders_than(simulator, 0), timeout=30)
    assert bot.end() == 0


@pytest.mark.parametrize("simulator", [QUIET], indirect=True)
def test_a_row_inserted_by_sql_is_traded_without_a_restart(
    bot: Bot, database: DatabaseSettings, simulator: Simulator
) -> None:
    bot.start()
    eventually(lambda: bot.is_trading, timeout=30)
    add_assets(database, "ETH/USD")
    eventually(lambda: simulator.get("/sim/state")["streams"]["data"], timeout=30)
    simulator.post("/sim/quote", {"symbol": "ETH/USD", "bid": "2000", "ask": "2001"})
    eventually(more_orders_than(simulator, 0), timeout=30)
    order = simulator.get("/sim/record")["orders"][0]
    assert (order["symbol"], order["type"], order["time_in_force"]) == ("ETH/USD", "limit", "gtc")
    assert bot.end() == 0


@pytest.mark.parametrize("simulator", [QUIET], indirect=True)
def test_a_position_that_is_not_the_bots_gets_no_base_order(
    bot: Bot, database: DatabaseSettings, simulator: Simulator
) -> None:
    simulator.post("/sim/trade", {"symbol": "BTC/USD", "side": "buy", "notional": "50"})
    add_assets(database, "BTC/USD")
    bot.start()
    logged = quoting(simulator, "76000", lambda: "that the bot did not buy" in bot.output)
    eventually(logged, timeout=30)
    ours = [
        order
        for order in simulator.get("/sim/record")["orders"]
        if order["client_order_id"].startswith("dca-")
    ]
    assert ours == []
    assert rows(database, "SELECT status FROM dca_cycles") == [{"status": "watching"}]
    assert bot.end() == 0


@pytest.mark.parametrize("simulator", [QUIET], indirect=True)
def test_an_unusable_row_is_reported_once_and_the_others_trade(
    bot: Bot, database: DatabaseSettings, simulator: Simulator
) -> None:
    add_assets(database, "NOSUCH/USD", "BTC/USD")
    apply_sql(database, b"UPDATE dca_assets SET base_order_amount = 9 WHERE id = 1")
    bot.start()
    eventually(quoting(simulator, "76000", more_orders_than(simulator, 0)), timeout=30)
    lines = [line for line in bot.output.splitlines() if "NOSUCH/USD" in line and "ERROR" in line]
    assert len(lines) == 1
    assert "base_order_amount" in lines[0]
    assert bot.end() == 0
