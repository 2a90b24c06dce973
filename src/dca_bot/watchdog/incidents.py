"""What has happened, as the watchdog sees it from run to run, and the mail about it.

Rule: an incident begins when the bot is found stopped, hung or mute, and one mail tells of it; one
more tells when a start that had failed is overcome.  Mail that can't be sent is kept for the next
run, and never stops the watchdog.
"""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Self

from dca_bot.program.errors import DcaError
from dca_bot.program.files import append_to
from dca_bot.program.log_text import printable
from dca_bot.program.masking import Mask
from dca_bot.program.setting_groups import PROJECT_ROOT, AlertSettings
from dca_bot.watchdog.caretaker_marks import caretaker_problems
from dca_bot.watchdog.channels import Channels
from dca_bot.watchdog.health import ProcessHealth
from dca_bot.watchdog.mail import send_mail
from dca_bot.watchdog.memory import Memory, load, save
from dca_bot.watchdog.problems import Problem, ProblemKind, problem_changes

log = logging.getLogger(__name__)

PAUSE_FILE_NAME = "watchdog.paused"

WINDOW = timedelta(hours=1)
FAILED_STARTS_MAX = 5  # then the bot is left alone until the first of them is an hour ago
RESTART_MAILS_MAX = 5  # a bot that starts and dies again and again fills no mailbox
UNSENT_MAX = 5


