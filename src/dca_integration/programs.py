"""The bot's own scripts, run as a user runs them: processes, an environment, log files.

Rule: nothing of the bot is called from here; a script is its command line, its exit status, what
it prints, and the files in LOG_DIR.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from dca_bot.program.setting_groups import PROJECT_ROOT
from dca_integration.interruption import Interruption
from dca_sandbox.children import Child, end_strays

SCRIPT_SECONDS = 120.0  # more than any script allows itself
BOT = "main_app"


@dataclass(frozen=True, slots=True)
class Finished:
    """A script that has ended."""

    status: int | None
    lines: tuple[str, ...]

    @property
    def last_line(self) -> str:
        return self.lines[-1] if self.lines else ""


class Programs:
    """`environment` is all that the scripts get; LOG_DIR is theirs alone."""

    def __init__(
        self, environment: Mapping[str, str], log_dir: Path, interruption: Interruption
    ) -> None:
        self.log_dir = log_dir
        self._environment = {**environment, "LOG_DIR": str(log_dir)}
        self._interruption = interruption
        self._children: list[Child] = []
        self._lines_before = 0

    def run(self, script: str, *arguments: str) -> Finished:
        """Run a script to its end, as cron would."""
        child = self._start(script, *arguments)
        self._interruption.wait(lambda: child.exit_status() is not None, SCRIPT_SECONDS)
        status = child.exit_status()
        child.stop()
        return Finished(status, tuple(child.output.new_lines()))

    def start_bot(self) -> Child:
        """A main_app.py, as by hand."""
        self._lines_before = len(self.whole_bot_log())
        return self._start(f"{BOT}.py")

    def bot_log(self) -> list[str]:
        """What main_app.py has logged since it was started last."""
        return self.whole_bot_log()[self._lines_before :]

    def whole_bot_log(self) -> list[str]:
        """All that main_app.py has logged in this scenario."""
        path = self.log_dir / f"{BOT}.log"
        return path.read_text(errors="replace").splitlines() if path.exists() else []

    def heartbeat(self) -> Mapping[str, object]:
        """What main_app.py has written for the watchdog; nothing, if it has not yet."""
        try:
            beat: dict[str, object] = json.loads((self.log_dir / f"{BOT}.heartbeat").read_text())
        except (OSError, ValueError):
            return {}
        return beat

    def bot_pid(self) -> int | None:
        """The number in the PID file, if such a process is there and runs main_app.py."""
        try:
            number = int((self.log_dir / f"{BOT}.pid").read_text())
        except (OSError, ValueError):
            return None
        return number if runs_bot(number) else None

    def end_bot(self, child: Child) -> int | None:
        """SIGTERM; its exit status."""
        os.kill(child.pid, signal.SIGTERM)
        self._interruption.wait(lambda: child.exit_status() is not None, SCRIPT_SECONDS)
        return child.exit_status()

    def kill(self, child: Child) -> None:
        """SIGKILL: no chance to say goodbye."""
        os.kill(child.pid, signal.SIGKILL)
        self._interruption.wait(lambda: child.exit_status() is not None, SCRIPT_SECONDS)

    def end_all(self) -> None:
        """End whatever runs, also a main_app.py that watchdog.py has started."""
        for child in self._children:
            child.stop()
        self._children.clear()
        # a stopped (SIGSTOP) bot would not hear SIGTERM
        if (pid := self.bot_pid()) is not None:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
        end_strays(f"LOG_DIR={self.log_dir}")

    def forget(self) -> None:
        """Remove what the programs have left in LOG_DIR, for the next scenario."""
        self.log_dir.mkdir(parents=True, exist_ok=True)
        for path in self.log_dir.iterdir():
            path.unlink()
        self._lines_before = 0

    def _start(self, script: str, *arguments: str) -> Child:
        self._interruption.check()
        child = Child(
            Path(script).stem,
            [sys.executable, str(PROJECT_ROOT / script), *arguments],
            environment=self._environment,
            log_dir=self.log_dir,
        )
        self._children.append(child)
        return child


def runs_bot(pid: int) -> bool:
    """Whether there is such a process, and it runs main_app.py; a zombie runs nothing."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return False
    return any(word.endswith(f"/{BOT}.py") for word in words)
