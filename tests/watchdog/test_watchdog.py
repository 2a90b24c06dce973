"""watchdog.py: a bot that is gone or hangs comes back, and somebody is told, once."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest

from dca_bot.live.app import HEARTBEAT_SECONDS
from dca_bot.program.clock import utc_now
from dca_bot.program.script import only_once
from dca_bot.program.settings import DatabaseSettings
from dca_bot.watchdog import heartbeat, process
from dca_bot.watchdog.bot_process import SCRIPT, BotProcess
from dca_bot.watchdog.health import ProcessHealth
from dca_bot.watchdog.problems import Problem
from tests.helpers import eventually
from tests.proofs.whole.database_proxy import DatabaseProxy
from tests.watchdog.mail_server import MailServer
from tests.watchdog.watched_bot import WatchedBot

# A clear no, for which no main_app.py waits.
REFUSED = {"DB_PASSWORD": "not-the-password"}


@pytest.fixture
def bot(bot_env: dict[str, str], mail: MailServer) -> Iterator[WatchedBot]:
    """Not started yet, with a mailbox."""
    bot = WatchedBot(bot_env | mail.env())
    yield bot
    bot.clean_up()


def subjects(mail: MailServer) -> list[str]:
    return [
        found[1]
        for each in mail.mails
        if (found := re.search(r"Subject: \[dca-bot\] main_app\.py (.*) on ", each["text"]))
    ]


def test_the_very_first_start_is_no_incident_and_a_healthy_bot_is_left_alone(
    bot: WatchedBot, mail: MailServer
) -> None:
    assert "stopped" in bot.watch("--status", expect=1).stdout
    assert bot.pid is None
    bot.watch(expect=0)
    pid = bot.pid
    assert pid
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    assert int(fields[3]) == pid  # a session of its own: it outlives the watchdog's
    assert "well" in bot.watch("--status", expect=0).stdout
    bot.watch(expect=0)
    assert bot.pid == pid
    assert mail.mails == []


def test_a_killed_bot_comes_back_and_one_mail_tells_of_it_with_its_last_lines_and_no_secret(
    bot: WatchedBot, mail: MailServer
) -> None:
    bot.watch(expect=0)
    first, lines = bot.pid, eventually(lambda: bot.log)
    bot.kill()
    secret = bot.env["APCA_API_SECRET_KEY"]
    with (bot.directory / "main_app.log").open("a") as log:
        log.write(f"Traceback: refused with {secret}\n")
    bot.watch(expect=0)
    assert bot.pid not in (None, first)
    assert bot.log.startswith(lines)  # its output is kept and appended to
    assert bot.log.count("a simulated exchange") == 2
    bot.watch(expect=0)
    assert subjects(mail) == ["was restarted"]
    text = mail.first_mail()["text"]
    assert "Traceback: refused with" in text
    assert secret not in text


def test_a_process_id_that_belongs_to_another_program_is_not_the_bot(
    bot: WatchedBot, mail: MailServer
) -> None:
    bot.directory.mkdir(parents=True)
    with subprocess.Popen(["sleep", "60"]) as stranger:
        (bot.directory / heartbeat.PID_FILE_NAME).write_text(f"{stranger.pid}\n")
        bot.watch()
        is_alive = stranger.poll() is None
        stranger.kill()
    assert is_alive
    assert bot.pid not in (None, stranger.pid)
    assert subjects(mail) == ["was restarted"]


def test_a_stale_process_id_is_no_obstacle(bot: WatchedBot) -> None:
    bot.directory.mkdir(parents=True)
    (bot.directory / heartbeat.PID_FILE_NAME).write_text("4194303\n")
    bot.watch(expect=0)
    assert bot.pid


def test_a_bot_that_hangs_is_replaced(bot: WatchedBot, mail: MailServer) -> None:
    bot.watch(expect=0)
    hung = bot.pid
    bot.send(signal.SIGSTOP)
    eventually(lambda: age_of(bot) > 3)
    bot.watch(expect=0, HEARTBEAT_MAX_AGE_SECONDS="3")
    assert bot.pid not in (None, hung)
    assert hung is not None
    assert not process.runs_script(hung, SCRIPT)
    assert subjects(mail) == ["was restarted"]


def test_a_bot_whose_heartbeat_is_only_late_is_left_alone(bot: WatchedBot) -> None:
    bot.watch(expect=0)
    pid = bot.pid
    bot.send(signal.SIGSTOP)
    eventually(lambda: age_of(bot) > 5)
    pauses: list[float] = []

    def wake(seconds: float) -> None:
        pauses.append(seconds)
        bot.send(signal.SIGCONT)
        eventually(lambda: age_of(bot) < 2, 30)

    # not by the script: nobody could wake the bot just between its two looks
    looked_at = BotProcess(bot.directory, beat_age_max=5, clock=utc_now, sleep=wake)
    assert looked_at.verdict().health is ProcessHealth.WELL
    assert bot.pid == pid
    [pause] = pauses
    assert pause > 2 * HEARTBEAT_SECONDS


def test_the_last_heartbeat_of_the_bot_before_does_not_speak_for_a_new_one(tmp_path: Path) -> None:
    long_ago = utc_now() - timedelta(hours=1)
    heartbeat.write(heartbeat.first(long_ago), tmp_path)
    script = tmp_path / "main_app.py"
    script.write_text("import time\ntime.sleep(600)\n")
    bot = BotProcess(tmp_path, beat_age_max=60, clock=utc_now, script=script, sleep=lambda _: None)
    with subprocess.Popen([sys.executable, str(script)]) as starting:
        (tmp_path / heartbeat.PID_FILE_NAME).write_text(f"{starting.pid}\n")
        try:
            eventually(lambda: bot.pid() == starting.pid)
            assert bot.verdict().health is ProcessHealth.STARTING
        finally:
            starting.kill()


def test_a_start_that_fails_is_reported_once_and_so_is_the_recovery(
    bot: WatchedBot, mail: MailServer
) -> None:
    for _ in range(2):
        bot.watch(expect=1, **REFUSED)
    assert subjects(mail) == ["is DOWN"]
    bot.watch(expect=0)
    bot.watch(expect=0)
    assert subjects(mail) == ["is DOWN", "is well again"]


def test_a_bot_that_does_not_become_well_in_time_is_ended_again(
    bot: WatchedBot, mail: MailServer
) -> None:
    """However many runs there are, there is never more than one bot, and here none is left."""
    for _ in range(2):
        done = bot.watch(expect=1, WATCHDOG_START_SECONDS="1", **never_well(bot))
        assert "ended" in done.stdout
        assert running_bots(bot) == []
    assert subjects(mail) == ["is DOWN"]


def test_a_database_that_is_away_is_waited_for_by_a_bot_that_counts_as_running(
    bot: WatchedBot, mail: MailServer
) -> None:
    bot.watch(expect=0, DB_PORT="1")
    pid = bot.pid
    assert pid
    assert "waits for the database" in bot.watch(expect=0, DB_PORT="1").stdout
    assert bot.pid == pid
    assert subjects(mail) == []


def test_the_mail_of_a_restart_says_when_the_new_bot_still_waits(
    bot: WatchedBot, mail: MailServer
) -> None:
    bot.watch(expect=0)
    bot.kill()
    said = bot.watch(expect=0, DB_PORT="1").stdout
    assert "is started but it waits for the database" in said
    text = " ".join(mail.first_mail()["text"].replace("=\n", "").split())
    assert "which waits for the database" in text
    assert "which is well" not in text


def test_a_database_that_goes_and_comes_back_is_mailed_once_each(
    bot: WatchedBot, mail: MailServer, database: DatabaseSettings
) -> None:
    proxy = DatabaseProxy(database)
    port = proxy.settings.port
    settings = {"DB_PORT": str(port), "PROBLEM_MAIL_SECONDS": "1"}
    bot.watch(expect=0, **settings)
    proxy.close()
    eventually(lambda: named(bot), 30)
    eventually(lambda: (bot.watch(expect=0, **settings), all_subjects(mail))[1], 30)
    assert "does not answer" in bot.watch("--status", expect=1, **settings).stdout
    bot.watch(expect=0, **settings)
    proxy = DatabaseProxy(database, port)
    try:
        eventually(lambda: not named(bot), 60)
        for _ in range(2):
            bot.watch(expect=0, **settings)
    finally:
        proxy.close()
    title = "the database does not answer"
    assert all_subjects(mail) == [title, f"over: {title}"]


def named(bot: WatchedBot) -> tuple[Problem, ...]:
    beat = heartbeat.read(bot.directory)
    assert beat is not None
    return beat.problems


def all_subjects(mail: MailServer) -> list[str]:
    found = (re.search(r"Subject: \[dca-bot\] (.*) on ", each["text"]) for each in mail.mails)
    return [match[1] for match in found if match]


def test_mail_goes_out_also_when_nothing_can_be_remembered(
    bot: WatchedBot, mail: MailServer
) -> None:
    """As on a full disk."""
    (bot.directory / "watchdog.state.new").mkdir(parents=True)
    done = bot.watch(expect=1, **REFUSED)
    assert "can't be remembered" in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert subjects(mail) == ["is DOWN"]


def test_a_bot_that_cannot_start_is_not_restarted_for_ever(bot: WatchedBot) -> None:
    for _ in range(5):
        bot.watch(expect=1, **REFUSED)
    log = bot.log
    done = bot.watch(expect=1)
    assert "--resume" in done.stdout
    assert bot.log == log  # not even tried
    bot.watch("--resume", expect=0)
    bot.watch(expect=0)
    assert bot.pid


def test_a_wrong_setting_is_reported_and_nothing_is_started(
    bot: WatchedBot, mail: MailServer
) -> None:
    for _ in range(7):
        done = bot.watch(expect=2, APCA_API_KEY_ID="")
        assert "APCA_API_KEY_ID" in done.stderr
        assert len(done.stderr.splitlines()) == 1
    assert not (bot.directory / "main_app.log").exists()
    assert subjects(mail) == ["is DOWN"]
    bot.watch(expect=0)
    assert subjects(mail) == ["is DOWN", "is well again"]


def test_while_paused_a_stopped_bot_stays_stopped(bot: WatchedBot, mail: MailServer) -> None:
    bot.watch(expect=0)
    bot.watch("--pause", expect=0)
    bot.send(signal.SIGTERM)
    eventually(lambda: bot.pid is None, 30)
    bot.watch(expect=0)
    assert bot.pid is None
    bot.watch("--resume", expect=0)
    bot.watch(expect=0)
    assert bot.pid
    assert subjects(mail) == ["was restarted"]


def test_an_answer_is_given_whatever_the_log_level(bot: WatchedBot) -> None:
    for asked, answer in (("--pause", "paused"), ("--status", "stopped"), ("--resume", "resumed")):
        assert answer in bot.watch(asked, LOG_LEVEL="ERROR").stdout


def test_mail_that_cannot_be_sent_stops_nothing_and_is_sent_later(
    bot: WatchedBot, mail: MailServer
) -> None:
    bot.watch(expect=0)
    bot.kill()
    done = bot.watch(expect=0, ALERT_EMAIL_SMTP_PORT="1")
    assert "no mail sent" in done.stdout
    assert bot.pid
    bot.watch(expect=0)
    bot.watch(expect=0)
    assert subjects(mail) == ["was restarted"]


def test_a_second_watchdog_leaves_the_work_to_the_first(bot: WatchedBot) -> None:
    with only_once("watchdog", bot.directory):
        bot.watch(expect=0)
    assert bot.pid is None


def never_well(bot: WatchedBot) -> dict[str, str]:
    """Settings with which main_app.py runs, but never gets as far as its first heartbeat."""
    silent = socket.create_server(("127.0.0.1", 0))
    bot.keep(silent)
    return {"DB_PORT": str(silent.getsockname()[1])}


def running_bots(bot: WatchedBot) -> list[int]:
    """Every main_app.py with this LOG_DIR, whether it has left traces or not."""
    ours = f"LOG_DIR={bot.directory}".encode()
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if ours in (place / "environ").read_bytes().split(b"\0"):
                found.append(int(place.name))
    return [pid for pid in found if process.runs_script(pid, SCRIPT)]


def age_of(bot: WatchedBot) -> float:
    beat = heartbeat.read(bot.directory)
    assert beat is not None
    return time.time() - beat.at.timestamp()
