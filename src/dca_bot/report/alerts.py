"""What people want to hear of: stop losses, sales by hand, limits that were reached, trades,
and a digest.  In sentences, out of `dca_events`.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from dca_bot.core.model import OrderKind
from dca_bot.core.records import EventKind
from dca_bot.program.channel_settings import ChannelSettings, Digest
from dca_bot.program.clock import utc_now
from dca_bot.program.errors import SettingsError, StoreUnavailable
from dca_bot.program.setting_groups import CommonSettings
from dca_bot.program.settings import read_mode, read_store_settings
from dca_bot.report import queries
from dca_bot.report.health import health_of
from dca_bot.report.numbers import how_many
from dca_bot.report.profit import totals
from dca_bot.report.reader import Reader, known, whole
from dca_bot.report.snapshot import take_snapshot
from dca_bot.store.values import Row
from dca_bot.watchdog.agreement import agreement
from dca_bot.watchdog.incidents import Incidents

log = logging.getLogger(__name__)

ALWAYS = re.compile(r"DAILY_LOSS_LIMIT|dca panic|dca close")
URGENT_ORDERS = (OrderKind.STOP_LOSS, OrderKind.CLOSE)
# How far back one looks in a database that is another than last time.
NEWS_AGE_MAX = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class AlertBatch:
    """`last_id` is the last event that was looked at; `lines` say what is worth telling."""

    last_id: int
    lines: tuple[str, ...] = ()


def newest_event(reader: Reader) -> int:
    return whole(reader.row(queries.NEWEST_EVENT)[0])


def where_to_begin(reader: Reader, last_id: int, now: datetime) -> int:
    """The event after which news begin, where `last_id` was looked at last.

    Another database (the one for live trading after the one for paper) counts from 1 again.
    """
    if newest_event(reader) >= last_id:
        return last_id
    return whole(reader.row(queries.LAST_EVENT_BEFORE, now - NEWS_AGE_MAX)[0])


def alerts_since(reader: Reader, last_id: int, trades_from: int | None) -> AlertBatch:
    """What happened after an event, as far as it is worth telling."""
    rows = reader.rows(queries.EVENTS_SINCE, last_id)
    symbols: dict[str, list[str]] = {}
    for row in rows:
        for sentence in _sentences(row, trades_from):
            symbols.setdefault(sentence, []).append(str(row[1]))
    # what happens to all assets at once is one line
    lines = [
        f"{', '.join(dict.fromkeys(names))}: {sentence}" for sentence, names in symbols.items()
    ]
    return AlertBatch(max([last_id, *(whole(row[0]) for row in rows)]), tuple(lines))


def _sentences(row: Row, trades_from: int | None) -> Iterator[str]:
    kind, sentence, net = str(row[2]), str(row[3]), known(row[4])
    order_kind, is_whole_fill = row[5], bool(row[7])
    is_trade = kind in (EventKind.ORDERED, EventKind.FILLED)
    if (
        kind == EventKind.ALLOWED
        and ALWAYS.search(sentence)
        or is_trade
        and order_kind in URGENT_ORDERS
    ):
        yield sentence
    elif trades_from is None:
        return
    elif kind == EventKind.COMPLETE:
        yield sentence if net is None else f"{sentence}, net {net:+.2f}"
    elif order_kind == OrderKind.SAFETY and is_whole_fill and whole(row[6]) >= trades_from:
        yield sentence


def is_due(digest: Digest, last: datetime | None, now: datetime) -> bool:
    """Whether a digest's time has come since the last one (None: there was none)."""
    local = now.astimezone()
    due = local.replace(hour=digest.at.hour, minute=digest.at.minute, second=0, microsecond=0)
    if digest.is_weekly:
        due -= timedelta(days=local.weekday())
    if due > local:
        due -= timedelta(days=7 if digest.is_weekly else 1)
    return last is None or last < due


def digest_text(
    reader: Reader,
    log_dir: Path,
    now: datetime,
    *,
    mode: str,
    beat_age_max: float,
    tie_out: str,
) -> str:
    """Earned net, open, stuck, fees, health and whether Alpaca agrees, in a few lines."""
    seen = take_snapshot(reader, log_dir, now, mode=mode)
    health, earned = health_of(seen, log_dir, beat_age_max=beat_age_max), totals(reader, now)
    holding = [each for each in seen.assets if each.is_holding]
    stuck = [each for each in holding if each.next_buy_price is None]
    lines = [
        f"Health: {health.word.value}",
        *(f"  {reason}" for reason in health.reasons),
        f"Earned net: today {earned.today:+.2f}, 7 days {earned.week:+.2f}, "
        f"30 days {earned.month:+.2f}, in all {earned.net:+.2f}",
        f"Cycles: {earned.cycles}, fees {earned.fees:.2f}",
        f"Open: {how_many(len(holding), 'cycle')}, {seen.invested:.2f} invested",
    ]
    for each in holding:
        worth = "" if each.net_if_sold is None else f", {each.net_if_sold:+.2f} if sold now"
        lines.append(f"  {each.asset.symbol}: {each.invested:.2f}{worth}")
    if stuck:
        names = ", ".join(each.asset.symbol for each in stuck)
        lines.append(f"Stuck, with no safety order left: {names}")
    return "\n".join([*lines, f"Tie-out: {tie_out}"])


def send_alerts(incidents: Incidents, channels: ChannelSettings, settings: CommonSettings) -> None:
    """Let the watchdog tell of what has happened since its last run.

    The database may be away: then the next run tells.
    """
    now, log_dir = utc_now(), settings.log.dir
    try:
        with Reader(read_store_settings().database) as reader:
            last_id = incidents.news_after(lambda: newest_event(reader))
            if last_id is not None:
                first = where_to_begin(reader, last_id, now)
                news = alerts_since(reader, first, channels.trades_from)
                incidents.tell_events(news.last_id, news.lines)
            if channels.digest and is_due(channels.digest, incidents.digest_at, now):
                beat_age_max = settings.limits.heartbeat_max_age_seconds
                text = digest_text(
                    reader,
                    log_dir,
                    now,
                    mode=read_mode(),
                    beat_age_max=beat_age_max,
                    tie_out=agreement(),
                )
                incidents.tell_digest(text)
    except (SettingsError, StoreUnavailable) as error:
        log.warning("no news was looked for: %s", error)
