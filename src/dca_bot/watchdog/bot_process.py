"""`main_app.py` as the watchdog sees it: found, judged, stopped, started, waited for.

Rule: it is found by its heartbeat or its PID file, and believed only if that number still belongs
to our `main_app.py`.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from dca_bot.program.clock import Clock
from dca_bot.program.files import open_own, unusable_log_dir
from dca_bot.program.setting_groups import PROJECT_ROOT
from dca_bot.watchdog import heartbeat, process
from dca_bot.watchdog.health import ProcessHealth, SignsOfLife, Verdict, judge
from dca_bot.watchdog.problems import Problem, ProblemKind

SCRIPT = PROJECT_ROOT / "main_app.py"
LOG_NAME = "main_app.log"
POLL_SECONDS = 0.2
# A heartbeat comes every two seconds: one that is only late (the clock was set, the machine slept)
# has come by then.
SECOND_LOOK_SECONDS = 5.0
LOOKS_AROUND = timedelta(seconds=15)  # a bot that is younger may not have seen everything yet
OF_ASSETS = frozenset(
    {ProblemKind.TAKE_PROFIT, ProblemKind.STOP_LOSS, ProblemKind.LIMIT, ProblemKind.ROW}
)
TAIL_LINES = 20
TAIL_BYTES = 16_384


class BotProcess:
    """The bot whose files lie in `directory` (LOG_DIR)."""

    def __init__(
        self,
        directory: Path,
        *,
        beat_age_max: float,
        clock: Clock,
        script: Path = SCRIPT,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.directory, self.script = directory, script
        self._beat_age_max, self._clock, self._sleep = beat_age_max, clock, sleep
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def has_left_traces(self) -> bool:
        """Whether a bot has ever run here."""
        names = (heartbeat.FILE_NAME, heartbeat.PID_FILE_NAME)
        return any((self.directory / name).exists() for name in names)

    def pid(self) -> int | None:
        """The number of the running bot; None: it isn't running."""
        beat = heartbeat.read(self.directory)
        if beat is not None and heartbeat.is_running(beat):
            candidates = [beat.pid, heartbeat.read_pid(self.directory)]
        else:
            candidates = [heartbeat.read_pid(self.directory)]
        return next((pid for pid in candidates if pid and self._is_bot(pid)), None)

    def user_elsewhere(self) -> str:
        """The other user as whom the bot of this LOG_DIR runs; "": it doesn't.

        Nothing is done to it; a second bot beside it would only be refused the database.
        """
        pid = heartbeat.read_pid(self.directory, of_anybody=True)
        return process.other_user_of(pid, self.script) if pid else ""

    def verdict(self) -> Verdict:
        """How it is now; what looks hung is looked at twice."""
        first = judge(self._signs(), self._beat_age_max)
        if first.health is not ProcessHealth.HUNG:
            return first
        self._sleep(SECOND_LOOK_SECONDS)
        return judge(self._signs(), self._beat_age_max)

    def problems(self) -> tuple[tuple[Problem, ...], frozenset[ProblemKind]]:
        """What the running bot says of problems, and of which kinds it can say nothing now.

        What a running bot does not name is over, except while it waits at its start or has only
        just begun to look.
        """
        beat, running = heartbeat.read(self.directory), self._signs()
        if beat is None or running.beat_age_seconds is None:
            return (), frozenset({ProblemKind.DATABASE, *OF_ASSETS})
        if running.beat_age_seconds > self._beat_age_max:
            return (), frozenset({ProblemKind.DATABASE, *OF_ASSETS})
        is_young = beat.at - beat.started_at < LOOKS_AROUND
        return beat.problems, OF_ASSETS if is_young or beat.waits_for else frozenset()

    def stop(self) -> bool:
        """End it; whether it is gone."""
        pid = self.pid()
        return pid is None or process.stop(pid, self.script, sleep=self._sleep)

    def start(self) -> int:
        """Start a new one that outlives us, and return its number; raise DcaError."""
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            self._child = process.start_detached(self.script, self.directory / LOG_NAME)
        except OSError as error:
            raise unusable_log_dir(error) from error
        return self._child.pid

    def end_started(self) -> bool:
        """End the bot just started, wherever it is by now; whether it is gone."""
        child = self._child
        if child is None or child.poll() is not None:
            return True
        gone = process.stop(child.pid, self.script, sleep=self._sleep)
        return gone or child.poll() is not None

    def wait_until_well(self, seconds: float) -> str:
        """Wait for the bot just started; "" once it is well, else why it isn't."""
        give_up_at = time.monotonic() + seconds
        while time.monotonic() < give_up_at:
            if self.exit_status is not None:
                return f"it ended with status {self.exit_status}"
            # Not the streams: Alpaca may refuse them for 90 s after their last owner was killed.
            if judge(self._signs(), self._beat_age_max).health is ProcessHealth.WELL:
                return ""
            self._sleep(POLL_SECONDS)
        return f"it is not well after {seconds:.0f} s"

    def waits_for(self) -> str:
        """What must answer before it trades; "" when nothing keeps it."""
        signs = self._signs()
        return signs.waits_for or ("" if signs.database_reachable else "the database")

    @property
    def exit_status(self) -> int | None:
        """Of the bot just started, if it has ended."""
        return self._child.poll() if self._child else None

    def last_lines(self) -> str:
        """The end of its log."""
        try:
            with open_own(self.directory / LOG_NAME) as log:
                begin = max(0, log.seek(0, 2) - TAIL_BYTES)
                log.seek(begin)
                lines = log.read().decode(errors="replace").splitlines()
        except OSError:
            return "(no log yet)"
        # The first line may be the rest of one, and begin in the middle of what must be masked.
        return "\n".join(lines[1 if begin else 0 :][-TAIL_LINES:])

    def _signs(self) -> SignsOfLife:
        pid = self.pid()
        if pid is None:
            return SignsOfLife()
        running = process.running_seconds(pid)
        beat = heartbeat.read(self.directory)
        start = heartbeat.process_start(pid)
        if beat is None or (beat.pid, beat.process_start) != (pid, start):
            return SignsOfLife(running_seconds=running)
        return SignsOfLife(
            running_seconds=running,
            beat_age_seconds=(self._clock() - beat.at).total_seconds(),
            quote_age_seconds=beat.quote_age_seconds,
            trade_stream_age_seconds=beat.trade_stream_age_seconds,
            symbols=beat.symbols,
            database_reachable=beat.database_reachable,
            waits_for=beat.waits_for,
        )

    def _is_bot(self, pid: int) -> bool:
        # The child that has just ended is a zombie until we ask for its status.
        if self._child is not None and self._child.pid == pid and self._child.poll() is not None:
            return False
        return process.runs_script(pid, self.script)
