"""The verbs that look, called as users call them, on a busy market: with parts of fills, fees, hand
trades and a bot that trades on meanwhile.

Every number is compared with what the exchange's own record says.
"""

from __future__ import annotations

import json
import subprocess
from collections import defaultdict
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from dca_bot.commands.verbs import VERBS as ALL_VERBS
from dca_bot.program.clock import utc_now
from dca_bot.program.settings import PROJECT_ROOT, DatabaseSettings
from tests.commands.called import called
from tests.helpers import (
    Simulator,
    apply_sql,
    database_environment,
    eventually,
    run_script,
    sql_client,
)
from tests.proofs.whole.busy import LIVELY, Bot, add_assets, calm, settle

CENT = Decimal("0.01")
MARKET = (*LIVELY, "--partial-fills", "0.4")
ENOUGH_CYCLES = 4
VERBS = ("status", "cycles", "profit", "honesty", "gains")


class Dca:
    """The command, with exactly this environment."""

    def __init__(self, env: dict[str, str]) -> None:
        self._env = env

    def run(self, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
        return called(*words, env={**self._env, **env})

    def json(self, *words: str, status: int = 0) -> dict[str, Any]:
        done = self.run(*words, "--json")
        assert done.returncode == status, done.stderr
        content = json.loads(done.stdout)
        assert isinstance(content, dict)
        return content


@pytest.fixture
def dca(bot_env: dict[str, str]) -> Dca:
    return Dca(bot_env)


class Moved:
    """What the exchange's record says that the bot's orders have moved, cycle by cycle."""

    def __init__(self, simulator: Simulator) -> None:
        self.net: defaultdict[int, Decimal] = defaultdict(Decimal)
        self.fees: defaultdict[int, Decimal] = defaultdict(Decimal)
        self.paid: defaultdict[int, Decimal] = defaultdict(Decimal)
        for fill in simulator.get("/sim/record")["fills"]:
            name = str(fill["client_order_id"]).split("-")
            if name[0] != "dca":
                continue
            cycle_id, worth = int(name[1]), Decimal(fill["qty"]) * Decimal(fill["price"])
            fee = Decimal(fill["fee"])
            if fill["side"] == "buy":
                self.net[cycle_id] -= worth
                self.paid[cycle_id] += worth
                self.fees[cycle_id] += fee * Decimal(fill["price"])
            else:
                self.net[cycle_id] += worth - fee
                self.fees[cycle_id] += fee


def near(one: Decimal | str, other: Decimal) -> bool:
    return abs(Decimal(one) - other) < CENT


def trade_until(database: DatabaseSettings, simulator: Simulator, bot: Bot, cycles: int) -> None:
    """Let the bot complete so many cycles, then let both sides come to rest."""
    bot.start()
    complete = "SELECT COUNT(*) FROM dca_cycles WHERE status = 'complete'"

    def are_complete() -> bool:
        with closing(sql_client(database)) as connection, closing(connection.cursor()) as cursor:
            cursor.execute(complete)
            (row,) = cursor.fetchall()
        return int(row[0]) >= cycles

    eventually(are_complete, timeout=120)
    calm(simulator)
    settle(database, simulator)


def query(database: DatabaseSettings, sql: str) -> list[Any]:
    with closing(sql_client(database)) as connection, closing(connection.cursor()) as cursor:
        cursor.execute(sql)
        found = list(cursor.fetchall()) if cursor.description else []
        connection.commit()
    return found


@pytest.mark.parametrize("simulator", [MARKET], indirect=True)
def test_every_number_is_what_the_exchange_says_and_the_tie_out_names_what_differs(
    database: DatabaseSettings, simulator: Simulator, bot: Bot, dca: Dca, bot_env: dict[str, str]
) -> None:
    add_assets(database, percent="0.6")
    simulator.post("/sim/trade", {"symbol": "LTC/USD", "side": "buy", "qty": "1"})
    trade_until(database, simulator, bot, ENOUGH_CYCLES)
    moved = Moved(simulator)
    cycles = dca.json("cycles")["cycles"]
    closed = [cycle for cycle in cycles if cycle["status"] == "complete"]
    assert len(closed) >= ENOUGH_CYCLES
    for cycle in closed:
        assert near(cycle["net"], moved.net[cycle["id"]]), cycle
        assert near(cycle["fees"], moved.fees[cycle["id"]]), cycle
        assert near(cycle["invested"], moved.paid[cycle["id"]]), cycle
    total = sum((moved.net[cycle["id"]] for cycle in closed), Decimal(0))
    profit = dca.json("profit")
    assert profit["cycles"] == len(closed)
    assert near(profit["net"], total)
    assert near(sum(Decimal(each["net"]) for each in profit["by_asset"].values()), total)
    assert dca.json("profit", "--from", "2020-01-01", "--to", "2020-01-02")["cycles"] == 0
    by_day = dca.json("profit", "--by", "day")["groups"]
    assert near(sum(Decimal(each["net"]) for each in by_day), total)
    status = dca.json("status")
    assert (status["mode"], near(status["realised_net"], total)) == ("simulated", True)
    check_open_cycles(status, cycles, moved, simulator)
    check_gains(dca, moved)
    check_story(dca, closed[0], moved)
    assert dca.json("tie-out")["differences"] == []
    assert bot.end() == 0
    check_posted_fees(simulator, dca, bot_env)
    check_tie_out(database, simulator, dca)


def check_open_cycles(
    status: dict[str, Any], cycles: list[Any], moved: Moved, simulator: Simulator
) -> None:
    positions = {each["symbol"]: each for each in simulator.get("/v2/positions")}
    by_symbol = {cycle["symbol"]: cycle for cycle in cycles if cycle["completed_at"] is None}
    for asset in status["assets"]:
        cycle_id = by_symbol[asset["symbol"]]["id"]
        held = positions.get(asset["symbol"].replace("/", ""))
        if not Decimal(asset["quantity"]):
            continue
        assert held is not None
        assert Decimal(asset["quantity"]) == Decimal(held["qty"])
        worth = Decimal(asset["quantity"]) * Decimal(asset["bid"])
        expected = worth * Decimal("0.9975") + moved.net[cycle_id]
        assert near(asset["net_if_sold"], expected), asset
        assert near(asset["invested"], moved.paid[cycle_id]), asset


def check_gains(dca: Dca, moved: Moved) -> None:
    lots = dca.json("gains")["lots"]
    fees = sum((Decimal(lot["fees"]) for lot in lots), Decimal(0))
    proceeds = sum((Decimal(lot["proceeds"]) for lot in lots), Decimal(0))
    sold = sum((moved.net[cycle] + moved.paid[cycle] for cycle in moved.net), Decimal(0))
    assert near(proceeds, sold)
    assert 0 < fees < sum(moved.fees.values())


def check_story(dca: Dca, cycle: dict[str, Any], moved: Moved) -> None:
    story = dca.json("cycle", str(cycle["id"]))
    kinds = [event["kind"] for event in story["events"]]
    assert kinds[-1] == "complete"
    assert {"ordered", "filled"} <= set(kinds)
    fees = sum((Decimal(order["fee"]) for order in story["orders"]), Decimal(0))
    assert near(fees, moved.fees[cycle["id"]])


def check_tie_out(database: DatabaseSettings, simulator: Simulator, dca: Dca) -> None:
    assert dca.json("tie-out")["differences"] == []
    orders = query(
        database,
        "SELECT client_order_id, alpaca_order_id FROM dca_orders WHERE filled_quantity > 0"
        " AND kind <> 'take_profit' ORDER BY id LIMIT 4",
    )
    changes = (
        "DELETE FROM dca_orders",
        "UPDATE dca_orders SET filled_quantity = filled_quantity * 2,"
        " received_quantity = received_quantity + filled_quantity / 2",
        "UPDATE dca_orders SET filled_average_price = filled_average_price * 1.001",
        "UPDATE dca_orders SET received_quantity = received_quantity * 0.9",
    )
    for (name, _), change in zip(orders, changes, strict=True):
        query(database, f"{change} WHERE client_order_id = '{name}'")  # noqa: S608 - our own
    simulator.post("/sim/trade", {"symbol": "ETH/USD", "side": "buy", "qty": "0.01"})
    found = dca.json("tie-out", status=1)["differences"]
    by_order = {each["order_id"]: each["kind"] for each in found}
    expected = ["missing fill", "wrong quantity", "wrong price"]
    assert [by_order[order_id] for _, order_id in orders[:3]] == expected
    kinds = [each["kind"] for each in found]
    assert kinds.count("foreign trade") == 1
    assert "fee difference" in kinds
    assert all(each["what"] and each["symbol"] for each in found)


def check_posted_fees(simulator: Simulator, dca: Dca, env: dict[str, str]) -> None:
    """What was estimated is known once the caretaker has asked for what Alpaca posted."""
    assert dca.json("profit")["fees_estimated"]
    simulator.post("/sim/fees", {})
    simulator.post(
        "/sim/faults", {"name": "forbidden", "params": {"path": "/v2/account/activities"}}
    )
    assert run_script("order_manager.py", env=env).returncode == 0
    assert dca.json("profit")["fees_estimated"]
    simulator.post("/sim/faults", {"name": "forbidden", "on": False})
    (Path(env["LOG_DIR"]) / "posted_fees.success").unlink()  # an hour has passed
    assert run_script("order_manager.py", env=env).returncode == 0
    profit, moved = dca.json("profit"), Moved(simulator)
    assert (profit["fees_estimated"], dca.json("status")["cycles_estimated"]) == (False, 0)
    for cycle in dca.json("cycles", "--closed")["cycles"]:
        assert not cycle["fees_estimated"]
        assert near(cycle["net"], moved.net[cycle["id"]]), cycle


@pytest.mark.parametrize("simulator", [(*MARKET, "--no-walk")], indirect=True)
def test_what_was_traded_survives_its_row(
    database: DatabaseSettings, simulator: Simulator, bot: Bot, dca: Dca
) -> None:
    add_assets(database, "BTC/USD", percent="1")
    bot.start()
    price = iter(["100", "102"])
    quote_and_wait(simulator, next(price), lambda: dca.json("cycles", "--open"), "watching", 1)
    quote_and_wait(simulator, next(price), lambda: dca.json("cycles", "--closed"), "complete", 1)
    before = dca.json("profit")
    apply_sql(database, b"DELETE FROM dca_assets")
    after = dca.json("profit")
    assert (after["net"], after["by_asset"]) == (before["net"], before["by_asset"])
    (cycle,) = dca.json("cycles", "--closed", "btcusd")["cycles"]
    assert cycle["symbol"] == "BTC/USD"
    assert dca.json("cycle", str(cycle["id"]))["events"] != []
    assert dca.json("status")["assets"] == []


def quote_and_wait(
    simulator: Simulator, price: str, look: Callable[[], dict[str, Any]], status: str, count: int
) -> None:
    def is_there() -> bool:
        simulator.post("/sim/quote", [{"symbol": "BTC/USD", "bid": price, "ask": price}])
        found = [each for each in look()["cycles"] if each["status"] == status]
        return len([each for each in found if Decimal(each["invested"] or 0)]) >= count

    eventually(is_there, timeout=60)


def test_a_user_who_may_only_read_sees_everything(
    database: DatabaseSettings, simulator: Simulator, bot: Bot, bot_env: dict[str, str]
) -> None:
    add_assets(database)
    bot.start()
    eventually(lambda: bot.is_trading, timeout=30)
    query(database, "CREATE USER IF NOT EXISTS onlooker IDENTIFIED BY 'eyes-only'")
    query(database, f"GRANT SELECT ON `{database.name}`.* TO onlooker")
    try:
        needed = ("PATH", "LOG_DIR", *database_environment(database))
        env = {name: bot_env[name] for name in needed}
        onlooker = Dca(env | {"DB_USER": "onlooker", "DB_PASSWORD": "eyes-only"})
        for verb in VERBS:
            assert onlooker.json(verb)
        assert onlooker.json("why", "BTC/USD")["waits_for"]
        assert onlooker.json("ladder", "BTC/USD", "--price", "100")["rungs"]
        assert onlooker.json("status")["mode"] == "simulated"
    finally:
        query(database, "DROP USER onlooker")


def test_before_the_bot_has_begun_a_ladder_starts_at_the_ask_of_now(
    database: DatabaseSettings, simulator: Simulator, dca: Dca
) -> None:
    add_assets(database)
    calm(simulator)
    simulator.post("/sim/quote", [{"symbol": "BTC/USD", "bid": "99", "ask": "100"}])
    first, *_ = dca.json("ladder", "BTC/USD")["rungs"]
    assert Decimal(first["trigger"]) == Decimal(100)


def test_tables_fit_into_80_columns_without_colours_and_in_ascii(
    database: DatabaseSettings, dca: Dca
) -> None:
    add_assets(database)
    columns = "client_order_id, asset_id, symbol, cycle_id, status, created_at, kind"
    for kind, price in (("base", "0.000005196"), ("take_profit", "0.000005348")):
        query(
            database,
            f"INSERT INTO dca_orders ({columns}, quantity, filled_quantity, filled_average_price, "  # noqa: S608
            f"received_quantity) VALUES ('{kind}', 1, 'SHIB/USD', 7, 'filled', '2026-01-01', "
            f"'{kind}', 229489386.115892139, 229489386.115892139, {price}, 229489386.115892139)",
        )
    query(database, "UPDATE dca_orders SET fee = 3.0682, rung = 9")
    listed = ((verb,) for verb in VERBS)
    ladder = ("ladder", "btcusd", "--price", "64000")
    for words in (*listed, ladder, ("gains", "--year", "2026"), ("cycle", "7")):
        shown = dca.run(*words, LANG="C", COLUMNS="80").stdout
        assert shown
        assert shown.isascii()
        assert not {"\x1b", "~"} & set(shown)  # "~" stands for what was cut off
        assert max(map(len, shown.splitlines())) <= 80, words


def test_the_list_of_cycles_in_json_is_whole_unless_it_is_asked_for_the_last(
    database: DatabaseSettings, dca: Dca
) -> None:
    rows = ", ".join(
        f"({number}, 1, 'BTC/USD', 'complete', 0, 20, 21, 0, 1, 0, '2026-01-01 12:00:00')"
        for number in range(1, 2_102)
    )
    columns = (
        "cycle_id, asset_id, symbol, status, safety_orders, cost, proceeds, fees, net, "
        "left_quantity, completed_at"
    )
    query(database, f"INSERT INTO dca_results ({columns}) VALUES {rows}")  # noqa: S608
    assert len(dca.json("cycles")["cycles"]) == 2_101
    assert len(dca.json("cycles", "--last", "3")["cycles"]) == 3
    add_assets(database)
    running = "SELECT id, 'watching' FROM dca_assets"
    query(database, f"INSERT INTO dca_cycles (asset_id, status) {running}")  # noqa: S608
    in_all = dca.json("cycles")["cycles"]
    active = [cycle for cycle in in_all if cycle["completed_at"] is None]
    assert len(in_all) == 2_101 + len(active)
    assert dca.json("cycles", "--last", "1")["cycles"] == active[:1]
    assert dca.json("cycles", "--last", "1", "--open")["cycles"] == active[:1]
    last = len(active) + 1
    assert dca.json("cycles", "--last", str(last))["cycles"] == in_all[:last]


def test_no_escape_code_of_a_row_reaches_the_terminal(
    database: DatabaseSettings, simulator: Simulator, dca: Dca
) -> None:
    add_assets(database)
    query(database, "UPDATE dca_assets SET asset_symbol = CONCAT(CHAR(27), '[2JX/USD') LIMIT 1")
    for words in (*VERBS, "doctor", "pause", "why none/usd"):
        done = dca.run(*words.split())
        assert "\x1b" not in done.stdout + done.stderr, words
    assert "?[2JX/USD" in dca.run("status").stdout


def test_a_wrong_call_is_one_line_and_status_2(database: DatabaseSettings, dca: Dca) -> None:
    for words in (
        ("stauts",),
        (),
        ("why", "NONE/USD"),
        ("cycle", "4711"),
        ("profit", "--from", "yesterday"),
        ("ladder", "BTC/USD", "--price", "-1"),
    ):
        done = dca.run(*words)
        assert (done.returncode, done.stdout) == (2, ""), words
        assert "Traceback" not in done.stderr
        assert done.stderr


def test_an_order_that_cannot_be_read_hides_no_other_asset(
    database: DatabaseSettings, dca: Dca
) -> None:
    add_assets(database, "BTC/USD", "ETH/USD")
    for asset_id in (1, 2):
        query(
            database,
            f"INSERT INTO dca_cycles (asset_id, status, quantity, average_purchase_price) "  # noqa: S608
            f"VALUES ({asset_id}, 'watching', 1, 100)",
        )
        query(
            database,
            f"INSERT INTO dca_orders (client_order_id, asset_id, cycle_id, kind, status, quantity) "  # noqa: S608
            f"VALUES ('dca-{asset_id}', {asset_id}, {asset_id}, 'base', 'filled', 1)",
        )
    query(database, "UPDATE dca_orders SET status = 'nonsense' WHERE asset_id = 1")
    one, other = sorted(dca.json("status")["assets"], key=lambda each: each["symbol"])
    assert "dca_orders" in one["waits_for"]
    assert "dca_orders" not in other["waits_for"]
    assert Decimal(other["quantity"]) == 1


def test_without_settings_each_verb_names_what_is_missing(tmp_path: Path) -> None:
    empty = Dca({"PATH": "/usr/bin", "LOG_DIR": str(tmp_path), "DB_HOST": "", "DB_USER": ""})
    done = empty.run("status", "--json")
    if (PROJECT_ROOT / ".env").exists():
        pytest.skip("this installation's own .env would be read")
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert "DB_HOST is missing" in line


def test_a_database_that_is_away_is_one_line_and_status_1(bot_env: dict[str, str]) -> None:
    done = Dca(bot_env | {"DB_PORT": "1"}).run("status", "--json")
    assert (done.returncode, done.stdout) == (1, "")
    assert "no database server answers" in done.stderr


def test_the_doctor_finds_nothing_wrong_with_a_bot_that_could_start(
    database: DatabaseSettings, simulator: Simulator, dca: Dca, bot_env: dict[str, str]
) -> None:
    add_assets(database)
    findings = {each["about"]: each for each in dca.json("doctor")["findings"]}
    assert not Path(bot_env["LOG_DIR"]).exists()  # it only looks
    for about in ("Python", "database", "tables", "rights", "Alpaca", "BTC/USD", "LOG_DIR"):
        assert findings[about]["mark"] == "ok", findings[about]
    for about in ("quote stream", "trade stream"):
        assert (findings[about]["mark"], findings[about]["what"]) == ("ok", "connected")
    assert findings["main_app.py"]["mark"] == "note"


def test_the_doctor_tells_what_the_scripts_said_last(
    database: DatabaseSettings, dca: Dca, bot_env: dict[str, str]
) -> None:
    logs = Path(bot_env["LOG_DIR"])
    logs.mkdir(exist_ok=True)
    at = (utc_now() - timedelta(minutes=5)).isoformat(timespec="milliseconds")[:-6] + "Z"
    (logs / "order_manager.log").write_text(f"{at} INFO order_manager done assets=1\n\n")
    (logs / "cooldown_manager.log").write_text("x" * 20_000 + f"\n{at} ERROR cooldown_manager no\n")
    (logs / "watchdog.log").write_text("\x1b[2J\x1b]0;owned\x07 a line of somebody else's\n")
    told = " ".join(dca.run("doctor", COLUMNS="500").stdout.split())
    assert "order_manager: 5 min ago: done assets=1" in told
    assert f"cooldown_manager: 5 min ago it said: no; see {logs}/cooldown_manager.log" in told
    assert "?[2J?]0;owned? a line" in told
    assert "\x1b" not in told


def test_the_doctor_names_a_setting_that_cannot_be_read(dca: Dca) -> None:
    for name in ("LOG_LEVEL", "ALERT_URLS"):
        done = dca.run("doctor", "--json", **{name: "nonsense"})
        assert done.returncode == 1, done.stderr
        bad = [each for each in json.loads(done.stdout)["findings"] if each["mark"] == "bad"]
        assert any(name in each["about"] + each["what"] for each in bad), bad


def test_the_doctor_sends_a_message_to_each_channel_when_asked(dca: Dca) -> None:
    done = dca.run("doctor", "--json", "--send", ALERT_URLS="json://127.0.0.1:1/token42")
    [found] = [
        each for each in json.loads(done.stdout)["findings"] if each["about"] == "ALERT_URLS"
    ]
    assert (found["mark"], "did not take it" in found["what"]) == ("bad", True)
    assert "token42" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    "words",
    [
        ["gains", "--year", "9999"],
        ["profit", "--to", "9999-12-31"],
        ["profit", "--from", "0001-01-01"],
        ["profit", "--from", "2026-03-02", "--to", "2026-03-01"],
        ["tie-out", "--days", "1000000"],
    ],
    ids=" ".join,
)
def test_days_that_cannot_be_are_a_wrong_call(dca: Dca, words: list[str]) -> None:
    done = dca.run(*words)
    assert (done.returncode, done.stdout) == (2, "")
    assert words[-1] in done.stderr


