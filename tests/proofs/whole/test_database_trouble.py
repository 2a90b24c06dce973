"""A database that kills connections, locks rows, refuses to write: the bot waits and goes on."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path

import mysql.connector
import pytest

from dca_bot.program.settings import PROJECT_ROOT, DatabaseSettings
from dca_bot.watchdog import heartbeat
from dca_sandbox.private_mariadb import PrivateMariaDb
from tests.helpers import (
    Simulator,
    apply_sql,
    database_environment,
    eventually,
    locked_asset,
    run_script,
    sql_client,
)
from tests.proofs.whole.auditor import always, read_books, rows
from tests.proofs.whole.busy import (
    EIGHT,
    LIVELY,
    Bot,
    add_assets,
    agree_and_end,
    more_orders_than,
    new_line,
    trade_on,
)
from tests.proofs.whole.small_disk import kept_full, make_room, small_disk
from tests.servers import Server, a_server
from tests.tally import struck

pytestmark = pytest.mark.proof

IS_WHOLE = os.environ.get("DCA_SWEEP") == "all"
OTHERS = (
    "SELECT id FROM information_schema.processlist WHERE db = DATABASE() AND id <> CONNECTION_ID()"
)


@pytest.fixture(scope="module")
def database_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of this module's own, whose global variables may be changed."""
    with a_server(tmp_path_factory.mktemp("mariadb") / "data") as server:
        yield server


@pytest.fixture
def trader(database: DatabaseSettings, bot_env: dict[str, str]) -> Iterator[DatabaseSettings]:
    """The bot's user is one who may do everything in its database, and nothing else."""
    run(
        database,
        "CREATE USER trader IDENTIFIED BY 'open sesame'",
        "GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, INDEX, REFERENCES"
        f" ON `{database.name}`.* TO trader",
    )
    trader = replace(database, user="trader", password="open sesame")
    bot_env.update(database_environment(trader))
    yield trader
    run(database, "DROP USER trader")


@pytest.mark.parametrize("simulator", [LIVELY], indirect=True)
def test_trading_goes_on_though_all_connections_are_killed_again_and_again(
    simulator: Simulator, database: DatabaseSettings, bot: Bot
) -> None:
    add_assets(database)
    bot.start()
    eventually(more_orders_than(simulator, 2), timeout=30)
    over_at = time.monotonic() + (60 if IS_WHOLE else 10)
    killed = 0

    def has_killed_enough() -> bool:
        nonlocal killed
        killed += kill_connections(database)
        assert always(read_books(database, simulator)) == []
        return time.monotonic() > over_at and killed > 20  # there are few on a slow machine

    eventually(has_killed_enough, timeout=180)
    struck("KILL of a connection", killed)
    trade_on(simulator)
    agree_and_end(database, simulator, bot)


@pytest.mark.parametrize("simulator", [LIVELY], indirect=True)
def test_connections_that_the_server_closes_for_idleness_are_no_news(
    simulator: Simulator, database: DatabaseSettings, bot: Bot, bot_env: dict[str, str]
) -> None:
    # read every second, none would be idle for long unless trading happened to open many
    bot_env["ASSET_REFRESH_SECONDS"] = "20"
    run(database, "SET GLOBAL wait_timeout = 8")  # longer than a machine stalls amid a transaction
    try:
        add_assets(database, *EIGHT)
        bot.start()
        eventually(more_orders_than(simulator, 10), timeout=30)
        simulator.post("/sim/walk", {"on": False})
        before = aborted(database)
        eventually(lambda: aborted(database) > before, timeout=60)
        struck("connection closed by wait_timeout", aborted(database) - before)
        simulator.post("/sim/walk", {"on": True})
        trade_on(simulator, 6)
        agree_and_end(database, simulator, bot)
        assert " ERROR " not in bot.output
        assert "connection to the database" not in bot.output
    finally:
        run(database, "SET GLOBAL wait_timeout = DEFAULT")


@pytest.mark.parametrize("simulator", [LIVELY], indirect=True)
def test_a_database_that_only_reads_stops_trading_until_it_writes_again(
    simulator: Simulator,
    database: DatabaseSettings,
    trader: DatabaseSettings,
    bot: Bot,
    bot_env: dict[str, str],
) -> None:
    # an asset says so again only once it has traded: who hasn't since is heard at DEBUG alone
    bot_env["LOG_LEVEL"] = "DEBUG"
    add_assets(database)
    bot.start()
    eventually(more_orders_than(simulator, 3), timeout=30)
    for _ in range(3):
        says_so = new_line(bot, "can't write")
        run(database, "SET GLOBAL read_only = ON")
        try:
            eventually(says_so, timeout=60)
            struck("database is read only")
            assert always(read_books(database, simulator)) == []
        finally:
            run(database, "SET GLOBAL read_only = OFF")
        trade_on(simulator, 1, 90)
    agree_and_end(database, simulator, bot)
    lines = [line for line in bot.output.splitlines() if "can't write" in line]
    assert any(" DEBUG " not in line for line in lines)


