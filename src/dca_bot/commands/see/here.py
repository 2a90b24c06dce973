"""The bot of this installation, looked at once: what most verbs begin with."""

from __future__ import annotations

from dca_bot.program.clock import utc_now
from dca_bot.program.setting_groups import StoreSettings
from dca_bot.program.settings import read_mode
from dca_bot.report.health import health_of
from dca_bot.report.now import HealthReport, Now
from dca_bot.report.reader import Reader
from dca_bot.report.snapshot import take_snapshot


def look_here(reader: Reader, settings: StoreSettings) -> tuple[Now, HealthReport]:
    """Everything as it is now, and how the bot is."""
    log_dir = settings.log.dir
    reader.look_again()
    now = take_snapshot(reader, log_dir, utc_now(), mode=read_mode())
    age_max = settings.limits.heartbeat_max_age_seconds
    return now, health_of(now, log_dir, beat_age_max=age_max)
