"""The fixtures that all tests share: a real database, a simulated exchange, an environment."""

import asyncio
import inspect
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import cache
from itertools import count
from pathlib import Path

import hypothesis
import pytest

from dca_bot.program.settings import PROJECT_ROOT, DatabaseSettings
from dca_sandbox.private_mariadb import PrivateMariaDb
from tests.helpers import (
    Simulator,
    SimulatorProcess,
    database_environment,
    pipe_sql,
    sql_client,
)
from tests.proofs.whole.busy import Bot
from tests.servers import Server, a_server
from tests.summary import Summary
from tests.watchdog.mail_server import MailServer

NUMBERS = count(1)
TESTS = Path(__file__).parent
WAIT_FOR_PROCESSES = {"caretakers", "commands", "demo", "integration", "page", "proofs", "watchdog"}

# Whatever the environment says: each worker would compile all tests, and each process all programs.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--proofs", action="store_true", help="run the long proofs as well")


def pytest_configure(config: pytest.Config) -> None:
    # a machine that stands still for a moment has found no counterexample
    hypothesis.settings.register_profile(
        "ours",
        deadline=None,
        suppress_health_check=[hypothesis.HealthCheck.too_slow],
        max_examples=200 if are_proofs_wanted(config) else 50,
    )
    hypothesis.settings.load_profile("ours")
    config.pluginmanager.register(Summary(config), "summary")


def are_proofs_wanted(config: pytest.Config) -> bool:
    """The long proofs run when they are asked for, by the option or by their path."""
    return config.getoption("--proofs") or any(
        "proofs" in each or ".py" in each for each in config.args
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    # begun last, one of these would keep a single worker busy for a minute after all others
    items.sort(key=lambda item: item.path.relative_to(TESTS).parts[0] not in WAIT_FOR_PROCESSES)
    if are_proofs_wanted(config):
        return
    left_out = [item for item in items if item.get_closest_marker("proof")]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if not item.get_closest_marker("proof")]


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """A test that is a coroutine runs in an event loop of its own, for a minute at most."""
    test = pyfuncitem.obj
    if not inspect.iscoroutinefunction(test):
        return None
    wanted = {name: pyfuncitem.funcargs[name] for name in inspect.signature(test).parameters}
    asyncio.run(asyncio.wait_for(test(**wanted), 60))
    return True


@pytest.fixture(scope="session")
def database_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for the whole run; no database that a test makes in it outlives the run."""
    with a_server(tmp_path_factory.mktemp("mariadb")) as server:
        yield server


@pytest.fixture(scope="session")
def mariadb(database_server: Server) -> PrivateMariaDb:
    """The same, for tests of what only a private MariaDB can do."""
    if not isinstance(database_server, PrivateMariaDb):
        pytest.skip("needs a private MariaDB")
    return database_server


@pytest.fixture
def empty_database(database_server: Server) -> Iterator[DatabaseSettings]:
    """A fresh database without any table."""
    # with our number in it, since a given server may serve other runs at the same time
    database = database_server.create_database(f"test_{os.getpid()}_{next(NUMBERS)}")
    yield database
    database_server.drop_database(database.name)


@cache
def tables_on(database_server: Server) -> list[str]:
    """The statements that make the tables of schema.sql at once, without its many steps."""
    model = database_server.create_database(f"test_{os.getpid()}_model")
    pipe_sql(model, (PROJECT_ROOT / "sql" / "schema.sql").read_bytes())
    with closing(sql_client(model)) as connection, closing(connection.cursor()) as cursor:
        cursor.execute("SHOW TABLES")
        names = [name for (name,) in cursor.fetchall()]
        statements = ["SET foreign_key_checks = 0"]  # they come in the order of the alphabet
        for name in names:
            cursor.execute(f"SHOW CREATE TABLE {name}")
            statements += [statement for _, statement in cursor.fetchall()]
    database_server.drop_database(model.name)
    return statements


@pytest.fixture
def database(database_server: Server, empty_database: DatabaseSettings) -> DatabaseSettings:
    """A fresh database with the bot's schema."""
    with closing(sql_client(empty_database)) as connection, closing(connection.cursor()) as cursor:
        for statement in tables_on(database_server):
            cursor.execute(statement)
    return empty_database


@pytest.fixture(scope="session")
def simulators(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Callable[..., SimulatorProcess]]:
    """The processes that tests share, one for each set of options."""
    running: dict[tuple[str, ...], SimulatorProcess] = {}

    def with_options(*options: str) -> SimulatorProcess:
        if options not in running:
            directory = tmp_path_factory.mktemp("simulator")
            process = SimulatorProcess(directory, "--account-per-key", *options)
            with closing(Simulator(process.base_url, "", "")) as nobodys:
                nobodys.post("/sim/walk", {"on": False})
            running[options] = process
        return running[options]

    yield with_options
    for process in running.values():
        process.stop()


@pytest.fixture
def simulator(
    simulators: Callable[..., SimulatorProcess], request: pytest.FixtureRequest
) -> Iterator[Simulator]:
    """A simulated Alpaca of this test's own; with options when parametrized indirectly."""
    options = getattr(request, "param", ())
    process = simulators(*options)
    # each key has an exchange of its own, where any key is taken
    key = process.key_id if "--key" in options else f"{process.key_id}-{next(NUMBERS)}"
    exchange = Simulator(process.base_url, key, process.secret_key)
    yield exchange
    exchange.post("/sim/forget")
    exchange.close()


@pytest.fixture
def bot_env(database: DatabaseSettings, simulator: Simulator, tmp_path: Path) -> dict[str, str]:
    """The whole environment for our scripts: this test's database, exchange and log directory."""
    return {
        "PATH": "/usr/bin:/bin",
        **database_environment(database),
        **simulator.env(),
        "LOG_DIR": str(tmp_path / "logs"),
        # set but empty: a developer's own .env must not send mail from a test
        "ALERT_EMAIL_SENDER": "",
        "ALERT_EMAIL_RECEIVER": "",
        "ALERT_EMAIL_SMTP_SERVER": "",
        "ALERT_URLS": "",
    }


@pytest.fixture
def mail(tmp_path: Path) -> Iterator[MailServer]:
    server = MailServer(tmp_path)
    yield server
    server.stop()


@pytest.fixture
def bot(bot_env: dict[str, str], tmp_path: Path) -> Iterator[Bot]:
    """Not started yet.  When the test fails, its last lines stand beside the failure."""
    bot = Bot(bot_env, tmp_path)
    yield bot
    bot.kill()
    print(bot.output[-6000:])