class Incidents:
    """The memory, read at the start of the block and written at its end."""

    def __init__(
        self,
        directory: Path,
        alerts: AlertSettings | None,
        now: datetime,
        secrets: Sequence[str] = (),
        *,
        mail_after: timedelta = timedelta(minutes=5),
        env_file: Path = PROJECT_ROOT / ".env",
        channels: Channels | None = None,
    ) -> None:
        self._channels = channels
        self._directory, self._alerts, self._now = directory, alerts, now
        self._mail_after = mail_after
        self._mask = Mask(secrets)
        self._env_file = env_file
        self._memory = Memory()

    def __enter__(self) -> Self:
        self._memory = load(self._directory)
        memory, now = self._memory, self._now
        # abs: what lies hours ahead was written before the clock was set back
        memory.failed_starts = [at for at in memory.failed_starts if abs(now - at) < WINDOW]
        memory.restarts = [at for at in memory.restarts if abs(now - at) < WINDOW]
        return self

    def __exit__(self, *_: object) -> None:
        # Remembered first: a mail server that hangs must not make us forget a failed start.  On a
        # full disk nothing can be remembered; then it is said at the end, after the mail.
        with suppress(DcaError):
            save(self._memory, self._directory)
        waiting, self._memory.unsent = self._memory.unsent[-UNSENT_MAX:], []
        for mail in waiting:
            if self._alerts is None and self._channels is not None and self._channels.are_any:
                continue  # reported there
            if self._memory.unsent or not send_mail(self._alerts, *mail):
                self._memory.unsent.append(mail)
        if self._channels is not None:
            self._channels.flush()
        save(self._memory, self._directory)

    @property
    def is_paused(self) -> bool:
        return (self._directory / PAUSE_FILE_NAME).exists()

    def pause(self, *, on: bool) -> None:
        """Begin or end the pause; its end also makes room for new starts."""
        mark = self._directory / PAUSE_FILE_NAME
        if on:
            os.close(append_to(mark))
            log.info("paused: main_app.py is left as it is; watchdog.py --resume ends that")
            return
        mark.unlink(missing_ok=True)
        self._memory.failed_starts, self._memory.needs_a_human = [], False
        self._memory.mute_restart_at = None
        log.info("resumed: the next run, by cron or by hand, starts main_app.py if need be")

    def reason_to_wait(self, health: ProcessHealth) -> str:
        """Why another start would not help now; empty: it may."""
        memory = self._memory
        if memory.needs_a_human and not self._settings_were_edited():
            return (
                f"{memory.why}: a setting is wrong; correct .env, or if it isn't there, run "
                "watchdog.py --resume once it is corrected"
            )
        if len(memory.failed_starts) >= FAILED_STARTS_MAX:
            at = memory.failed_starts[0] + WINDOW
            return (
                f"too many starts have failed, no other before {at:%H:%M} UTC; see main_app.log, "
                "then run watchdog.py --resume"
            )
        last = memory.mute_restart_at
        if health is ProcessHealth.MUTE and last is not None and abs(self._now - last) < WINDOW:
            return "a restart has not helped within the hour; is Alpaca away? It connects by itself"
        return ""

    def restarts(self, health: ProcessHealth) -> None:
        """The bot is about to be started anew."""
        if health is ProcessHealth.MUTE:
            self._memory.mute_restart_at = self._now

    def started(self, found: str, log_lines: str, *, is_first: bool, waits_for: str = "") -> None:
        """A start went well: tell about it, unless it is the very first."""
        if self._memory.down_since is not None:
            self.well()
        elif not is_first:
            self._memory.restarts.append(self._now)
            count = len(self._memory.restarts)
            how = "which is well"
            if waits_for:
                how = (
                    f"which waits for {waits_for}, and begins to trade by itself once that answers"
                )
            last = " More restarts within this hour are only logged: look at its log."
            if count <= RESTART_MAILS_MAX:
                self._mail(
                    "main_app.py was restarted",
                    f"{self._found(found)} It has started main_app.py anew, {how}."
                    f"{last if count == RESTART_MAILS_MAX else ''}",
                    log_lines,
                )

    def start_failed(
        self,
        found: str,
        problem: str,
        log_lines: str,
        *,
        needs_a_human: bool = False,
        is_stopped: bool = True,
    ) -> None:
        """A start failed: tell about the first one of an incident."""
        memory = self._memory
        memory.failed_starts.append(self._now)
        memory.needs_a_human = needs_a_human
        self._down(found, problem, log_lines, is_stopped=is_stopped)

    def not_startable(self, found: str, problem: str, *, is_stopped: bool = True) -> None:
        """The settings are wrong, which is seen without a start: that costs none."""
        self._memory.needs_a_human = False  # checked at every run
        self._down(found, problem, "", is_stopped=is_stopped)

    def _down(self, found: str, problem: str, log_lines: str, *, is_stopped: bool) -> None:
        memory = self._memory
        is_new = memory.down_since is None
        memory.down_since = memory.down_since or self._now
        memory.why = problem
        if is_new:
            self._mail(
                "main_app.py is DOWN",
                f"{self._found(found)} Starting it failed: {problem}. "
                f"{'No orders are placed until it runs. ' if is_stopped else ''}"
                f"{self._what_next()}",
                log_lines,
            )

    def well(self) -> None:
        """The bot is well; tell about it if it was down."""
        memory = self._memory
        if memory.down_since is not None:
            down_for = str(self._now - memory.down_since).partition(".")[0]
            log.info("main_app.py is well again after %s", down_for)
            body = f"At {_minute(self._now)} it was well, after {down_for}: {memory.why}."
            self._mail("main_app.py is well again", body)
        memory.down_since, memory.why, memory.needs_a_human = None, "", False
        memory.failed_starts = []

    def see(
        self,
        of_bot: Sequence[Problem],
        *,
        not_looked_at: Collection[ProblemKind],
        booted_at: datetime,
    ) -> None:
        """Given what the bot says, mail about what lasts and what is over (behaviour 14).

        No caretaker is missed for a time in which the machine was off, or the database away.
        """
        memory = self._memory
        known = [each.problem for each in memory.problems if each.problem.kind in not_looked_at]
        if any(each.kind is ProblemKind.DATABASE for each in (*of_bot, *known)):
            memory.database_away_at = self._now
        excuse = max(booted_at, memory.database_away_at or booted_at)
        missed = caretaker_problems(self._directory, self._now, excused_until=excuse)
        found = problem_changes(
            memory.problems,
            [*of_bot, *missed],
            self._now,
            mail_after=self._mail_after,
            not_looked_at=not_looked_at,
        )
        memory.problems = list(found.known)
        for each in found.lasting:
            log.warning("%s since %s: %s", each.title, _minute(each.since), each.sentence)
        for each in found.over:
            log.info("over: %s, since %s", each.title, _minute(each.since))
        self._mail_problems(found.lasting, "", "It is mailed again every six hours.")
        self._mail_problems(found.over, "over: ", "It is over now.")

    def news_after(self, newest: Callable[[], int]) -> int | None:
        """The last event that was looked at; None: this is the first look, which tells nothing."""
        if self._memory.last_event is None:
            self._memory.last_event = newest()
            return None
        return self._memory.last_event

    def tell_events(self, last_id: int, lines: Sequence[str]) -> None:
        """One message about what has happened since the last run."""
        self._memory.last_event = last_id
        if lines:
            subject = lines[0].partition(":")[0] if len(lines) == 1 else f"{len(lines)} events"
            self._mail(subject, "\n".join(lines))

    @property
    def digest_at(self) -> datetime | None:
        return self._memory.digest_at

    def tell_digest(self, text: str) -> None:
        """The digest, once for its time."""
        self._memory.digest_at = self._now
        self._mail("digest", text)

    def _mail_problems(self, problems: Sequence[Problem], before: str, after: str) -> None:
        if not problems:
            return
        lines = [
            f"{each.title}, since {_minute(each.since)}:\n{each.sentence}\n" for each in problems
        ]
        subject = problems[0].title if len(problems) == 1 else f"{len(problems)} problems"
        self._mail(before + subject, "\n".join([*lines, after]))

    def _found(self, found: str) -> str:
        # The mail itself may come much later.
        return f"At {_minute(self._now)} the watchdog found that {found}."

    def _what_next(self) -> str:
        if self._memory.needs_a_human:
            return "A setting is wrong: it is not tried again until .env was corrected."
        return f"It is tried again, {FAILED_STARTS_MAX} times within an hour at most."

    def _settings_were_edited(self) -> bool:
        last = max(self._memory.failed_starts, default=self._memory.down_since)
        try:
            edited_at = self._env_file.stat().st_mtime
        except OSError:
            return False
        return last is not None and edited_at > last.timestamp()

    def _mail(self, subject: str, story: str, log_lines: str = "") -> None:
        body = f"{story}\n"
        if log_lines:
            # Masked before it is cut into lines, since a secret may hold a line end.
            lines = "\n".join(map(printable, self._mask(log_lines).splitlines()))
            body += f"\nThe last lines of its log:\n\n{lines}\n"
        host = socket.gethostname()
        mail = (f"[dca-bot] {subject} on {host}", self._mask(body))
        self._memory.unsent.append(mail)
        if self._channels is not None:
            self._channels.tell(*mail)


def _minute(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
