"""Whether `main_app.py` is well, judged by the signs of life that it leaves.

Rule: a process that merely exists says little, so its own loop's heartbeat and both streams count.
A bot that waits for the database, or at its start for Alpaca, needs no restart: it goes on by
itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

# main_app.py connects a silent stream anew by itself, within a minute.  One that stays silent for
# longer than this needs a new process.
STREAM_AGE_MAX_SECONDS = 300.0


class ProcessHealth(StrEnum):
    WELL = "well"
    STARTING = "starting"
    STOPPED = "stopped"
    HUNG = "hung"
    MUTE = "mute"


@dataclass(frozen=True, slots=True)
class SignsOfLife:
    """What is to be seen of the process.  Ages in seconds; None: never seen or heard."""

    running_seconds: float | None = None  # None: there is no such process
    beat_age_seconds: float | None = None  # None: this process has not beaten yet
    quote_age_seconds: float | None = None
    trade_stream_age_seconds: float | None = None
    symbols: int = 0
    database_reachable: bool = True
    waits_for: str = ""  # at its start, before it has streams


@dataclass(frozen=True, slots=True)
class Verdict:
    """`why` is for a human: what was compared with what."""

    health: ProcessHealth
    why: str


def judge(signs: SignsOfLife, beat_age_max: float) -> Verdict:
    """Given the signs of life, say how `main_app.py` is.

    1. No process: stopped.
    2. No heartbeat of this process for too long: hung; a young one is starting.  One from the
       future is no sign of life either: the clock was set back, or the file is not the bot's.
    3. Still waiting at its start, with its heartbeat going: well.
    4. A stream silent for minutes, quotes only where any are expected: mute.
    """
    running, beat = signs.running_seconds, signs.beat_age_seconds
    if running is None:
        return Verdict(ProcessHealth.STOPPED, "it is not running")
    if beat is None and running <= beat_age_max:
        return Verdict(ProcessHealth.STARTING, f"started {running:.0f} s ago, no heartbeat yet")
    if beat is None:
        return Verdict(ProcessHealth.HUNG, f"running for {running:.0f} s without any heartbeat")
    if abs(beat) > beat_age_max:
        beat_age = f"{beat:.0f} s old" if beat > 0 else f"{-beat:.0f} s in the future"
        return Verdict(
            ProcessHealth.HUNG, f"its last heartbeat is {beat_age}, the limit is {beat_age_max:.0f}"
        )
    if signs.waits_for:
        why = f"heartbeat {max(0.0, beat):.0f} s ago, but it waits for {signs.waits_for}"
        return Verdict(ProcessHealth.WELL, why)
    for stream, age, is_expected in (
        ("trade stream", signs.trade_stream_age_seconds, True),
        ("quote stream", signs.quote_age_seconds, signs.symbols > 0),
    ):
        silence = running if age is None else age + beat
        if is_expected and silence > STREAM_AGE_MAX_SECONDS:
            limit = STREAM_AGE_MAX_SECONDS
            why = f"its {stream} has been silent for {silence:.0f} s, the limit is {limit:.0f}"
            return Verdict(ProcessHealth.MUTE, why)
    away = "" if signs.database_reachable else ", but it waits for the database"
    return Verdict(ProcessHealth.WELL, f"heartbeat {max(0.0, beat):.0f} s ago{away}")
