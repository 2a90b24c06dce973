"""python -m tests.proofs.hour --minutes 60 --seed 1: everything together, and what it came to.

Thirty assets at 20 quotes a second each, the documented crontab under the machine's own cron, a
MariaDB server, and a seed's troubles.  Needs root, for cron; a run of less than 20 minutes lets
cron start every script each minute.
"""

from __future__ import annotations

import argparse
import email
import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.caretakers.installation import bot_of
from tests.proofs.hour.ground import ASSETS, Ground, a_ground
from tests.proofs.hour.measures import Requests, Sample, lines_by_meaning, sample, typical
from tests.proofs.hour.troubles import Troubles
from tests.proofs.whole.auditor import always, complaints, read_books, rows

TICK_SECONDS = 0.2
SAMPLE_SECONDS, LOOK_SECONDS = 10.0, 60.0
SHORT_MINUTES = 20
READY_SECONDS = 400  # the watchdog comes again after five minutes
SETTLED_SECONDS = 900  # consistency_checker.py too, and it looks twice
REQUESTS_A_MINUTE = 200
WARNINGS_AN_HOUR = 100  # of one meaning
SOME_MORE = 2  # descriptors, threads, connections
MEGABYTES_MORE = 5.0
TOLD_LINES = 4
CYCLES = "SELECT status FROM dca_cycles"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.proofs.hour", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0, help="how long it trades (60)")
    parser.add_argument("--seed", type=int, default=1, help="decides prices and troubles (1)")
    arguments = parser.parse_args()
    directory = Path(tempfile.mkdtemp(prefix="dca_hour_"))
    is_short = arguments.minutes < SHORT_MINUTES
    print(f"{arguments.minutes:g} minutes, seed {arguments.seed}; logs in {directory}", flush=True)
    with a_ground(directory, arguments.seed, every_minute=is_short) as ground:
        return Hour(ground, arguments.seed, arguments.minutes * 60).pass_by()


