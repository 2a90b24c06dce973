"""Mail reaches a real SMTP server, however that wants to be talked to; trouble stays harmless."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from dca_bot.program.settings import AlertSettings, read_common_settings
from dca_bot.watchdog.mail import send_mail
from tests.watchdog.mail_server import MailServer

NO_FILE = Path("/dev/null")


def settings_for(server: MailServer, **changes: str) -> AlertSettings:
    alerts = read_common_settings(environ=server.env() | changes, env_file=NO_FILE).alerts
    assert alerts is not None
    return alerts


@pytest.fixture(params=[(False, False), (True, False), (False, True), (True, True)])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[MailServer]:
    """With and without STARTTLS, with and without login."""
    tls, login = request.param
    server = MailServer(tmp_path, tls=tls, login=login)
    yield server
    server.stop()


def test_a_mail_arrives_whole(server: MailServer) -> None:
    assert send_mail(settings_for(server), "main_app.py is DOWN", "Ümlauts\nand lines\n")
    mail = server.first_mail()
    assert (mail["from"], mail["to"]) == ("bot@example.com", ["me@example.com"])
    assert "Subject: main_app.py is DOWN" in mail["text"]
    assert "Date: " in mail["text"]
    assert (mail["is_encrypted"], mail["is_logged_in"]) == (server.uses_tls, server.uses_login)


def test_a_refused_login_is_no_mail_and_no_exception(tmp_path: Path) -> None:
    server = MailServer(tmp_path, login=True)
    try:
        wrong = settings_for(server, ALERT_EMAIL_SMTP_PASSWORD="wrong-password")
        assert not send_mail(wrong, "s", "b")
    finally:
        server.stop()
    assert server.mails == []


def test_a_server_that_is_not_there_is_no_exception(tmp_path: Path) -> None:
    server = MailServer(tmp_path)
    server.stop()
    with socket.socket() as mute:  # its own port may be somebody else's by now
        mute.bind(("127.0.0.1", 0))
        port = mute.getsockname()[1]
        assert not send_mail(settings_for(server, ALERT_EMAIL_SMTP_PORT=str(port)), "s", "b")


def test_without_settings_nothing_is_sent_and_nothing_is_wrong() -> None:
    assert send_mail(None, "s", "b")
