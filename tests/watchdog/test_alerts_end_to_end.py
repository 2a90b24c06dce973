"""Alerts from the incident to real local servers: HTTP, and SMTP with and without apprise."""

from __future__ import annotations

import json
import logging
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from dca_bot.program.channel_settings import secrets_of
from dca_bot.program.settings import PROJECT_ROOT, AlertSettings
from dca_bot.watchdog.channels import Channels, failing
from dca_bot.watchdog.incidents import Incidents
from dca_bot.watchdog.problems import Problem, ProblemKind
from tests.watchdog.mail_server import MailServer
from tests.watchdog.test_channels import TOKEN, Service
from tests.watchdog.watched_bot import WatchedBot

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

NOW = datetime(2026, 3, 2, 7, tzinfo=UTC)
HOUR = timedelta(hours=1)
LIMIT = Problem(ProblemKind.LIMIT, "MAX_INVESTED", NOW, "BTC/USD: a BUY is due")


@pytest.fixture
def service() -> Iterator[Service]:
    service = Service()
    yield service
    service.close()


def by_apprise(mail: MailServer) -> str:
    """The mail server as an address of ALERT_URLS."""
    people = "from=bot@example.com&to=me@example.com"
    return f"mailto://127.0.0.1:{mail.port}?smtp=127.0.0.1&port={mail.port}&mode=insecure&{people}"


class Watchdog:
    """Its runs, at moments that a test names."""

    def __init__(self, directory: Path, urls: list[str], mail: MailServer | None = None) -> None:
        self._directory, self._urls = directory / "logs", urls
        self._directory.mkdir()
        self._alerts = mail and AlertSettings(
            "bot@example.com", "me@example.com", "127.0.0.1", mail.port, None, None
        )

    def see(self, after: timedelta, *problems: Problem) -> None:
        now = NOW + after
        channels = Channels(self._directory, self._urls, now)
        secrets = secrets_of(" ".join(self._urls))
        with Incidents(self._directory, self._alerts, now, secrets, channels=channels) as incidents:
            incidents.see(problems, not_looked_at=(), booted_at=NOW - HOUR)

    @property
    def files(self) -> str:
        return "".join(path.read_text() for path in self._directory.iterdir())

    @property
    def failing(self) -> list[str]:
        return failing(self._directory)


def subjects(mail: MailServer) -> list[str]:
    lines = [line for each in mail.mails for line in each["text"].splitlines()]
    found = [line.partition("[dca-bot] ")[2] for line in lines if line.startswith("Subject: ")]
    return [each.rpartition(" on ")[0] for each in found]


STORY = [
    "MAX_INVESTED keeps BUYs back",
    "MAX_INVESTED keeps BUYs back",
    "over: MAX_INVESTED keeps BUYs back",
]


def play(watchdog: Watchdog, sentence: str = LIMIT.sentence) -> None:
    """A limit that holds a BUY up from seven to two, seen every hour, and never again."""
    limit = replace(LIMIT, sentence=sentence)
    for minutes in (0, 5, 10):
        watchdog.see(timedelta(minutes=minutes), limit)
    for hours in range(1, 8):
        watchdog.see(hours * HOUR, limit)
    for hours in (8, 9, 20):
        watchdog.see(hours * HOUR)


def test_an_incident_is_one_message_a_reminder_and_an_end_on_every_way(
    tmp_path: Path, service: Service, mail: MailServer
) -> None:
    play(Watchdog(tmp_path, [service.url], mail), f"it names {TOKEN} by mistake")
    assert [
        str(each).partition("] ")[2].rpartition(" on ")[0] for each in service.received
    ] == STORY
    assert subjects(mail) == STORY
    assert TOKEN not in json.dumps(service.got) + json.dumps(mail.mails)


def test_apprise_mails_the_same_to_a_real_smtp_server(tmp_path: Path, mail: MailServer) -> None:
    play(Watchdog(tmp_path, [by_apprise(mail)]))
    assert subjects(mail) == STORY
    assert {tuple(each["to"]) for each in mail.mails} == {("me@example.com",)}


def test_a_channel_that_fails_gets_what_it_missed_and_nobody_gets_it_twice(
    tmp_path: Path, service: Service, mail: MailServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    watchdog = Watchdog(tmp_path, [service.url, by_apprise(mail)])
    service.status = 503
    watchdog.see(timedelta(minutes=5), LIMIT)
    watchdog.see(timedelta(minutes=10), LIMIT)
    assert (service.got, subjects(mail)) == ([], STORY[:1])
    assert [each.partition(" of ")[0] for each in watchdog.failing] == ["channel 1 (json)"]
    service.status = 200
    watchdog.see(timedelta(minutes=15), LIMIT)
    watchdog.see(timedelta(minutes=20), LIMIT)
    assert (len(service.got), subjects(mail), watchdog.failing) == (1, STORY[:1], [])
    assert TOKEN not in caplog.text + watchdog.files


def test_a_mail_server_that_is_away_holds_up_no_channel(tmp_path: Path, service: Service) -> None:
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]
    url = f"mailto://user:{TOKEN}@127.0.0.1:{port}?smtp=127.0.0.1&from=a@example.com&mode=insecure"
    watchdog = Watchdog(tmp_path, [url, service.url])
    watchdog.see(timedelta(minutes=5), LIMIT)
    assert len(service.got) == 1
    [message] = watchdog.failing
    assert message.startswith("channel 1 (mailto) of ALERT_URLS takes no messages")
    assert TOKEN not in watchdog.files


def dca(env: dict[str, str], *words: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "dca_bot", *words, "--json"],
        cwd="/",
        env=env | {"PYTHONPATH": str(PROJECT_ROOT / "src")},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert TOKEN not in done.stdout + done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_the_real_watchdog_tells_all_of_a_restart_and_status_and_doctor_who_did_not_hear_it(
    bot_env: dict[str, str], service: Service, mail: MailServer
) -> None:
    deaf = Service()
    deaf.status = 500
    urls = " ".join([service.url, by_apprise(mail), deaf.url])
    bot = WatchedBot(bot_env | {"ALERT_URLS": urls})
    try:
        bot.watch(expect=0)
        bot.kill()
        for _ in range(2):
            done = bot.watch(expect=0)
            assert TOKEN not in done.stdout + done.stderr
        assert [str(each).rpartition(" on ")[0] for each in service.received] == [
            "[dca-bot] main_app.py was restarted"
        ]
        assert subjects(mail) == ["main_app.py was restarted"]
        message = "channel 3 (json) of ALERT_URLS takes no messages since"
        assert [each for each in dca(bot.env, "status")["reasons"] if message in each]
        findings = dca(bot.env, "doctor")["findings"]
        assert [each for each in findings if message in each["what"] and each["mark"] == "bad"]
    finally:
        bot.clean_up()
        deaf.close()