@pytest.mark.parametrize("simulator", [LIVELY], indirect=True)
def test_a_row_that_an_sql_client_holds_locked_stops_only_its_asset(
    simulator: Simulator, database: DatabaseSettings, bot: Bot
) -> None:
    add_assets(database)
    bot.start()
    eventually(more_orders_than(simulator, 3), timeout=30)
    says_so = new_line(bot, "another connection holds a row of this asset locked")
    with locked_asset(database, "BTC/USD"):
        held_since = time.monotonic()
        eventually(says_so, timeout=120)
        count = orders_of(simulator, "ETH/USD")
        eventually(lambda: orders_of(simulator, "ETH/USD") > count + 2, timeout=120)
        seconds = 20 if IS_WHOLE else 12
        eventually(lambda: time.monotonic() - held_since > seconds, timeout=60)
        assert always(read_books(database, simulator)) == []
        count = orders_of(simulator, "BTC/USD")
    struck("asset's row held locked")
    eventually(lambda: orders_of(simulator, "BTC/USD") > count, timeout=120)
    agree_and_end(database, simulator, bot)


@pytest.mark.parametrize("simulator", [LIVELY], indirect=True)
def test_a_full_disk_for_logs_and_heartbeat_does_not_stop_the_trading(
    simulator: Simulator,
    database: DatabaseSettings,
    bot_env: dict[str, str],
    tmp_path: Path,
) -> None:
    add_assets(database)
    with small_disk(tmp_path / "small", 1) as disk:
        env = {**bot_env, "LOG_DIR": str(disk), "HEARTBEAT_MAX_AGE_SECONDS": "10"}
        bot = Bot(env, tmp_path, is_found_by_watchdog=True)
        try:
            bot.start()
            eventually(more_orders_than(simulator, 3), timeout=30)
            says_so = new_line(bot, "no heartbeat can be written")
            eventually(kept_full(disk, says_so), timeout=30)
            struck("disk of LOG_DIR full")
            last_whole_beat = (disk / "main_app.heartbeat").read_text()
            assert heartbeat.read(disk)
            full_since = time.monotonic()
            trade_on(simulator, 6)
            eventually(lambda: time.monotonic() - full_since > 15, timeout=30)
            assert (disk / "main_app.heartbeat").read_text() == last_whole_beat
            watched = run_script("watchdog.py", env=env)
            assert "main_app.py is well" in watched.stdout + watched.stderr, watched
            assert "make room" in watched.stdout + watched.stderr
            assert watched.returncode == 1  # for the disk's sake
            make_room(disk)
            assert run_script("watchdog.py", env=env).returncode == 0
            agree_and_end(database, simulator, bot)
        finally:
            bot.kill()
            print(bot.output[-3000:])


@pytest.mark.parametrize("simulator", [LIVELY], indirect=True)
def test_a_full_disk_of_the_database_stops_trading_until_there_is_room(
    simulator: Simulator, bot_env: dict[str, str], tmp_path: Path
) -> None:
    with small_disk(tmp_path / "small", 220) as disk, PrivateMariaDb(disk / "mariadb") as server:
        database = server.create_database("crowded")
        apply_sql(database, (PROJECT_ROOT / "sql" / "schema.sql").read_bytes())
        add_assets(database, *EIGHT)
        bot = Bot({**bot_env, **database_environment(database)}, tmp_path)
        try:
            bot.start()
            eventually(more_orders_than(simulator, 8), timeout=30)
            says_so = new_line(bot, "can't write")
            eventually(kept_full(disk, says_so), timeout=120)
            struck("disk of the database full")
            assert always(read_books(database, simulator)) == []
            make_room(disk)
            trade_on(simulator, 9, 90)
            agree_and_end(database, simulator, bot)
        finally:
            bot.kill()
            print(bot.output[-3000:])


def orders_of(simulator: Simulator, symbol: str) -> int:
    return sum(each["symbol"] == symbol for each in simulator.get("/sim/record")["orders"])


def kill_connections(database: DatabaseSettings) -> int:
    killed = 0
    for row in rows(database, OTHERS):
        with suppress(mysql.connector.Error):  # it may have ended by itself
            run(database, f"KILL {row['id']}")
            killed += 1
    return killed


def aborted(database: DatabaseSettings) -> int:
    """How many connections the server has closed on its own so far."""
    return int(rows(database, "SHOW GLOBAL STATUS LIKE 'Aborted_clients'")[0]["Value"])


def run(database: DatabaseSettings, *statements: str) -> None:
    with closing(sql_client(database)) as connection, closing(connection.cursor()) as cursor:
        for statement in statements:
            cursor.execute(statement)
        connection.commit()
