"""What the test command tells on its way and at its end.

Rule: it adds lines to pytest's own report, and never changes what passes or fails.
"""

from __future__ import annotations

import sys
import time

import pytest

NO_RECORDINGS = "recordings of the real exchange, which are not part of the project"
ERASE_LINE = "\r\x1b[K"


class Summary:
    """One line of progress on a terminal, and one about tests that nobody else can run."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._is_shown = sys.stderr.isatty() and config.get_verbosity() <= 0
        self._began = time.monotonic()
        self._done = self._failed = self._without_recordings = 0

    @pytest.hookimpl(tryfirst=True)
    def pytest_report_teststatus(self, report: pytest.TestReport) -> tuple[str, str, str] | None:
        """No skip in the summary for what only recordings could show; no dots beside our line."""
        if report.skipped and NO_RECORDINGS in str(report.longrepr):
            return "", "", ""
        if self._is_shown and report.when == "call" and report.passed:
            return "passed", "", "PASSED"
        return None

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Each report of each worker; a test ends with its teardown."""
        if report.skipped and NO_RECORDINGS in str(report.longrepr):
            self._without_recordings += 1
        self._failed += report.failed
        if report.when == "teardown":
            self._done += 1
            self._show()

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """The last lines before pytest's own."""
        if self._is_shown:
            sys.stderr.write(ERASE_LINE)
        if self._without_recordings:
            terminalreporter.write_line(
                f"not run, {self._without_recordings} tests: they need {NO_RECORDINGS}"
            )

    def _show(self) -> None:
        if not self._is_shown:
            return
        reporter = self._config.pluginmanager.get_plugin("terminalreporter")
        session = getattr(reporter, "_session", None)
        minutes, seconds = divmod(int(time.monotonic() - self._began), 60)
        sys.stderr.write(
            f"{ERASE_LINE}{self._done} of {getattr(session, 'testscollected', '?')} tests, "
            f"{self._failed} failed, {minutes}:{seconds:02} min"
        )
        sys.stderr.flush()
