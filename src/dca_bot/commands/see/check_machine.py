"""What `dca doctor` checks without Alpaca: Python, files, database, cron, mail."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from textwrap import shorten

from dca_bot.commands.see.findings import Finding, bad, note, ok
from dca_bot.program.channel_settings import read_channel_settings
from dca_bot.program.clock import utc_now
from dca_bot.program.errors import DcaError, SettingsError
from dca_bot.program.files import exposed, tail
from dca_bot.program.log_text import printable
from dca_bot.program.setting_groups import PROJECT_ROOT, CommonSettings, DatabaseSettings
from dca_bot.report import queries
from dca_bot.report.numbers import age_in_words
from dca_bot.report.reader import Reader
from dca_bot.store.failures import TO_TRADE
from dca_bot.store.schema import what_is_missing
from dca_bot.watchdog.bot_process import BotProcess
from dca_bot.watchdog.channels import failing, try_out
from dca_bot.watchdog.health import ProcessHealth
from dca_bot.watchdog.mail import send_mail

PYTHON = (3, 11)
REQUIRED_NAME = re.compile(r"[A-Za-z0-9_.-]+")
FREE_BYTES = 500_000_000
CLOCKS_APART_SECONDS = 2.0
LAST_BYTES = 8_192
LINE_SHOWN = 200
LOG_LINE = re.compile(
    r"(?P<at>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z) (?P<level>[A-Z]+) (?P<words>.+)"
)
SCRIPTS = ("watchdog", "order_manager", "cooldown_manager", "consistency_checker")


def check_python() -> Iterator[Finding]:
    """The interpreter, and the packages that the project names."""
    found = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info < PYTHON:
        yield bad("Python", found, "install Python 3.11 or newer")
    else:
        yield ok("Python", found)
    lacking = []
    for requirement in requires("dca-bot") or []:
        if "extra ==" in requirement:
            continue
        name = REQUIRED_NAME.match(requirement)
        try:
            version(name[0] if name else requirement)
        except PackageNotFoundError:
            lacking.append(requirement)
    if lacking:
        yield bad("packages", f"{', '.join(lacking)} missing", "pip install -r requirements.txt")
    else:
        yield ok("packages", "all there")


def check_files(settings: CommonSettings) -> Iterator[Finding]:
    """`.env`, LOG_DIR and the room on its disk."""
    log_dir = settings.log.dir
    for each in exposed(PROJECT_ROOT / ".env", log_dir):
        problem, _, remedy = each.rpartition(": ")
        yield note("files", problem, remedy)
    there = next(each for each in (log_dir, *log_dir.absolute().parents) if os.path.exists(each))
    if not (there.is_dir() and os.access(there, os.W_OK | os.X_OK)):
        remedy = "make it a directory that this user can write"
        yield bad("LOG_DIR", f"{there} can't be written", remedy)
        return
    free = shutil.disk_usage(there).free
    if free < FREE_BYTES:
        yield bad("disk", f"{free // 1_000_000} MB free at {log_dir}", "make room")
    else:
        can = "can be written" if there == log_dir else "can be made"
        yield ok("LOG_DIR", f"{log_dir} {can}, {free // 1_000_000_000} GB free")


def check_database(settings: DatabaseSettings) -> Iterator[Finding]:
    """That it answers, has all tables, lets the bot write, and shares our time."""
    try:
        with Reader(settings) as reader:
            product, user, at, _ = reader.row(queries.SERVER)
            grants = " ".join(str(row[0]) for row in reader.rows(queries.GRANTS)).upper()
        missing = what_is_missing(settings)
    except DcaError as error:
        problem, _, remedy = str(error).rpartition(": ")
        yield bad("database", problem or str(error), remedy)
        return
    yield ok("database", f"{product} at {settings.host}:{settings.port} as {user}")
    if missing:
        problem = f"{len(missing)} parts are missing, such as {missing[0]}"
        yield bad("tables", problem, "run watchdog.py or `dca add`, or pipe sql/schema.sql in")
    else:
        yield ok("tables", "complete")
    lacking = [right for right in TO_TRADE.split(", ") if right not in grants]
    if lacking and "ALL PRIVILEGES" not in grants:
        yield bad("rights", f"{', '.join(lacking)} not granted", f"GRANT {TO_TRADE} to this user")
    else:
        yield ok("rights", f"{TO_TRADE}")
    assert isinstance(at, datetime), at  # noqa: S101 - UTC_TIMESTAMP() gives one
    apart = abs((utc_now() - at.replace(tzinfo=UTC)).total_seconds())
    if apart > CLOCKS_APART_SECONDS:
        problem = f"the database's clock is {apart:.0f} s from ours"
        yield bad("clocks", problem, "timedatectl set-ntp true, on both machines")


def check_bot(settings: CommonSettings) -> Iterator[Finding]:
    """Whether main_app.py runs and is well."""
    age_max = settings.limits.heartbeat_max_age_seconds
    bot = BotProcess(settings.log.dir, beat_age_max=age_max, clock=utc_now)
    verdict = bot.verdict()
    if verdict.health is ProcessHealth.WELL:
        yield ok("main_app.py", f"runs: {verdict.why}")
    elif verdict.health is ProcessHealth.STOPPED:
        yield note("main_app.py", verdict.why, "watchdog.py starts it")
    else:
        yield bad("main_app.py", f"{verdict.health}: {verdict.why}", "see main_app.log")


def check_cron(settings: CommonSettings) -> Iterator[Finding]:
    """The four lines in this user's crontab, and when each script was last heard of."""
    lines = _crontab()
    if lines is None:
        yield note("cron", "crontab can't be read", "see that docs/crontab.example is installed")
    else:
        lacking = [name for name in SCRIPTS if f"{name}.py" not in lines]
        if lacking:
            problem = f"no line for {', '.join(lacking)}"
            yield note("cron", problem, "install docs/crontab.example")
        else:
            yield ok("cron", "all four lines are there")
    for name in SCRIPTS:
        path = settings.log.dir / f"{name}.log"
        if line := _last_line(path):
            yield _last_words(name, line, path)


