"""A whole run, and whatever may go wrong in one: no secret in anything that was written."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from email import message_from_string
from email.policy import default
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dca_bot.program.masking import Mask
from dca_bot.program.settings import DatabaseSettings
from tests.helpers import Simulator, database_environment, eventually, run_script
from tests.proofs.security import telltales
from tests.proofs.security.telltales import (
    DB_PASSWORD,
    KEY_ID,
    SECRET_KEY,
    SECRETS,
    SMTP_PASSWORD,
    every_spelling,
)
from tests.proofs.whole.busy import Bot, add_assets, more_orders_than
from tests.store.sql_helpers import SqlClient
from tests.tally import struck
from tests.watchdog.mail_server import MailServer
from tests.watchdog.watched_bot import WatchedBot

KEYS = ("--key", KEY_ID, "--secret", SECRET_KEY, "--lively")
PRIVILEGES = ("SELECT", "INSERT", "UPDATE")
CARETAKERS = ("order_manager.py", "cooldown_manager.py", "consistency_checker.py")
USER = "keeper_of_secrets"
CRASHES = """
import asyncio, json, sys, threading, warnings
from pathlib import Path
from dca_bot.program import logs, script
from dca_bot.program.settings import LogSettings

secrets, told = json.load(sys.stdin)
logs.set_up_logging(LogSettings(sys.argv[1], Path(sys.argv[2])), program="main_app",
                    secrets=secrets, to_file=True)

class Lost:
    def __del__(self):
        raise ValueError(told)

def fail():
    raise ValueError(told)

async def forgotten():
    asyncio.get_running_loop().call_soon(fail)
    task = asyncio.create_task(asyncio.sleep(0))
    asyncio.get_running_loop().call_exception_handler({"message": told})
    await task

def main():
    thread = threading.Thread(target=fail)
    thread.start()
    thread.join()
    lost = Lost()
    del lost
    warnings.warn(told)
    asyncio.run(forgotten())
    raise RuntimeError(told) from ExceptionGroup(told, [ValueError(told)])

if sys.argv[3] == "run":
    sys.exit(script.run(main))
main()
"""


@pytest.fixture
def guarded(database: DatabaseSettings) -> Iterator[DatabaseSettings]:
    """The same database for a user whose password can be recognised."""
    sql = SqlClient(database)
    sql.create_user(USER, DB_PASSWORD, database.name, *PRIVILEGES)
    yield replace(database, user=USER, password=DB_PASSWORD)
    sql.drop_user(USER)
    sql.close()


@pytest.fixture
def bot_env(bot_env: dict[str, str], guarded: DatabaseSettings) -> dict[str, str]:
    """All four secrets, and a log that says as much as it can."""
    return {
        **bot_env,
        **database_environment(guarded),
        "LOG_LEVEL": "DEBUG",
        "ALERT_EMAIL_SMTP_USER": "user",
        "ALERT_EMAIL_SMTP_PASSWORD": SMTP_PASSWORD,
    }


class Witness:
    """Hears everything, and says what should not have been said."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._heard = folder, dict[str, str]()

    def run(self, name: str, *arguments: str, env: dict[str, str]) -> str:
        done = run_script(name, *arguments, env=env)
        self.hear(f"{name} {len(self._heard)}", done.stdout + done.stderr)
        return done.stdout + done.stderr

    def hear(self, where: str, text: str) -> None:
        self._heard[where] = text

    def leaks(self) -> list[str]:
        everything = self._heard | telltales.read_all(self._folder)
        return [leak for where, text in everything.items() for leak in telltales.leaks(where, text)]


@pytest.fixture
def witness(bot_env: dict[str, str]) -> Witness:
    return Witness(Path(bot_env["LOG_DIR"]))


@pytest.mark.parametrize("simulator", [KEYS], indirect=True)
def test_a_run_in_which_all_goes_well_shows_no_secret(
    bot: Bot, bot_env: dict[str, str], database: DatabaseSettings, simulator: Simulator,
    witness: Witness,
) -> None:  # fmt: skip
    add_assets(database)
    bot.start()
    eventually(more_orders_than(simulator, 1), timeout=30)
    for where, text in telltales.command_lines().items():
        witness.hear(where, text)
    for name in CARETAKERS:
        assert " done " in witness.run(name, env=bot_env)
    assert bot.end() == 0
    witness.hear("bot", bot.output)
    assert "stopped" in bot.output
    assert witness.leaks() == []


@pytest.mark.parametrize("simulator", [KEYS], indirect=True)
def test_a_stream_that_repeats_the_keys_makes_nobody_show_them(
    bot_env: dict[str, str], database: DatabaseSettings, tmp_path: Path, witness: Witness
) -> None:
    add_assets(database)
    with telltales.TelltaleStream() as stream:
        bot = Bot(bot_env | {"APCA_API_STREAM_URL": stream.url}, tmp_path)
        bot.start()
        try:
            eventually(lambda: "Alpaca refuses the keys" in bot.output, timeout=30)
        finally:
            bot.kill()
    witness.hear("bot", bot.output)
    assert "***" in bot.output
    assert witness.leaks() == []