def test_the_doctor_says_what_to_do_about_what_it_finds(
    database: DatabaseSettings, simulator: Simulator, bot_env: dict[str, str]
) -> None:
    apply_sql(database, b"DROP TABLE dca_results")
    wrong = Dca(bot_env | {"APCA_API_BASE_URL": "http://127.0.0.1:1", "LOG_DIR": "/dev/null/logs"})
    findings = {each["about"]: each for each in wrong.json("doctor", status=1)["findings"]}
    assert (findings["tables"]["mark"], findings["Alpaca"]["mark"]) == ("bad", "bad")
    assert "schema.sql" in findings["tables"]["do"]
    assert findings["LOG_DIR"]["what"] == "/dev/null can't be written"
    assert "quote stream" not in findings


def test_tables_can_be_written_to_files(
    database: DatabaseSettings, dca: Dca, tmp_path: Path
) -> None:
    for verb, columns in (("profit", "asset,cycles,net"), ("gains", "symbol,quantity,acquired")):
        file = tmp_path / f"{verb}.csv"
        assert dca.run(verb, "--csv", str(file)).returncode == 0
        assert file.read_text().startswith(columns)
        done = dca.run(verb, "--csv", str(tmp_path / "nowhere" / "x.csv"))
        assert (done.returncode, "name another file" in done.stderr) == (1, True)


def test_help_lists_every_verb_in_a_sentence(dca: Dca) -> None:
    shown = dca.run("--help").stdout
    for verb in (*VERBS, "why", "ladder", "cycle", "tie-out", "doctor"):
        (line,) = [line for line in shown.splitlines() if line.startswith(f"  {verb} ")]
        assert line.endswith(".")
    for verb in ALL_VERBS:
        helped = dca.run(verb, "--help", COLUMNS="80")
        assert (helped.returncode, max(map(len, helped.stdout.splitlines())) <= 80) == (0, True)
    assert dca.run("--version").stdout.startswith("dca ")


def test_where_nobody_looks_at_the_prices_it_says_so(database: DatabaseSettings, dca: Dca) -> None:
    add_assets(database, "BTC/USD")
    status = dca.json("status")
    assert status["health"] == "BLIND"
    assert "main_app.py" in status["reasons"][0]
    assert "main_app.py" in dca.json("why", "BTC/USD")["waits_for"]