def check_mail(settings: CommonSettings, *, send: bool) -> Iterator[Finding]:
    """Whether a mail can be sent; one goes out only when asked for."""
    alerts = settings.alerts
    if alerts is None:
        yield note("mail", "none is configured", "set ALERT_EMAIL_* in .env to hear of troubles")
    elif not send:
        yield ok("mail", f"to {alerts.receiver} by {alerts.smtp_server}; --send sends one")
    elif send_mail(alerts, "dca doctor: a test", "This mail was asked for by `dca doctor --send`."):
        yield ok("mail", f"sent to {alerts.receiver}")
    else:
        problem = f"{alerts.smtp_server}:{alerts.smtp_port} did not take it"
        yield bad("mail", problem, "check ALERT_EMAIL_SMTP_* in .env")


def check_channels(settings: CommonSettings, *, send: bool) -> Iterator[Finding]:
    """Whether the channels of ALERT_URLS take a message, or took the last one."""
    try:
        urls = read_channel_settings().urls
    except SettingsError as error:
        for problem in error.problems:
            yield bad("ALERT_URLS", problem, "edit .env (docs/settings.md has examples)")
        return
    if send:
        words = ("dca doctor: a test", "This message was asked for by `dca doctor --send`.")
        for name, why in try_out(urls, *words):
            yield (
                bad("ALERT_URLS", f"{name}: {why}", "correct it in .env")
                if why
                else ok("ALERT_URLS", f"sent by {name}")
            )
        return
    troubles = failing(settings.log.dir)
    for trouble in troubles:
        yield bad("ALERT_URLS", trouble, "the watchdog tries again; check the address in .env")
    if urls and not troubles:
        yield ok("ALERT_URLS", f"{len(urls)} addresses, none of them fails; --send sends to each")


def _crontab() -> str | None:
    program = shutil.which("crontab")
    if program is None:
        return None
    done = subprocess.run(  # noqa: S603 - the system's own program
        [program, "-l"], capture_output=True, text=True, timeout=10, check=False
    )
    return done.stdout


def _last_line(path: Path) -> str:
    try:
        lines = tail(path, LAST_BYTES).split("\n")
    except OSError:
        return ""
    return next((printable(line) for line in reversed(lines) if line.strip()), "")


def _last_words(name: str, line: str, path: Path) -> Finding:
    """When a script was last heard of, and what it said."""
    found = LOG_LINE.fullmatch(line)
    if found is None:
        return ok(name, shorten(line, LINE_SHOWN, placeholder=" ..."))
    age = age_in_words(utc_now() - datetime.fromisoformat(found["at"]))
    words = shorten(found["words"].removeprefix(f"{name} "), LINE_SHOWN, placeholder=" ...")
    if found["level"] in ("ERROR", "CRITICAL"):
        return note(name, f"{age} ago it said: {words}", f"see {path}")
    return ok(name, f"{age} ago: {words}")