@pytest.mark.parametrize(
    "status", [401, *(pytest.param(status, marks=pytest.mark.proof) for status in (422, 500))]
)
def test_an_exchange_that_repeats_the_keys_makes_nobody_show_them(
    status: int, bot_env: dict[str, str], witness: Witness
) -> None:
    keys = {"APCA_API_KEY_ID": KEY_ID, "APCA_API_SECRET_KEY": SECRET_KEY}
    with telltales.TelltaleHttp(status) as host:
        env = bot_env | keys | {"APCA_API_BASE_URL": host.url}
        struck("exchange that repeats the keys", status=status)
        assert "***" in witness.run("consistency_checker.py", env=env)
        if status == 401:
            assert "***" in witness.run("main_app.py", env=env)
    assert witness.leaks() == []


def test_a_refused_database_password_is_not_shown(
    bot_env: dict[str, str], witness: Witness
) -> None:
    for name in ("main_app.py", "cooldown_manager.py"):
        output = witness.run(name, env=bot_env | {"DB_USER": "somebody"})
        assert "correct DB_USER and DB_PASSWORD" in output
    assert witness.leaks() == []


def test_secrets_in_the_wrong_lines_of_the_settings_are_not_shown(
    bot_env: dict[str, str], witness: Witness
) -> None:
    for secret in SECRETS:
        names = ("DB_PORT", "LOG_LEVEL", "STUCK_SELL_SECONDS", "APCA_API_DATA_URL")
        wrong = dict.fromkeys(names, secret)
        wrong["APCA_API_BASE_URL"] = f"https://user:{secret}@example.com"
        output = witness.run("main_app.py", env=bot_env | wrong)
        assert [name for name in wrong if name not in output] == []
    assert witness.leaks() == []


@pytest.mark.parametrize("simulator", [KEYS], indirect=True)
def test_no_mail_of_the_watchdog_holds_a_secret(
    bot_env: dict[str, str], tmp_path: Path, witness: Witness, simulator: Simulator
) -> None:
    mail = MailServer(tmp_path)
    bot = WatchedBot({**bot_env, **mail.env(), "ALERT_EMAIL_SMTP_USER": "", "LOG_LEVEL": "INFO"})
    try:
        witness.hear("first", bot.watch(expect=0).stdout)
        for sends_mail in ({}, {"APCA_API_KEY_ID": ""}):
            bot.kill()
            with (bot.directory / "main_app.log").open("a") as log:
                log.write(f"Traceback: {every_spelling()}\n")
            done = bot.watch(**sends_mail)
            witness.hear(f"with {sends_mail}", done.stdout + done.stderr)
            (bot.directory / "main_app.log").unlink()
            if not sends_mail:
                assert bot.pid
    finally:
        bot.clean_up()
        mail.stop()
    assert len(mail.mails) == 2
    for number, each in enumerate(mail.mails):
        body = message_from_string(each["text"], policy=default).get_content()
        witness.hear(f"mail {number} raw", each["text"])
        witness.hear(f"mail {number}", body)
    assert (
        "Traceback: ***" in message_from_string(mail.mails[0]["text"], policy=default).get_content()
    )
    assert witness.leaks() == []


def test_a_mail_server_that_repeats_the_password_makes_nobody_show_it(
    bot_env: dict[str, str], witness: Witness
) -> None:
    with telltales.TelltaleMail() as server:
        env = bot_env | {
            "ALERT_EMAIL_SENDER": "bot@example.com",
            "ALERT_EMAIL_RECEIVER": "me@example.com",
            "ALERT_EMAIL_SMTP_SERVER": "127.0.0.1",
            "ALERT_EMAIL_SMTP_PORT": str(server.port),
            "DB_NAME": "nowhere",  # so that the start fails
            "APCA_API_KEY_ID": KEY_ID,
        }
        output = witness.run("watchdog.py", env=env)
    assert "no mail sent" in output
    assert "***" in output
    assert witness.leaks() == []


@pytest.mark.parametrize("level", ["INFO", "DEBUG"])
@pytest.mark.parametrize("frame", ["run", "bare"])
def test_a_crash_shows_no_secret_wherever_it_happens(
    level: str, frame: str, tmp_path: Path
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", CRASHES, level, str(tmp_path), frame],
        # not on the command line: another test may just be looking for secrets there
        input=json.dumps([SECRETS, every_spelling()]),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    struck("crash that tells the secrets", 6, level=level, frame=frame)
    output = done.stdout + done.stderr
    assert output.count("***") > 20
    assert ("Traceback" in output) is (level == "DEBUG")
    assert list(telltales.leaks("output", output)) == []
    log = (tmp_path / "main_app.log").read_text()
    assert list(telltales.leaks("log", log)) == []


PASSWORDS = st.text(st.characters(codec="utf-8"), min_size=6, max_size=40)


@given(PASSWORDS, st.binary(max_size=5), st.binary(max_size=5))
def test_a_secret_is_found_in_base64_wherever_it_begins(
    secret: str, before: bytes, after: bytes
) -> None:
    coded = base64.b64encode(before + secret.encode() + after).decode()
    assert "***" in Mask([secret])(coded)


@given(PASSWORDS)
def test_every_spelling_is_masked(secret: str) -> None:
    for form in telltales.spellings(secret):
        assert "***" in Mask([secret])(form)


def test_a_short_password_is_reported_since_it_cannot_be_masked(
    bot_env: dict[str, str],
) -> None:
    done = run_script("watchdog.py", "--status", env=bot_env | {"DB_PASSWORD": "bot"})
    warnings = [line for line in done.stdout.splitlines() if " WARNING " in line]
    assert len(warnings) == 1
    assert "fewer than 6 characters" in warnings[0]
