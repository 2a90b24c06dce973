"""How the bot is, in one word with its reasons.

BLIND     nobody looks at the prices: main_app.py is not running, hangs, or hears nothing
PAUSED    somebody has paused it
DEGRADED  it trades, but something needs a human
OK        none of these

Rule: judged by the signs of life in LOG_DIR and by the rows, without asking Alpaca.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from dca_bot.core.model import Allowed
from dca_bot.program.clock import utc_now
from dca_bot.program.setting_groups import CommonSettings
from dca_bot.report.now import HealthLevel, HealthReport, Now
from dca_bot.report.queries import LONG_AGO
from dca_bot.report.reader import Reader
from dca_bot.report.snapshot import take_snapshot
from dca_bot.watchdog import heartbeat
from dca_bot.watchdog.caretaker_marks import caretaker_problems
from dca_bot.watchdog.channels import failing
from dca_bot.watchdog.incidents import PAUSE_FILE_NAME
from dca_bot.watchdog.memory import load
from dca_bot.watchdog.problems import ProblemKind

# The bot reconnects a stream that is silent for 30 s by itself; after a minute it is blind.
QUOTES_SILENT_SECONDS = 60.0
TRADE_STREAM_SILENT_SECONDS = 300.0
SIGHT_AGE_MAX = timedelta(seconds=30)


def look(reader: Reader, settings: CommonSettings, mode: str) -> tuple[Now, HealthReport]:
    """Everything as it is now, and how the bot is; `mode` as `take_snapshot` has it."""
    reader.look_again()
    now = take_snapshot(reader, settings.log.dir, utc_now(), mode=mode)
    age_max = settings.limits.heartbeat_max_age_seconds
    return now, health_of(now, settings.log.dir, beat_age_max=age_max)


def health_of(now: Now, log_dir: Path, *, beat_age_max: float) -> HealthReport:
    """The worst word that something is said of, with everything that is said."""
    blind = list(_blind(now, beat_age_max))
    is_stopped_on_purpose = (log_dir / PAUSE_FILE_NAME).exists() and not _is_running(now)
    degraded = [*_degraded(now), *_missed(now, log_dir), *failing(log_dir)]
    if is_stopped_on_purpose:
        reason = (
            "main_app.py is stopped and the watchdog leaves it so: watchdog.py --resume ends that"
        )
        return HealthReport(HealthLevel.PAUSED, (reason, *degraded))
    restrained, is_all = _restrained(now)
    reasons = (*blind, *restrained, *degraded)
    if blind:
        return HealthReport(HealthLevel.BLIND, reasons)
    if is_all:
        return HealthReport(HealthLevel.PAUSED, reasons)
    level = HealthLevel.DEGRADED if degraded else HealthLevel.OK
    return HealthReport(level, reasons, _no_orders(now))


def _no_orders(now: Now) -> str:
    return now.sight.no_orders if now.sight is not None and _is_running(now) else ""


def _restrained(now: Now) -> tuple[list[str], bool]:
    """What rows may not do by their column `allowed`; whether nothing at all is bought."""
    enabled = [each.asset for each in now.assets if each.asset.is_enabled]
    paused = [asset for asset in enabled if asset.allowed is Allowed.EXIT]
    together = [asset.symbol for asset in paused if asset.allowed_before is not None]
    alone = [asset.symbol for asset in paused if asset.allowed_before is None]
    is_all = bool(paused) and len(paused) == len(enabled)
    reasons = ["every asset is told to buy nothing, take profits go on"] if is_all else []
    if together:
        reasons.append(f"paused together: {', '.join(together)}; dca resume ends that")
    reasons += [f"{symbol} is paused: dca resume {symbol} ends that" for symbol in alone]
    reasons += [
        f"{asset.symbol} begins no new cycle: dca resume {asset.symbol} ends that"
        for asset in enabled
        if asset.allowed is Allowed.CYCLE
    ]
    return reasons, is_all


def _is_running(now: Now) -> bool:
    return now.beat is not None and heartbeat.is_running(now.beat)


def _blind(now: Now, beat_age_max: float) -> Iterator[str]:
    beat = now.beat
    if beat is None:
        yield "main_app.py has left no heartbeat in LOG_DIR: start it, or run watchdog.py"
        return
    age = (now.at - beat.at).total_seconds()
    if not _is_running(now):
        yield f"main_app.py is not running, its last heartbeat is {age:.0f} s old: run watchdog.py"
        return
    if age > beat_age_max:
        yield (
            f"main_app.py hangs: its last heartbeat is {age:.0f} s old, the limit is "
            f"{beat_age_max:.0f} s; the watchdog replaces it"
        )
        return
    if beat.waits_for:
        yield f"main_app.py waits for {beat.waits_for}"
        return
    running = (now.at - beat.started_at).total_seconds()
    quotes = running if beat.quote_age_seconds is None else beat.quote_age_seconds + age
    if beat.symbols and (quotes > QUOTES_SILENT_SECONDS or beat.quote_age_seconds is None):
        yield f"no quotes for {quotes:.0f} s: see main_app.log for what the quote stream says"
    silent = beat.trade_stream_age_seconds
    if silent is not None and silent + age > TRADE_STREAM_SILENT_SECONDS:
        yield f"the trade stream is silent for {silent + age:.0f} s: see main_app.log"


def _missed(now: Now, log_dir: Path) -> Iterator[str]:
    """The caretakers that have run here, and have not succeeded for too long."""
    away_at = load(log_dir).database_away_at
    for problem in caretaker_problems(log_dir, now.at, excused_until=away_at or LONG_AGO):
        yield f"{problem.title}: {problem.sentence}"


def _degraded(now: Now) -> Iterator[str]:
    if now.beat is not None and not now.beat.database_reachable:
        yield "main_app.py does not reach the database: it places no orders until it does"
    if no_orders := _no_orders(now):
        yield no_orders
    problems = now.beat.problems if now.beat is not None and _is_running(now) else ()
    for problem in problems:
        if problem.kind is not ProblemKind.DATABASE:
            yield f"{problem.title}: {problem.sentence}"
    if now.sight is not None and _is_running(now) and now.at - now.sight.at > SIGHT_AGE_MAX:
        yield f"the prices shown are {(now.at - now.sight.at).total_seconds():.0f} s old"
    for each in now.assets:
        if each.problem:
            yield f"{each.asset.symbol} is not traded: {each.problem}"
        elif each.seen.is_paused and each.seen.why and each.asset.is_enabled:
            yield f"{each.asset.symbol}: {each.seen.why}"
