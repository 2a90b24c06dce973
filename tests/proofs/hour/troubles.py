"""What goes wrong in the hour, and when; the seed decides both.

Rule: nothing strikes in the first and in the last part of the time, so that both can be compared.
"""

from __future__ import annotations

import os
import random
import signal
from collections import Counter
from collections.abc import Callable
from contextlib import closing, suppress

import mysql.connector

from tests.caretakers.installation import bot_of, processes_of
from tests.helpers import sql_client
from tests.proofs.hour.ground import Ground

CALM_AT_FIRST, CALM_AT_LAST = 0.1, 0.2  # shares of the whole time
MIX_SECONDS = 300.0  # so long a mix of the exchange's faults lasts, then comes the next one
HALTED_SECONDS = (1.0, 45.0)
FROZEN_SECONDS = (2.0, 100.0)  # a heartbeat may be 60 s old
CARETAKERS = ("order_manager.py", "cooldown_manager.py", "consistency_checker.py")
MIX = "another mix of the exchange's faults"
PER_HOUR = {
    "SIGKILL of main_app.py": 5,
    "SIGSTOP of main_app.py": 2,
    "SIGKILL of a caretaker": 6,
    "database connections killed": 12,
    "database server killed": 5,
}


class Troubles:
    """`tick` does what has become due."""

    def __init__(self, ground: Ground, seed: int, seconds: float) -> None:
        self._ground = ground
        # a run that is short has short troubles
        self._share = min(1.0, seconds / 3600)
        self._dice = random.Random(f"hour:{seed}")
        self.begin_at, self.end_at = CALM_AT_FIRST * seconds, (1 - CALM_AT_LAST) * seconds
        self._deeds: dict[str, Callable[[float], bool]] = {
            "SIGKILL of main_app.py": self._kill_bot,
            "SIGSTOP of main_app.py": self._freeze_bot,
            "SIGKILL of a caretaker": self._kill_caretaker,
            "database connections killed": self._kill_connections,
            "database server killed": self._halt_server,
            MIX: self._turn_on_another_mix,
        }
        counts = {name: round(count * seconds / 3600) for name, count in PER_HOUR.items()}
        self._due = [
            (self._dice.uniform(self.begin_at, self.end_at), name)
            for name, count in counts.items()
            for _ in range(max(1, count))
        ]
        mixes = max(1, round((self.end_at - self.begin_at) / MIX_SECONDS))
        length = (self.end_at - self.begin_at) / mixes
        self._due += [(self.begin_at + number * length, MIX) for number in range(mixes)]
        self._undo: list[tuple[float, Callable[[], None]]] = []
        self.struck: Counter[str] = Counter()

    def tick(self, now: float) -> list[str]:
        """Do what is due `now`, in seconds since the beginning, and name it.

        What finds nothing to strike (no bot runs, or no caretaker) is tried at the next tick.
        """
        self._put_back([each for each in self._undo if each[0] <= now])
        due = [each for each in self._due if each[0] <= now]
        struck = [each for each in due if self._deeds[each[1]](now)]
        self._due = [each for each in self._due if each not in struck]
        self.struck.update(name for _, name in struck)
        return [name for _, name in struck]

    def calm_down(self) -> None:
        """Nothing more goes wrong, and what was stopped goes on."""
        self._due.clear()
        self._put_back(list(self._undo))
        self._turn_off_faults()

    def _put_back(self, some: list[tuple[float, Callable[[], None]]]) -> None:
        for each in some:
            self._undo.remove(each)
            each[1]()

    def _kill_bot(self, _: float) -> bool:
        pid = bot_of(self._ground.project)
        return pid is not None and _send(pid, signal.SIGKILL)

    def _freeze_bot(self, now: float) -> bool:
        pid = bot_of(self._ground.project)
        if pid is None or not _send(pid, signal.SIGSTOP):
            return False
        seconds = max(1.0, self._dice.uniform(*FROZEN_SECONDS) * self._share)
        self._undo.append((now + seconds, lambda: _send(pid, signal.SIGCONT) and None))
        return True

    def _kill_caretaker(self, _: float) -> bool:
        running = processes_of(self._ground.project).items()
        # not the shell around it
        found = [pid for pid, line in running if line.rstrip().endswith(CARETAKERS)]
        return bool(found) and _send(self._dice.choice(found), signal.SIGKILL)

    def _kill_connections(self, _: float) -> bool:
        """As an administrator would; the bot's and those of caretakers that run just now."""
        with suppress(mysql.connector.Error), closing(sql_client(self._ground.database)) as ours:
            cursor = ours.cursor()
            cursor.execute("SELECT id FROM information_schema.processlist")
            others = [number for (number,) in cursor.fetchall() if number != ours.connection_id]
            for number in others:
                with suppress(mysql.connector.Error):
                    cursor.execute(f"KILL {number}")
            return bool(others)
        return False

    def _halt_server(self, now: float) -> bool:
        if self._ground.server.pid is None:
            return False
        self._ground.server.halt()
        seconds = max(1.0, self._dice.uniform(*HALTED_SECONDS) * self._share)
        self._undo.append((now + seconds, self._ground.server.resume))
        return True

    def _turn_on_another_mix(self, _: float) -> bool:
        self._turn_off_faults()
        self._ground.exchange.post("/sim/faults", {"seed": self._dice.randrange(10**6)})
        return True

    def _turn_off_faults(self) -> None:
        for fault in self._ground.exchange.get("/sim/faults")["on"]:
            self._ground.exchange.post("/sim/faults", {"name": fault["name"], "on": False})


def _send(pid: int, number: signal.Signals) -> bool:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True
