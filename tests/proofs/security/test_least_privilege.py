"""The README's GRANT is enough for everything, and a line shows the right that is missing."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import mysql.connector
import pytest

from dca_bot.program.errors import DcaError
from dca_bot.program.settings import PROJECT_ROOT, DatabaseSettings
from dca_bot.store.failures import TO_COMPLETE, TO_TRADE
from dca_bot.store.schema import ensure_schema
from dca_sandbox.private_mariadb import PrivateMariaDb
from tests.helpers import (
    Simulator,
    apply_sql,
    database_environment,
    eventually,
    pipe_sql,
    run_script,
)
from tests.proofs.whole.auditor import rows
from tests.proofs.whole.busy import Bot, add_assets
from tests.store.sql_helpers import SqlClient

README = (PROJECT_ROOT / "README.md").read_text()
SCHEMA = (PROJECT_ROOT / "sql" / "schema.sql").read_bytes()
PASTED = (PROJECT_ROOT / "tests" / "store" / "readme.sql").read_bytes()
SETUP = README.partition("### 5.2.")[2].partition("**Table: ")[0]
AS_ADMINISTRATOR = re.findall(r'^ *(sudo mysql -e "[^"]*")$', SETUP, re.M)
QUIET = ("--no-walk", "--stale-slot-seconds", "0")
CARETAKERS = ("order_manager.py", "cooldown_manager.py", "consistency_checker.py")
DATABASE, USER, PASSWORD = "dca_bot_db", "your_db_user", "your_db_password"
HOST = "127.0.0.1"  # as the private server, which looks up no names, sees who connects
# The private server's user may do everything but give rights away.
MAKE_ADMINISTRATOR = """
UPDATE mysql.global_priv SET priv = JSON_SET(priv, '$.access', 18446744073709551615)
 WHERE user = 'administrator'
