"""Messages to the addresses of ALERT_URLS, beside the mail.

Rule: each channel gets each message once; one that fails delays nothing and no other channel, and
is tried again by the next run.  Only the watchdog sends, and only here is apprise imported.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import asdict, dataclass, field
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from threading import Lock

from dca_bot.program.files import read_own, replace_own

log = logging.getLogger(__name__)

FILE_NAME = "watchdog.channels"
BYTES_MAX = 1_000_000
WAITING_MAX = 20  # of one channel; the oldest are given up
SEND_SECONDS = 20.0  # for all channels together

Send = Callable[[str, str, str], str]  # url, subject and body; why it failed, or ""


@dataclass
class Channel:
    """One address as it is remembered: by its hash, never by itself."""

    name: str
    waiting: list[tuple[str, str]] = field(default_factory=list)
    failing_since: str | None = None
    why: str = ""


class Channels:
    """What waits for each address, from run to run, in a file in LOG_DIR."""

    def __init__(
        self, directory: Path, urls: Sequence[str], now: datetime, send: Send | None = None
    ) -> None:
        self._path = directory / FILE_NAME
        self._urls = {_key(url): url for url in urls}
        self._now = now
        self._send = send
        self._saving = Lock()
        known = load(directory)
        self._channels = {
            key: known.get(key, Channel(_name(url, number)))
            for number, (key, url) in enumerate(self._urls.items(), start=1)
        }

    @property
    def are_any(self) -> bool:
        return bool(self._urls)

    def tell(self, subject: str, body: str) -> None:
        """Let every channel have this message."""
        for channel in self._channels.values():
            channel.waiting = [*channel.waiting, (subject, body)][-WAITING_MAX:]

    def flush(self, seconds: float = SEND_SECONDS) -> None:
        """Send what waits, all channels side by side, and remember what could not be sent.

        What a late channel sends after all is remembered too: it is not sent again.
        """
        if not self._channels:
            return
        self._save()
        due = [key for key, channel in self._channels.items() if channel.waiting]
        if not due:
            return
        pool = ThreadPoolExecutor(len(due))
        send = self._send or _apprise()
        no_more_after = time.monotonic() + seconds
        tasks = [pool.submit(self._send_waiting, key, send, no_more_after) for key in due]
        done, late = wait(tasks, seconds)
        pool.shutdown(wait=False)
        if late:
            log.error(
                "%d channels of ALERT_URLS do not answer: the next run tries again", len(late)
            )
            for key, task in zip(due, tasks, strict=True):
                if task in late:
                    self._fails(self._channels[key], f"it does not answer within {seconds:.0f} s")
            self._save()
        for task in done:
            task.result()

    def _send_waiting(self, key: str, send: Send, no_more_after: float) -> None:
        channel = self._channels[key]
        while channel.waiting:
            why = send(self._urls[key], *channel.waiting[0])
            if why:
                self._fails(channel, why)
                log.error("%s: no message sent, the next run tries again: %s", channel.name, why)
                self._save()
                return
            channel.waiting = channel.waiting[1:]
            channel.failing_since, channel.why = None, ""
            self._save()
            log.info("message sent by %s", channel.name)
            if time.monotonic() > no_more_after:
                return

    def _fails(self, channel: Channel, why: str) -> None:
        channel.failing_since = channel.failing_since or self._now.isoformat()
        channel.why = why

    def _save(self) -> None:
        with self._saving:
            content = {key: asdict(channel) for key, channel in self._channels.items()}
            try:
                replace_own(self._path, json.dumps(content, indent=1) + "\n")
            except OSError as error:
                log.error("what waits for ALERT_URLS can't be remembered: %s", error)


def load(directory: Path) -> dict[str, Channel]:
    """The channels as the last run left them, by the hash of their address."""
    try:
        raw = json.loads(read_own(directory / FILE_NAME, BYTES_MAX))
        return {
            str(key): Channel(
                str(each["name"]),
                [(str(subject), str(body)) for subject, body in each["waiting"]],
                each["failing_since"],
                str(each["why"]),
            )
            for key, each in raw.items()
        }
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return {}


def failing(directory: Path) -> list[str]:
    """The channels that fail, in sentences, for whoever shows how the bot is."""
    return [
        f"{each.name} of ALERT_URLS takes no messages since {each.failing_since}: {each.why}"
        for each in load(directory).values()
        if each.failing_since is not None
    ]


def try_out(urls: Sequence[str], subject: str, body: str) -> Iterator[tuple[str, str]]:
    """Send one message to each address, one after the other: its name, and why it failed or ""."""
    send = _apprise()
    for number, url in enumerate(urls, start=1):
        yield _name(url, number), send(url, subject, body)


def _key(url: str) -> str:
    return sha256(url.encode()).hexdigest()[:16]


def _name(url: str, number: int) -> str:
    return f"channel {number} ({url.partition('://')[0]})"


def _apprise() -> Send:
    """How apprise sends; where it can't be loaded, why."""
    try:
        import apprise
    except ImportError:
        return lambda *_: "the library is missing: venv/bin/pip install apprise"
    logging.getLogger("apprise").setLevel(logging.CRITICAL)  # it would say the address

    def send(url: str, subject: str, body: str) -> str:
        notifier = apprise.Apprise()
        try:
            if not notifier.add(url):
                return "apprise knows no such address: see ALERT_URLS in .env"
            is_sent = notifier.notify(title=subject, body=body)
        except Exception as error:  # noqa: BLE001 - any of a hundred services may raise anything
            return f"apprise failed: {type(error).__name__}"
        return "" if is_sent else "the service did not take it; check its address in ALERT_URLS"

    return send
