"""How the bot that runs trades: live, paper or simulated.

Rule: only a bot that runs says it; what an earlier run saw may be of another account.
"""

from __future__ import annotations

from dca_bot.watchdog.heartbeat import Heartbeat, is_running
from dca_bot.watchdog.sight import Sight


def mode_of_running(seen: Sight | None, beat: Heartbeat | None) -> str:
    """By what it saw last and its last beat; "": no bot runs, or it has not looked yet."""
    if seen is None or beat is None or seen.at < beat.started_at:
        return ""
    return seen.mode if is_running(beat) else ""
