"""integration_test.py as a user runs it: simulated, on an account, refused, interrupted, killed.

A simulated exchange on loopback stands for the paper account here, and the tests' MariaDB for the
server of `.env`.
"""

from __future__ import annotations

import getpass
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from dca_bot.program.errors import DcaError
from dca_bot.program.settings import PROJECT_ROOT, AlpacaSettings, DatabaseSettings
from dca_integration.account import PaperAccount
from dca_integration.guard import Guard
from dca_integration.interruption import Interruption
from dca_integration.report import Report
from dca_integration.scenarios.catalogue import SCENARIOS
from dca_sandbox.private_mariadb import PrivateMariaDb
from tests.caretakers.installation import install, processes_of
from tests.demo.test_demo import HOSTILE
from tests.helpers import Simulator, add_samples, apply_sql, eventually, run_script
from tests.proofs.whole.auditor import rows
from tests.warm import WarmProcess

SCRIPT = "integration_test.py"
RESTING = {"symbol": "SOL/USD", "side": "buy", "type": "limit", "time_in_force": "gtc"}
RESTING |= {"qty": "1", "limit_price": "20"}
ROW = re.compile(r"^ *(\d*)  (passed|FAILED|skipped|not run) +\d+\.\d s  (.+)$", re.M)
# Every scenario's number by its name in the code.
NUMBERS = {each.play.__name__: str(number) for number, each in enumerate(SCENARIOS, start=1)}
DATABASE_ONLY = NUMBERS["cooldowns"]
# Faster than the real one where a test need not wait for it.
QUICK = ("--stale-slot-seconds=0.1", "--rate-limit=0")


@pytest.fixture
def books(database: DatabaseSettings) -> DatabaseSettings:
    """The user's own database, with something in it to lose."""
    add_samples(database, "BTC/USD")
    return database


@pytest.fixture
def untouched(books: DatabaseSettings) -> Iterator[None]:
    """Whatever the test does, DB_NAME stays as it is, and no other database stays."""
    before = everything(books)
    yield
    assert everything(books) == before


def everything(database: DatabaseSettings) -> list[Any]:
    tables = ("dca_assets", "dca_cycles", "dca_orders")
    found = [rows(database, f"SELECT * FROM {table}") for table in tables]  # noqa: S608
    return [*found, rows(database, "SHOW DATABASES")]


def is_clean(simulator: Simulator) -> bool:
    """The account holds nothing but cash."""
    return simulator.get("/v2/positions") == [] and simulator.get("/v2/orders?status=open") == []


def changes(simulator: Simulator) -> list[str]:
    """What clients have asked the exchange to do; questions don't count."""
    return [
        f"{request['method']} {request['path']}"
        for request in simulator.get("/sim/record")["requests"]
        if request["method"] != "GET" and request["path"].startswith("/v2/")
    ]


def announced_processes(directory: Path) -> list[int]:
    """Processes whose environment names the directory."""
    found = []
    for environ in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):
            if str(directory).encode() in environ.read_bytes():
                found.append(int(environ.parent.name))
    return found


def table(output: str) -> dict[str, str]:
    """Result by number; the tear-down's number is empty."""
    return {number: result for number, result, _ in ROW.findall(output)}


def refusal(env: dict[str, str], *arguments: str, status: int = 1) -> str:
    """The one line with which the run is refused."""
    done = run_script(SCRIPT, *arguments, env=env, timeout=120)
    assert done.returncode == status, done.stdout + done.stderr
    assert len(done.stderr.splitlines()) == 1, done.stderr
    for name in ("APCA_API_SECRET_KEY", "DB_PASSWORD"):
        assert env.get(name, "unset") not in done.stdout + done.stderr
    return done.stderr


