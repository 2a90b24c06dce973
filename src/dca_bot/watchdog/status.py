"""What `watchdog.py --status` says, to a person at a terminal.

Rule: it only looks.  The first line says how the bot is; the next ones what needs a human.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import datetime
from importlib.metadata import version
from pathlib import Path

from dca_bot.program.log_text import event
from dca_bot.watchdog import heartbeat, sight
from dca_bot.watchdog.bot_process import BotProcess
from dca_bot.watchdog.caretaker_marks import caretaker_problems
from dca_bot.watchdog.health import ProcessHealth
from dca_bot.watchdog.incidents import PAUSE_FILE_NAME
from dca_bot.watchdog.memory import load
from dca_bot.watchdog.mode import mode_of_running
from dca_bot.watchdog.problems import ProblemKind

log = logging.getLogger(__name__)

# main_app.py connects a stream that has gone silent anew after half a minute.
SILENT_SECONDS = 60.0


def say_status(bot: BotProcess, now: datetime, booted_at: datetime) -> int:
    """Say it; 0 when the bot is well and nothing needs a human, else 1."""
    verdict = bot.verdict()
    facts: dict[str, object] = {"pid": bot.pid(), "version": version("dca-bot")}
    if mode := mode_of_running(sight.read(bot.directory), heartbeat.read(bot.directory)):
        facts["mode"] = mode
    log.info(event(f"main_app.py is {verdict.health}: {verdict.why}", **facts))
    if (bot.directory / PAUSE_FILE_NAME).exists():
        log.info("the watchdog is paused: a stopped bot stays so until watchdog.py --resume")
    troubles = [*_of_running(bot), *_problems(bot, now, booted_at)]
    for trouble in troubles:
        log.warning("%s", trouble)
    return 0 if verdict.health is ProcessHealth.WELL and not troubles else 1


def _of_running(bot: BotProcess) -> Iterator[str]:
    beat = heartbeat.read(bot.directory)
    if beat is None or bot.pid() != beat.pid or beat.waits_for:
        return
    running = (beat.at - beat.started_at).total_seconds()
    for stream, age, is_expected in (
        ("quote stream", beat.quote_age_seconds, beat.symbols > 0),
        ("trade stream", beat.trade_stream_age_seconds, True),
    ):
        silence = running if age is None else age
        if is_expected and silence > SILENT_SECONDS:
            yield f"its {stream} is not heard, for {silence:.0f} s now: main_app.log says why"
    yield from _unusable_rows(bot.directory)


def _unusable_rows(directory: Path) -> Iterator[str]:
    seen = sight.read(directory)
    for symbol, asset in sorted(seen.assets.items()) if seen else ():
        if asset.problem:
            yield f"{symbol} is not traded: {asset.problem}"


def _problems(bot: BotProcess, now: datetime, booted_at: datetime) -> Iterator[str]:
    """What the running bot names, and the caretakers that are missed (behaviour 14)."""
    of_bot, _ = bot.problems()
    is_away = any(each.kind is ProblemKind.DATABASE for each in of_bot)
    away_at = now if is_away else load(bot.directory).database_away_at
    excuse = max(booted_at, away_at or booted_at)
    missed = caretaker_problems(bot.directory, now, excused_until=excuse)
    for each in (*of_bot, *missed):
        yield f"{each.title}, since {each.since:%Y-%m-%d %H:%M} UTC: {each.sentence}"