"""


class Server:
    """The private server as its administrator sees it."""

    def __init__(self, own_user: DatabaseSettings) -> None:
        self.sql = SqlClient(own_user)
        self.sql.run("CREATE USER administrator IDENTIFIED BY 'admin-password'")
        self.sql.run(MAKE_ADMINISTRATOR)
        self.sql.run("FLUSH PRIVILEGES")
        self._settings = replace(own_user, user="administrator", password="admin-password")

    def run(self, statement: str) -> None:
        apply_sql(self._settings, statement.encode())

    def shell(self, line: str) -> None:
        """A line of the README, which a shell takes apart before MySQL's client does."""
        there = self._settings
        client = shutil.which("mariadb") or shutil.which("mysql")
        line = line.replace("'localhost'", f"'{HOST}'").replace("sudo mysql", '"$@"')
        command = [client, "--no-defaults", "--protocol=tcp", f"--host={there.host}"]
        command += [f"--port={there.port}", f"--user={there.user}"]
        done = subprocess.run(
            ["sh", "-c", line, "sh", *map(str, command)],
            env={"PATH": "/usr/bin:/bin", "MYSQL_PWD": there.password},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr

    def close(self) -> None:
        self.sql.run("DROP USER administrator")
        self.sql.close()


@pytest.fixture
def server(empty_database: DatabaseSettings) -> Iterator[Server]:
    server = Server(empty_database)
    yield server
    server.run(f"DROP DATABASE IF EXISTS {DATABASE}; DROP USER IF EXISTS '{USER}'@'{HOST}'")
    server.close()


@pytest.fixture
def readmes(server: Server, mariadb: PrivateMariaDb) -> DatabaseSettings:
    """Database and user exactly as the README's lines make them."""
    for line in AS_ADMINISTRATOR:
        server.shell(line)
    return DatabaseSettings(HOST, mariadb.port, USER, PASSWORD, DATABASE)


@pytest.fixture
def env(bot_env: dict[str, str], readmes: DatabaseSettings) -> dict[str, str]:
    return bot_env | database_environment(readmes)


def printed_grants(text: str) -> list[str]:
    return re.findall(r"GRANT [A-Z, ]+ ON `[^`]+`\.\* TO '[^']*'@'[^']*'", text)


def test_the_readme_grants_what_the_messages_name_and_nothing_more() -> None:
    lines = "\n".join(AS_ADMINISTRATOR).replace("\\`", "`")
    rights = [re.findall(r"GRANT (.+) ON", grant)[0] for grant in printed_grants(lines)]
    assert rights == [f"{TO_TRADE}, {TO_COMPLETE}"]
    assert "ALL PRIVILEGES" not in lines


def test_the_right_to_one_database_is_no_right_to_similar_ones(
    server: Server, readmes: DatabaseSettings
) -> None:
    server.run("CREATE DATABASE dcaxbotxdb; CREATE TABLE dcaxbotxdb.other (id INT)")
    try:
        with pytest.raises(mysql.connector.Error, match="denied"):
            apply_sql(readmes, b"SELECT * FROM dcaxbotxdb.other")
    finally:
        server.run("DROP DATABASE dcaxbotxdb")


@pytest.mark.parametrize("simulator", [QUIET], indirect=True)
@pytest.mark.parametrize("by_hand", [pytest.param(True, marks=pytest.mark.proof), False])
def test_a_whole_cycle_and_all_caretakers(
    server: Server,
    readmes: DatabaseSettings,
    env: dict[str, str],
    simulator: Simulator,
    tmp_path: Path,
    *,
    by_hand: bool,
) -> None:
    """By hand: the tables are piped in first, and then the right to make them is taken back."""
    if by_hand:
        pipe_sql(readmes, SCHEMA)
        pipe_sql(readmes, SCHEMA)
        server.run(f"REVOKE {TO_COMPLETE} ON `dca\\_bot\\_db`.* FROM '{USER}'@'{HOST}'")
    else:
        apply_sql(readmes, PASTED.partition(b"INSERT INTO")[0])
    bot = Bot(env, tmp_path)
    bot.start()
    try:
        eventually(lambda: "quote stream" in bot.output or "trade stream" in bot.output, 30)
        add_assets(readmes, "BTC/USD", percent="1")

        def status_is(status: str, **quote: int) -> bool:
            simulator.post("/sim/quote", {"symbol": "BTC/USD", **quote})
            return bool(rows(readmes, f"SELECT 1 FROM dca_cycles WHERE status = '{status}'"))  # noqa: S608

        def holds_coins() -> bool:
            simulator.post("/sim/quote", {"symbol": "BTC/USD", "bid": 50_000, "ask": 50_000})
            return bool(rows(readmes, "SELECT 1 FROM dca_cycles WHERE quantity > 0"))

        eventually(holds_coins, timeout=30)
        eventually(lambda: status_is("complete", bid=51_000, ask=51_010), timeout=30)
        second = run_script("main_app.py", env=env | {"LOG_DIR": str(tmp_path / "second")})
        assert second.returncode == 1
        assert "already trades this database" in second.stdout
        for name in CARETAKERS:
            done = run_script(name, env=env)
            assert (done.returncode, done.stderr) == (0, ""), done.stdout
        assert bot.end() == 0
    finally:
        bot.kill()
    assert "GRANT" not in bot.output


@pytest.mark.parametrize("right", TO_TRADE.split(", "))
def test_a_missing_right_is_named_with_the_grant_that_mends_it(
    server: Server, readmes: DatabaseSettings, env: dict[str, str], right: str
) -> None:
    pipe_sql(readmes, SCHEMA)
    add_assets(readmes, "BTC/USD")
    asset = "(SELECT id FROM dca_assets)"
    apply_sql(
        readmes,
        f"INSERT INTO dca_cycles (asset_id, status) VALUES ({asset}, 'cooldown')".encode(),  # noqa: S608
    )
    server.run(f"REVOKE {right} ON `dca\\_bot\\_db`.* FROM '{USER}'@'{HOST}'")
    # it inserts a cycle where one is missing, and ends a cooldown
    script = "cooldown_manager.py" if right != "INSERT" else "consistency_checker.py"
    if right == "INSERT":
        server.run("DELETE FROM dca_bot_db.dca_cycles")
    done = run_script(script, env=env)
    assert done.returncode == 1
    [grant] = set(printed_grants(done.stdout))
    server.run(grant)
    assert run_script(script, env=env).returncode == 0


@pytest.mark.parametrize("right", TO_COMPLETE.split(", "))
def test_a_missing_right_to_make_tables_is_named_too(
    server: Server, readmes: DatabaseSettings, right: str
) -> None:
    server.run(f"REVOKE {right} ON `dca\\_bot\\_db`.* FROM '{USER}'@'{HOST}'")
    try:
        ensure_schema(readmes)
    except DcaError as error:
        [grant] = printed_grants(str(error))
    else:
        pytest.skip(f"this server makes the tables without {right}; MySQL does not")
    assert f"{TO_TRADE}, {TO_COMPLETE}" in grant
    server.run(grant)
    pipe_sql(readmes, SCHEMA)


def test_a_user_without_any_right_is_shown_the_grant(
    server: Server, readmes: DatabaseSettings, env: dict[str, str]
) -> None:
    pipe_sql(readmes, SCHEMA)
    server.run(f"REVOKE ALL PRIVILEGES ON `dca\\_bot\\_db`.* FROM '{USER}'@'{HOST}'")
    done = run_script("cooldown_manager.py", env=env)
    assert done.returncode == 1
    [grant] = set(printed_grants(done.stdout))
    server.run(grant)
    assert run_script("cooldown_manager.py", env=env).returncode == 0


EVIL_SYMBOLS = (
    "'; DROP TABLE dca_orders",
    "\\'; DROP TABLE dca_cycle",
    '" OR 1=1 -- %s %(x)s',
    "a\\\0\n\r\x1a`b",
)


@pytest.fixture
def sql(database: DatabaseSettings) -> Iterator[SqlClient]:
    with closing(SqlClient(database)) as client:
        yield client


@pytest.mark.parametrize("simulator", [QUIET], indirect=True)
def test_no_symbol_is_ever_a_statement(
    sql: SqlClient, bot_env: dict[str, str], simulator: Simulator, tmp_path: Path
) -> None:
    for symbol in EVIL_SYMBOLS:
        sql.run(
            "INSERT INTO dca_assets (asset_symbol, base_order_amount, safety_order_amount,"
            " max_safety_orders, safety_order_deviation, take_profit_percent, cooldown_period,"
            " buy_order_price_deviation_percent) VALUES (%s, 20, 20, 1, 1, 1, 0, 1)",
            symbol,
        )
    before = sql.rows("SELECT asset_symbol FROM dca_assets ORDER BY id")
    tables = sql.rows("SHOW TABLES")
    assert [row[0] for row in before] == list(EVIL_SYMBOLS)
    bot = Bot(bot_env, tmp_path)
    bot.start()
    try:
        said = "not traded until its row is corrected"
        eventually(lambda: bot.output.count(said) == len(EVIL_SYMBOLS), timeout=60)
    finally:
        bot.kill()
    for name in CARETAKERS:
        assert run_script(name, env=bot_env).returncode in (0, 1)
    assert sql.rows("SELECT asset_symbol FROM dca_assets ORDER BY id") == before
    assert sql.rows("SHOW TABLES") == tables
