"""The settings of alerts: where they go, which trades they report, and when a digest comes.

Rule: an address is a secret as a whole, and so is each part of it that could be a token.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import time
from pathlib import Path
from urllib.parse import unquote, urlsplit

from dca_bot.program.setting_groups import PROJECT_ROOT
from dca_bot.program.setting_values import Values

TOKEN_LENGTH_MIN = 6
DIGEST = re.compile(r"(daily|weekly)(?: +([01]?\d|2[0-3]):([0-5]\d))?")
MORNING = time(8)


@dataclass(frozen=True, slots=True)
class Digest:
    """A digest every day, or every Monday, at a time of the machine's own zone."""

    is_weekly: bool
    at: time


@dataclass(frozen=True, slots=True)
class ChannelSettings:
    """`urls` are addresses for apprise; `trades_from` n: take profits, and safety orders from the
    n-th on, None: no trades."""

    urls: tuple[str, ...] = field(default=(), repr=False)
    trades_from: int | None = None
    digest: Digest | None = None


def read_channel_settings(
    environ: Mapping[str, str] = os.environ, env_file: Path = PROJECT_ROOT / ".env"
) -> ChannelSettings:
    """Raises SettingsError with every mistake."""
    values = Values(environ, env_file)
    settings = ChannelSettings(
        urls=split(values.optional("ALERT_URLS")),
        trades_from=_trades_from(values),
        digest=_digest(values),
    )
    for number, url in enumerate(settings.urls, start=1):
        if not urlsplit(url).scheme:
            # not repeated: it may hold a token
            values.problems.append(
                f"ALERT_URLS: address {number} must look like ntfy://host/topic or tgram://..., "
                "see the list at apprise's page"
            )
    values.raise_problems()
    return settings


def split(text: str | None) -> tuple[str, ...]:
    """Addresses are parted by blanks or commas."""
    return tuple(filter(None, re.split(r"[\s,]+(?=\w+://)|\s+", (text or "").strip(" ,"))))


def secrets_of(text: str | None) -> tuple[str, ...]:
    """What of ALERT_URLS must never be shown: each address, and each part that could be a token."""
    found: list[str] = []
    for url in split(text):
        try:
            parts = urlsplit(url)
        except ValueError:
            found.append(url)
            continue
        words = [parts.username or "", parts.password or "", *re.split(r"[/?&=#]", parts.path)]
        words += re.split(r"[&=#]", f"{parts.query}&{parts.fragment}")
        # most services have a token where a host would be
        words += [word for word in re.split(r"[:@]", parts.netloc) if "." not in word]
        tokens = [word for word in words if len(word) >= TOKEN_LENGTH_MIN]
        found += [url, url.partition("://")[2], *tokens, *map(unquote, tokens)]
    return tuple(found)


def _trades_from(values: Values) -> int | None:
    text = (values.optional("ALERT_ON_TRADES") or "off").lower()
    if text in ("off", "false", "no", "0"):
        return None
    if text in ("on", "true", "yes"):
        return 1
    if text.isascii() and text.isdigit() and len(text) < 5:
        return int(text)
    values.problems.append(
        "ALERT_ON_TRADES must be off, on, or the first safety order to report, as in 3"
    )
    return None


def _digest(values: Values) -> Digest | None:
    text = (values.optional("ALERT_DIGEST") or "off").lower()
    if text == "off":
        return None
    found = DIGEST.fullmatch(text)
    if found is None:
        values.problems.append("ALERT_DIGEST must be off, or like daily 08:00, or weekly 08:00")
        return None
    at = time(int(found[2]), int(found[3])) if found[2] else MORNING
    return Digest(found[1] == "weekly", at)