class Hour:
    def __init__(self, ground: Ground, seed: int, seconds: float) -> None:
        self._ground, self._seconds = ground, seconds
        self._troubles = Troubles(ground, seed, seconds)
        self._samples: list[Sample] = []
        self._requests = Requests()
        self._faults: Counter[str] = Counter()
        self._faults_until = 0.0
        self._wrong: list[str] = []

    def pass_by(self) -> int:
        """Trade, look, and report; the exit status."""
        give_up_at = time.monotonic() + READY_SECONDS
        while bot_of(self._ground.project) is None:
            if time.monotonic() > give_up_at:
                print("cron has not brought main_app.py up")
                return 1
            time.sleep(TICK_SECONDS)
        self._trade(time.monotonic())
        status = self._dca("status")
        self._ground.exchange.post("/sim/walk", {"on": False})
        self._settle()
        self._ground.exchange.post("/sim/fees")
        self._report(status, self._dca("tie-out"))
        print("\n".join(["", *(self._wrong or ["nothing is wrong"])]))
        return 1 if self._wrong else 0

    def _trade(self, began_at: float) -> None:
        sample_at = look_at = 0.0
        is_calm = False
        while (now := time.monotonic() - began_at) < self._seconds:
            for name in self._troubles.tick(now):
                self._say(now, name)
            if not is_calm and now >= self._troubles.end_at:
                self._troubles.calm_down()
                self._say(now, "nothing more goes wrong from now on")
                is_calm = True
            if now >= sample_at:
                self._ground.cron.keep_going()
                self._sample(now)
                sample_at = now + SAMPLE_SECONDS
            if now >= look_at:
                self._look(now)
                look_at = now + LOOK_SECONDS
            time.sleep(TICK_SECONDS)

    def _sample(self, now: float) -> None:
        pid = bot_of(self._ground.project)
        found = pid and sample(now, pid, self._ground.database)
        if found:
            self._samples.append(found)

    def _look(self, now: float) -> None:
        if self._ground.server.pid is None:
            return
        books = read_books(self._ground.database, self._ground.exchange)
        self._gather(books.record)
        wrong = always(books)
        self._wrong += [each for each in wrong if each not in self._wrong]
        counts = f"{len(books.record['orders'])} orders, {len(self._requests)} requests"
        figures = str(self._samples[-1]) if self._samples else "main_app.py not seen yet"
        self._say(now, f"{counts}; {figures}" + "".join(f"\n  WRONG: {each}" for each in wrong))

    def _gather(self, record: dict[str, Any]) -> None:
        """The exchange keeps the newest ones only."""
        self._requests.gather(record)
        news = [e for e in record["faults_struck"] if e["struck_monotonic"] > self._faults_until]
        self._faults.update(each["name"] for each in news)
        self._faults_until = max((e["struck_monotonic"] for e in news), default=self._faults_until)

    def _settle(self) -> None:
        """Wait until both sides agree; what cron starts helps."""
        give_up_at = time.monotonic() + SETTLED_SECONDS
        while True:
            found = self._complaints()
            if not found or time.monotonic() > give_up_at:
                break
            self._ground.cron.keep_going()
            time.sleep(SAMPLE_SECONDS)
        self._wrong += [each for each in found if each not in self._wrong]
        record = self._ground.exchange.get("/sim/record")
        self._requests.gather(record)
        self._faults.update(each["name"] for each in record["faults_struck"])

    def _complaints(self) -> list[str]:
        books = read_books(self._ground.database, self._ground.exchange)
        if len(self._ground.exchange.get("/sim/record")["fills"]) != len(books.record["fills"]):
            return ["something was filled while the books were read"]
        return complaints(replace(books, touched=self._corrected()))

    def _corrected(self) -> frozenset[int]:
        """The cycles that consistency_checker.py has brought to what Alpaca holds."""
        sql = "SELECT cycle_id FROM dca_events WHERE kind IN ('corrected', 'given up')"
        return frozenset(row["cycle_id"] for row in rows(self._ground.database, sql))

    def _dca(self, verb: str) -> dict[str, Any]:
        command = ["venv/bin/python", "-m", "dca_bot", verb, "--json"]
        done = subprocess.run(
            command, cwd=self._ground.project, capture_output=True, text=True, check=False
        )
        if not done.stdout:
            self._wrong.append(f"dca {verb} ends with {done.returncode}: {done.stderr.strip()}")
            return {}
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer

    def _say(self, now: float, what: str) -> None:
        print(f"{now / 60:5.1f} min  {what}", flush=True)

    def _report(self, status: dict[str, Any], tie_out: dict[str, Any]) -> None:
        self._report_trade(status, tie_out)
        self._report_process()
        self._report_requests()
        self._report_lines()
        print("\nmails:")
        for subject, count in Counter(map(_subject, self._ground.mail.mails)).most_common():
            print(f"  {count} x {subject}")

    def _report_trade(self, status: dict[str, Any], tie_out: dict[str, Any]) -> None:
        record = self._ground.exchange.get("/sim/record")
        done = Counter(row["status"] for row in rows(self._ground.database, CYCLES))
        print(
            f"\n{len(record['orders'])} orders, {len(record['fills'])} fills; cycles: {dict(done)}"
        )
        print(f"cycles corrected: {len(self._corrected())}")
        troubles = Counter(self._troubles.struck) + self._faults
        print("\n| what went wrong | times |\n| --- | --- |")
        for name, times in sorted(troubles.items()):
            print(f"| {name} | {times} |")
        print(f"\ndca status: {status.get('health')}, {status.get('reasons')}")
        states = Counter(each["state"] for each in status.get("assets", ()))
        print(
            f"  cash {status.get('cash')}, net {status.get('realised_net')}, states {dict(states)}"
        )
        differences = tie_out.get("differences", ["no answer"])
        print(f"dca tie-out: {tie_out.get('checked')}, {len(differences)} differences")
        self._wrong += [f"dca tie-out: {each}" for each in differences]
        if len(status.get("assets", ())) != ASSETS or status.get("health") == "BLIND":
            self._wrong.append(f"dca status: {status.get('health')}, {status.get('reasons')}")

    def _report_process(self) -> None:
        calm_at_first = [each for each in self._samples if each.at < self._troubles.begin_at]
        left = self._seconds - self._troubles.end_at
        at_last = [each for each in self._samples if each.at > self._troubles.end_at + left / 2]
        if not (calm_at_first and at_last):
            self._wrong.append("main_app.py was not seen at first, or not at last")
            return
        first, last = typical(calm_at_first), typical(at_last)
        print(f"\nlives of main_app.py: {len({each.pid for each in self._samples})}")
        print("| main_app.py | at first | at last | most |\n| --- | --- | --- | --- |")
        for name, before in first.items():
            most = max(getattr(each, name) for each in self._samples)
            print(f"| {name} | {before:g} | {last[name]:g} | {most:.1f} |")
            more = MEGABYTES_MORE if name == "megabytes" else SOME_MORE
            if last[name] > before + more:
                self._wrong.append(f"main_app.py began with {before:g} {name}, has {last[name]:g}")

    def _report_requests(self) -> None:
        most = self._requests.most_in_a_minute()
        refused = self._requests.answered(429) - self._faults["rate_limited"]
        print(f"\n{len(self._requests)} requests; in the busiest minute: {most}; 429: {refused}")
        self._wrong += [
            f"{count} requests of {kind} within a minute"
            for kind, count in most.items()
            if count > REQUESTS_A_MINUTE
        ]

    def _report_lines(self) -> None:
        most = WARNINGS_AN_HOUR * max(1.0, self._seconds / 3600)
        for log in sorted(self._ground.logs.glob("*.log")):
            counts = lines_by_meaning(log)
            print(f"\n{log.name}: {counts.total()} lines, most often")
            for line, count in counts.most_common(TOLD_LINES):
                print(f"  {count} x {line[:160]}")
            loud = Counter({line: n for line, n in counts.items() if not line.startswith("INFO")})
            print("  beside INFO, most often")
            for line, count in loud.most_common(TOLD_LINES):
                print(f"  {count} x {line[:160]}")
            self._wrong += [f"{n} times {line}" for line, n in loud.items() if n > most]
            self._wrong += [f"{log.name}: {line}" for line in counts if "Traceback" in line]


def _subject(mail: dict[str, Any]) -> str:
    message = email.message_from_string(mail["text"])
    return str(message["Subject"]).partition(" on ")[0]


if __name__ == "__main__":
    sys.exit(main())
