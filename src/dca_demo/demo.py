"""`main_app.py --demo`: the bot on a simulated exchange, from start to end.

Rule: whatever is started or written belongs to `.demo/`; the user's own settings, database and
account are not touched.
"""

from __future__ import annotations

import fcntl
import logging
import secrets
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import NoReturn, Protocol

from rich.console import Console

from dca_bot.program.clock import utc_now
from dca_bot.program.errors import DcaError, StoreUnavailable
from dca_bot.program.setting_groups import PROJECT_ROOT
from dca_bot.report.reader import Reader
from dca_demo import books
from dca_demo.caretakers import Caretakers
from dca_demo.observer import Observer
from dca_demo.page import Page
from dca_demo.state import FEE_RATE, DemoState
from dca_demo.view import MARKET, summary
from dca_sandbox.children import Child, end_strays
from dca_sandbox.environment import environment
from dca_sandbox.exchange import SimulatedExchange
from dca_sandbox.private_mariadb import PrivateMariaDb

DEMO_DIR = PROJECT_ROOT / ".demo"
LOG_DIR = DEMO_DIR / "logs"
DATABASE_NAME = "dca_bot_db"
TICK_SECONDS = 0.25
# Alpaca allows 200; the view asks four times a second, and the bot must not wait because of it.
REQUESTS_PER_MINUTE = 600
END_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Running:
    """What the demo keeps an eye on while it runs."""

    exchange: SimulatedExchange
    bot: Child
    caretakers: Caretakers
    observer: Observer


class Display(Protocol):
    def shown(self) -> AbstractContextManager[object]:
        """What is shown lasts as long as the `with` block."""

    def show(self, state: DemoState) -> None: ...


def run_demo(show_on: Callable[[Console], Display]) -> int:
    """Trade on a market of its own until Ctrl-C; raise DcaError when something is missing."""
    console = Console(highlight=False)
    _say_progress_on(console)
    _obey_signals()
    with _only_demo_here():
        end_strays(_mark())  # of a demo that was killed
        shutil.rmtree(LOG_DIR, ignore_errors=True)
        LOG_DIR.mkdir()
        last = _trade_until_stopped(show_on(console))
    if last is not None:
        log.info(summary(last))
        log.info("the logs are in %s", _shown(LOG_DIR))
    return 0


def _trade_until_stopped(display: Display) -> DemoState | None:
    """Start everything, watch it, stop everything; the last moment, if there was one."""
    last: list[DemoState] = []
    with ExitStack() as started:
        try:
            running = _start(started)
            with display.shown():
                for state in _moments(running):
                    display.show(state)
                    last[:] = [state]
        except KeyboardInterrupt:
            log.info("stopping")
        finally:
            for number in END_SIGNALS:  # stopping takes seconds, and must not be cut short
                signal.signal(number, signal.SIG_IGN)
    return last[0] if last else None


def _start(started: ExitStack) -> Running:
    """Each on what was started before it; `started` ends them in the opposite order."""
    log.info("starting a private MariaDB")
    server = started.enter_context(PrivateMariaDb(DEMO_DIR / "mariadb", durable=False))
    database = server.create_database(DATABASE_NAME)
    books.fill(database)
    seed = secrets.randbelow(1_000_000)
    log.info("starting a simulated exchange, seed %s; its market makes %s", seed, MARKET)
    exchange = SimulatedExchange(
        LOG_DIR,
        "--lively",
        f"--seed={seed}",
        f"--taker-bps={FEE_RATE * 10_000:f}",
        f"--rate-limit={REQUESTS_PER_MINUTE}",
    )
    started.callback(exchange.stop)
    log.info("starting main_app.py, and the caretakers every few seconds")
    variables = environment(database, exchange.settings, LOG_DIR)
    reader = started.enter_context(Reader(database))
    # A main_app.py that watchdog.py had to start is not our child.
    started.callback(end_strays, _mark())

    def start_script(script: str) -> Child:
        command = [sys.executable, str(PROJECT_ROOT / script)]
        return Child(Path(script).stem, command, environment=variables, log_dir=LOG_DIR)

    caretakers = Caretakers(start_script, utc_now())
    page = Page(variables, LOG_DIR)
    started.callback(page.stop)
    log.info("its page is at %s", page.address)
    observer = Observer(exchange, reader, caretakers, LOG_DIR, page=page.address)
    bot = start_script("main_app.py")
    started.callback(bot.stop)
    started.callback(caretakers.stop)
    return Running(exchange, bot, caretakers, observer)


def _moments(running: Running) -> Iterator[DemoState]:
    """One state after the other, for as long as everything runs; raise DcaError."""
    while True:
        if running.exchange.child.exit_status() is not None:
            raise _ended(running.exchange.child)
        has_ended = running.bot.exit_status() is not None
        if running.observer.heartbeat() is not None:
            # From its first heartbeat on the bot is the watchdog's care, as in real life.
            running.caretakers.tick(utc_now())
        elif has_ended:
            raise _ended(running.bot)
        try:
            state = running.observer.observe()
        except StoreUnavailable as error:
            raise DcaError("the private MariaDB has ended: start the demo again") from error
        yield state
        time.sleep(TICK_SECONDS)


def _ended(child: Child) -> DcaError:
    return DcaError(
        f"{child.name} ended with status {child.exit_status()}: {child.last_line()}: "
        f"read {_shown(child.log_path)}, then start the demo again"
    )


@contextmanager
def _only_demo_here() -> Iterator[None]:
    """Hold `.demo/lock`, which the kernel lets go of however the demo ends; raise DcaError."""
    try:
        DEMO_DIR.mkdir(exist_ok=True)
        lock = (DEMO_DIR / "lock").open("a")
    except OSError as error:
        raise DcaError(
            f"the demo cannot write its folder ({error}): make {_shown(DEMO_DIR)} writable"
        ) from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise DcaError("another demo runs here: end it with Ctrl-C first") from error
        yield


class _Progress(logging.Handler):
    """What the demo is about to do, in plain words."""

    def __init__(self, console: Console) -> None:
        super().__init__()
        self._console = console

    def emit(self, record: logging.LogRecord) -> None:
        with suppress(OSError):  # of a terminal that is gone
            self._console.print(record.getMessage(), markup=False, soft_wrap=True)


def _say_progress_on(console: Console) -> None:
    # Not on the root: last words then go to stderr, as with every script that has no log yet.
    for package in ("dca_demo", "dca_sandbox"):
        ours = logging.getLogger(package)
        ours.addHandler(_Progress(console))
        ours.setLevel(logging.INFO)


def _obey_signals() -> None:
    # A shell script that starts us in the background leaves SIGINT ignored, and its way to end us
    # would not work.  A closed terminal ends the demo too, unless nohup has forbidden that.
    signal.signal(signal.SIGINT, _interrupt)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        signal.signal(signal.SIGHUP, _interrupt)


def _interrupt(number: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt(number)


def _mark() -> str:
    return f"LOG_DIR={LOG_DIR}"


def _shown(path: Path) -> str:
    return str(path.relative_to(PROJECT_ROOT))