@pytest.mark.proof
def test_all_scenarios_pass_on_the_simulator(tmp_path: Path) -> None:
    env = {"PATH": "/usr/bin:/bin", "LOG_DIR": str(tmp_path)}
    done = run_script(SCRIPT, "--simulated", env=env, timeout=1200)
    assert done.returncode == 0, done.stdout + done.stderr
    numbers = [str(number) for number in range(1, len(SCENARIOS) + 1)]
    assert table(done.stdout) == dict.fromkeys([*numbers, ""], "passed")
    assert announced_processes(tmp_path) == []
    assert not (tmp_path / "integration_test" / "mariadb").exists()


def test_the_list_needs_nothing() -> None:
    done = run_script(SCRIPT, "--list", env={})
    assert done.returncode == 0
    assert [line[5:] for line in done.stdout.splitlines()] == [each.sentence for each in SCENARIOS]


def test_a_number_that_is_none_is_refused() -> None:
    done = run_script(SCRIPT, "99", env={})
    assert done.returncode == 2
    assert "'99' is not from 1 to" in done.stderr


@pytest.mark.usefixtures("untouched")
def test_on_an_account_it_leaves_everything_as_it_was(
    simulator: Simulator, bot_env: dict[str, str], tmp_path: Path
) -> None:
    chosen = [NUMBERS[name] for name in ("full_cycle", "partial_fill", "orphans", "first_start")]
    done = run_script(SCRIPT, *chosen, env=bot_env, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    full_cycle, partial_fill, orphans, first_start = chosen
    assert table(done.stdout) == {
        full_cycle: "passed",
        partial_fill: "skipped",
        orphans: "passed",
        first_start: "passed",
        "": "passed",
    }
    assert "needs --simulated" in done.stdout
    assert is_clean(simulator)
    assert announced_processes(tmp_path) == []


def test_the_users_own_settings_reach_nothing_that_is_simulated(tmp_path: Path) -> None:
    project = install(tmp_path, HOSTILE)
    done = subprocess.run(
        ["./run_script_wrapper.sh", SCRIPT, "--simulated", DATABASE_ONLY],
        cwd=project,
        env={"PATH": "/usr/bin:/bin"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert table(done.stdout) == {DATABASE_ONLY: "passed", "": "passed"}
    assert processes_of(project) == {}


def test_a_caretaker_that_does_nothing_is_found_out(tmp_path: Path) -> None:
    project = install(tmp_path, {})
    (project / "cooldown_manager.py").write_text("raise SystemExit(0)\n")
    done = subprocess.run(
        [sys.executable, str(project / SCRIPT), "--simulated", DATABASE_ONLY],
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(project / "src")},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 1
    assert table(done.stdout) == {DATABASE_ONLY: "FAILED", "": "passed"}
    assert "cooldown is over: expected watching, seen cooldown" in done.stdout


@pytest.mark.usefixtures("untouched")
def test_an_exchange_that_refuses_fails_the_scenario_and_not_the_next_one(
    simulator: Simulator, bot_env: dict[str, str]
) -> None:
    simulator.post("/sim/faults", {"name": "reject_order", "params": {"side": "buy"}})
    chosen = [NUMBERS["position_differs"], DATABASE_ONLY]
    done = run_script(SCRIPT, *chosen, env=bot_env, timeout=300)
    assert done.returncode == 1
    assert list(table(done.stdout).values()) == ["FAILED", "passed", "passed"]


@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize(
    "url", ["https://api.alpaca.markets", "https://api.alpaca.markets.", "https://example.com"]
)
def test_it_trades_on_no_host_but_papers(url: str, bot_env: dict[str, str]) -> None:
    said = refusal(bot_env | {"APCA_API_BASE_URL": url})
    assert url.removeprefix("https://").rstrip(".") in said
    assert "paper-api.alpaca.markets" in said
    assert ("real money" in said) == ("api.alpaca" in url)


def test_a_missing_setting_is_named(bot_env: dict[str, str]) -> None:
    assert "DB_NAME" in refusal(bot_env | {"DB_NAME": ""}, status=2)


@pytest.mark.usefixtures("untouched")
def test_refused_keys_are_one_line(bot_env: dict[str, str], simulator: Simulator) -> None:
    simulator.post("/sim/faults", {"name": "unauthorized"})
    assert "401" in refusal(bot_env)


@pytest.mark.usefixtures("untouched")
def test_an_account_with_a_position_is_refused_unless_it_may_be_wiped(
    simulator: Simulator, bot_env: dict[str, str]
) -> None:
    simulator.post("/sim/trade", {"symbol": "SOL/USD", "side": "buy", "qty": "0.5"})
    said = refusal(bot_env)
    assert "SOLUSD" in said
    assert "--wipe-account" in said
    assert changes(simulator) == []
    simulator.post("/v2/orders", RESTING)
    done = run_script(SCRIPT, "--wipe-account", DATABASE_ONLY, env=bot_env, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert is_clean(simulator)


@pytest.mark.usefixtures("untouched")
def test_an_account_with_an_open_order_is_refused(
    simulator: Simulator, bot_env: dict[str, str]
) -> None:
    order = simulator.post("/v2/orders", RESTING)
    before = changes(simulator)
    assert order["id"] in refusal(bot_env)
    assert changes(simulator) == before


def test_a_database_of_somebody_elses_is_left_alone_and_the_account_too(
    mariadb: PrivateMariaDb,
    books: DatabaseSettings,
    simulator: Simulator,
    bot_env: dict[str, str],
) -> None:
    foreign = mariadb.create_database(f"{books.name}_integration_test")
    apply_sql(foreign, b"CREATE TABLE dca_assets (mine INT); INSERT INTO dca_assets VALUES (1);")
    simulator.post("/sim/trade", {"symbol": "BTC/USD", "side": "buy", "qty": "0.001"})
    said = refusal(bot_env, "--wipe-account")
    assert foreign.name in said
    assert rows(foreign, "SELECT mine FROM dca_assets") == [{"mine": 1}]
    assert changes(simulator) == []
    mariadb.drop_database(foreign.name)


@pytest.mark.usefixtures("untouched")
def test_the_grant_that_is_named_is_all_that_is_needed(
    mariadb: PrivateMariaDb, books: DatabaseSettings, bot_env: dict[str, str]
) -> None:
    user, password = f"user_{books.name}", "a-password"
    as_administrator(mariadb, f"CREATE USER '{user}'@'127.0.0.1' IDENTIFIED BY '{password}'")
    as_administrator(mariadb, f"GRANT ALL PRIVILEGES ON {books.name}.* TO '{user}'@'127.0.0.1'")
    env = bot_env | {"DB_USER": user, "DB_PASSWORD": password}
    grant = re.search("GRANT .*", refusal(env))
    assert grant
    as_administrator(mariadb, grant[0])
    done = run_script(SCRIPT, DATABASE_ONLY, NUMBERS["both_streams"], env=env, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr


def as_administrator(mariadb: PrivateMariaDb, sql: str) -> None:
    client = shutil.which("mariadb") or shutil.which("mysql")
    assert client, "no MariaDB client: run `apt-get install mariadb-client`"
    # in the server's directory, since a path to a socket must be short
    subprocess.run(
        [
            client,
            "--no-defaults",
            "--socket=server.sock",
            "--skip-ssl",
            f"--user={getpass.getuser()}",
            "-e",
            sql,
        ],
        cwd=mariadb.data_dir / "data",
        check=True,
        timeout=60,
    )


class Run:
    """integration_test.py under way."""

    def __init__(self, env: dict[str, str], output: Path, *arguments: str) -> None:
        self._output = output
        script = str(PROJECT_ROOT / SCRIPT)
        self.process = WarmProcess(script, *arguments, env=env, output=output)

    @property
    def output(self) -> str:
        return self._output.read_text(errors="replace")

    def says(self, words: str) -> None:
        eventually(lambda: words in self.output or self.process.poll() is not None, timeout=120)
        assert words in self.output, self.output

    def end(self) -> int:
        eventually(lambda: self.process.poll() is not None, timeout=120)
        return self.process.wait()


@pytest.fixture
def start(bot_env: dict[str, str], tmp_path: Path) -> Iterator[Callable[..., Run]]:
    """Starts runs; none outlives the test."""
    runs: list[Run] = []

    def start_one(*arguments: str) -> Run:
        runs.append(Run(bot_env, tmp_path / f"run_{len(runs)}", *arguments))
        return runs[-1]

    yield start_one
    for each in runs:
        if each.process.poll() is None:
            each.process.terminate()
            each.process.wait(timeout=120)


@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize("simulator", [QUICK], indirect=True)
@pytest.mark.parametrize(
    "number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.proof)]
)
def test_a_run_that_is_interrupted_puts_everything_back(
    number: signal.Signals, start: Callable[..., Run], simulator: Simulator, tmp_path: Path
) -> None:
    orders, trade = NUMBERS["orphans"], NUMBERS["safety_order"]
    run = start(trade, orders, DATABASE_ONLY)
    eventually(lambda: simulator.get("/v2/positions"), timeout=120)
    # the coins can't be sold at once, so that the second signal meets the tear-down
    simulator.post("/sim/hold")
    run.process.send_signal(number)
    run.says("- tear down")
    run.process.send_signal(number)
    eventually(lambda: run.output.count("! stopping") == 2)
    simulator.post("/sim/release")
    assert run.end() == 128 + number
    assert table(run.output) == {
        trade: "not run",
        orders: "not run",
        DATABASE_ONLY: "not run",
        "": "passed",
    }
    assert is_clean(simulator)
    assert announced_processes(tmp_path) == []


@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize("simulator", [QUICK], indirect=True)
def test_what_a_killed_run_has_left_is_cleared_by_the_next(
    start: Callable[..., Run], simulator: Simulator, tmp_path: Path
) -> None:
    run = start(NUMBERS["hung"])
    run.says("SIGSTOP")  # from now on for some seconds a bot is there that hears no SIGTERM
    run.process.kill()
    run.end()
    eventually(lambda: len(announced_processes(tmp_path)) == 1)  # nobody's child
    simulator.post("/sim/trade", {"symbol": "BTC/USD", "side": "buy", "qty": "0.001"})
    next_run = start("--wipe-account", DATABASE_ONLY)
    assert next_run.end() == 0, next_run.output
    assert is_clean(simulator)
    assert announced_processes(tmp_path) == []


@pytest.mark.usefixtures("untouched")
def test_a_second_run_in_the_same_place_is_refused(
    start: Callable[..., Run], bot_env: dict[str, str]
) -> None:
    first = start(NUMBERS["hung"])
    first.says("SIGSTOP")
    assert "another integration_test.py runs" in refusal(bot_env)


@pytest.mark.usefixtures("untouched")
def test_what_cannot_be_put_back_is_named(simulator: Simulator) -> None:
    url = simulator.base_url
    account = PaperAccount(AlpacaSettings(simulator.key_id, simulator.secret_key, url, url, url))
    report = Report(StringIO())
    ours = (account, ("BTC/USD",), report, Interruption(report))
    hasty, patient = Guard(*ours, clean_seconds=0.5), Guard(*ours)
    for guard in (hasty, patient):
        guard.refuse_what_is_there()
    simulator.post("/sim/trade", {"symbol": "BTC/USD", "side": "buy", "qty": "0.001"})
    simulator.post("/sim/trade", {"symbol": "SOL/USD", "side": "buy", "qty": "1"})
    simulator.post("/sim/faults", {"name": "forbidden", "params": {"method": "DELETE"}})
    with pytest.raises(DcaError, match=r"0\.0009975 BTCUSD: cancel or sell it on Alpaca's site"):
        hasty.put_back()
    simulator.post("/sim/faults", {"name": "forbidden", "on": False})
    patient.put_back()
    assert [position["symbol"] for position in simulator.get("/v2/positions")] == ["SOLUSD"]
