"""Settings: what users write is understood, or named as wrong, all at once."""

import os
import shutil
from pathlib import Path

import pytest

from dca_bot.program.errors import SettingsError
from dca_bot.program.setting_values import Values
from dca_bot.program.settings import (
    PROJECT_ROOT,
    Settings,
    read_common_settings,
    read_secrets,
    read_settings,
    read_store_settings,
)

NO_FILE = Path("/nonexistent/.env")
REQUIRED = {
    "APCA_API_KEY_ID": "PKTEST1234",
    "APCA_API_SECRET_KEY": "secret-key-5678",
    "DB_HOST": "localhost",
    "DB_USER": "dca",
    "DB_PASSWORD": "database-password",
    "DB_NAME": "dca_bot_db",
}
# As the product's first README printed it, trailing blanks included.
README_SAMPLE = """
# Alpaca API Credentials\x20\x20
APCA_API_KEY_ID="YOUR_ALPACA_API_KEY_ID"\x20\x20
APCA_API_SECRET_KEY="YOUR_ALPACA_API_SECRET_KEY"\x20\x20
APCA_API_BASE_URL="https://paper-api.alpaca.markets" # For paper trading\x20\x20
# APCA_API_BASE_URL="https://api.alpaca.markets" # For live trading

DB_HOST="localhost"\x20\x20
DB_USER="your_db_user"\x20\x20
DB_PASSWORD="your_db_password"\x20\x20
DB_NAME="dca_bot_db"\x20\x20
DB_PORT="3306" # Or your MySQL/MariaDB port

ALERT_EMAIL_SENDER="your_sender_email@example.com"\x20\x20
ALERT_EMAIL_RECEIVER="your_receiver_email@example.com"\x20\x20
ALERT_EMAIL_SMTP_SERVER="smtp.example.com"\x20\x20
ALERT_EMAIL_SMTP_PORT=587\x20\x20
ALERT_EMAIL_SMTP_USER="your_smtp_user" # Often same as sender\x20\x20
ALERT_EMAIL_SMTP_PASSWORD="your_smtp_password"
"""


def settings_with(**changes: str) -> Settings:
    return read_settings({**REQUIRED, **changes}, NO_FILE)


def problems_of(environ: dict[str, str], env_file: Path = NO_FILE) -> tuple[str, ...]:
    with pytest.raises(SettingsError) as raised:
        read_settings(environ, env_file)
    return raised.value.problems


def env_file(tmp_path: Path, text: str) -> Path:
    path = tmp_path / ".env"
    path.write_text(text)
    return path


def test_only_keys_and_database_are_required() -> None:
    settings = settings_with()
    assert settings.alpaca.base_url == "https://paper-api.alpaca.markets"
    assert settings.alpaca.trade_stream_url == "wss://paper-api.alpaca.markets/stream"
    assert settings.alpaca.quote_stream_url == (
        "wss://stream.data.alpaca.markets/v1beta3/crypto/us"
    )
    assert settings.database.port == 3306
    assert settings.alerts is None
    assert settings.limits.stuck_sell_seconds == 75
    assert settings.log.dir == PROJECT_ROOT / "logs"


def test_the_readmes_sample_is_understood(tmp_path: Path) -> None:
    settings = read_settings({}, env_file(tmp_path, README_SAMPLE))
    assert settings.alpaca.key_id == "YOUR_ALPACA_API_KEY_ID"
    assert settings.alpaca.base_url == "https://paper-api.alpaca.markets"
    assert settings.database.port == 3306
    assert settings.alerts is not None
    assert settings.alerts.smtp_port == 587
    assert settings.alerts.smtp_user == "your_smtp_user"


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    file = env_file(tmp_path, README_SAMPLE)
    settings = read_settings({"DB_HOST": "db.example.com", "ALERT_EMAIL_SMTP_USER": ""}, file)
    assert settings.database.host == "db.example.com"
    assert settings.alerts is not None
    assert settings.alerts.smtp_user is None


def test_the_file_lies_in_the_project_whatever_the_working_directory() -> None:
    assert (PROJECT_ROOT / "pyproject.toml").exists()
    defaults = read_settings.__defaults__
    assert defaults == (os.environ, PROJECT_ROOT / ".env")


def test_a_password_is_taken_literally(tmp_path: Path) -> None:
    file = env_file(tmp_path, "DB_PASSWORD='a${HOME} # b'\n")
    environ = {name: value for name, value in REQUIRED.items() if name != "DB_PASSWORD"}
    assert read_settings(environ, file).database.password == "a${HOME} # b"


def test_the_database_password_may_be_empty_but_not_absent() -> None:
    assert settings_with(DB_PASSWORD="").database.password == ""
    absent = {name: value for name, value in REQUIRED.items() if name != "DB_PASSWORD"}
    assert len(problems_of(absent)) == 1


def test_all_mistakes_are_reported_together_and_by_name() -> None:
    wrong = {"DB_HOST": " ", "DB_PORT": "99999", "LOG_LEVEL": "LOUD", "STALE_ORDER_SECONDS": "5m"}
    problems = " ".join(problems_of({**REQUIRED, **wrong}))
    assert all(name in problems for name in wrong)


def test_a_program_reports_only_what_it_needs() -> None:
    database = {name: value for name, value in REQUIRED.items() if name.startswith("DB_")}
    assert read_store_settings(database, NO_FILE).database.name == "dca_bot_db"
    assert read_common_settings({}, NO_FILE).limits.watchdog_start_seconds == 30


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "ten", "1e3", "٣", "99999999999999999999"])
def test_a_count_of_seconds_is_a_positive_whole_number(text: str) -> None:
    assert len(problems_of({**REQUIRED, "ASSET_REFRESH_SECONDS": text})) == 1


@pytest.mark.parametrize(
    "url",
    [
        "paper-api.alpaca.markets",
        "ftp://paper-api.alpaca.markets",
        "https://",
        "https://host:port",
        "https://host:99999",
        "https://user:s3cret@host",
        "https://host?x=1",
        "https://paper-api.alpaca.markets/v2",
        "https://paper api",
    ],
)
def test_an_unusable_url_is_named_without_being_repeated(url: str) -> None:
    (problem,) = problems_of({**REQUIRED, "APCA_API_BASE_URL": url})
    assert problem.startswith("APCA_API_BASE_URL")
    assert "s3cret" not in problem


def test_a_local_exchange_is_reached_without_encryption() -> None:
    alpaca = settings_with(
        APCA_API_BASE_URL="http://127.0.0.1:4300/", APCA_API_STREAM_URL="ws://127.0.0.1:4300/"
    ).alpaca
    assert alpaca.base_url == "http://127.0.0.1:4300"
    assert alpaca.trade_stream_url == "ws://127.0.0.1:4300/stream"
    assert alpaca.quote_stream_url == "ws://127.0.0.1:4300/v1beta3/crypto/us"


@pytest.mark.parametrize("name", ["APCA_API_BASE_URL", "APCA_API_DATA_URL", "APCA_API_STREAM_URL"])
@pytest.mark.parametrize(
    "host",
    ["paper-api.alpaca.markets", "8.8.8.8", "1.1.1.1:8080", "[2606:4700::1111]:80"]
    + ["localhost.example.com", "127.0.0.1.example.com", "127.1"],
)
def test_keys_are_never_sent_in_the_clear_over_the_internet(name: str, host: str) -> None:
    scheme = "ws" if "STREAM" in name else "http"
    (problem,) = problems_of({**REQUIRED, name: f"{scheme}://{host}"})
    assert problem.startswith(f"{name} must begin with {'wss' if scheme == 'ws' else 'https'}")


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "127.8.9.1:80", "localhost:4300", "LOCALHOST", "[::1]"]
    + ["192.168.1.5", "10.0.0.1:8080", "[fe80::1]", "simulator:80"],
)
def test_a_simulated_exchange_nearby_may_be_asked_in_the_clear(host: str) -> None:
    assert settings_with(APCA_API_BASE_URL=f"http://{host}").alpaca.base_url == f"http://{host}"


def test_what_stands_in_the_wrong_line_is_not_repeated() -> None:
    wrong = {**REQUIRED, "DB_PORT": "s3cret", "LOG_LEVEL": "s3cret", "STUCK_SELL_SECONDS": "s3cret"}
    assert "s3cret" not in " ".join(problems_of(wrong))


@pytest.mark.parametrize("name", ["SENDER", "RECEIVER", "SMTP_SERVER"])
def test_no_address_can_add_a_line_to_the_head_of_a_mail(name: str) -> None:
    mail = dict.fromkeys(("SENDER", "RECEIVER", "SMTP_SERVER"), "a@example.com")
    mail[name] = "a@example.com\r\nBcc: thief@example.com"
    problems = problems_of({**REQUIRED, **{f"ALERT_EMAIL_{k}": v for k, v in mail.items()}})
    assert [problem.split()[0] for problem in problems] == [f"ALERT_EMAIL_{name}"]


def test_secrets_are_known_though_other_settings_are_wrong() -> None:
    known = {**REQUIRED, "ALERT_EMAIL_SMTP_PASSWORD": " mail-password "}
    assert set(read_secrets({**known, "DB_PORT": "?"}, NO_FILE)) == {
        *settings_with().secrets(),
        "mail-password",
        " mail-password ",
    }


@pytest.mark.parametrize(
    ("url", "is_live"),
    [
        ("https://api.alpaca.markets", True),
        ("https://API.alpaca.markets./", True),
        ("https://paper-api.alpaca.markets", False),
        ("https://api.alpaca.markets.example.com", False),
    ],
)
def test_live_trading_is_chosen_by_the_exact_host(url: str, *, is_live: bool) -> None:
    changes = {"APCA_API_KEY_ID": "AKTEST1234", "APCA_API_BASE_URL": url}
    assert settings_with(**changes).alpaca.is_live is is_live


def test_a_key_pasted_with_its_quotes_is_a_mistake() -> None:
    assert len(problems_of({**REQUIRED, "APCA_API_KEY_ID": "'PKTEST'"})) == 1


def test_an_unusable_mail_port_is_a_mistake_also_where_no_mail_is_configured() -> None:
    (problem,) = problems_of({**REQUIRED, "ALERT_EMAIL_SMTP_PORT": "abc"})
    assert problem.startswith("ALERT_EMAIL_SMTP_PORT")


def test_half_a_mail_configuration_is_a_mistake() -> None:
    problems = problems_of({**REQUIRED, "ALERT_EMAIL_RECEIVER": "me@example.com"})
    assert len(problems) == 2


def test_a_broken_line_in_the_file_is_a_mistake(tmp_path: Path) -> None:
    file = env_file(tmp_path, "LOG_LEVEL=INFO\nDB_NAME=\"open\nLOG_DIR='x'\n")
    (problem,) = problems_of(REQUIRED, file)
    assert "line 2" in problem


def test_secrets_are_never_shown() -> None:
    settings = settings_with(
        ALERT_EMAIL_SENDER="a@example.com",
        ALERT_EMAIL_RECEIVER="b@example.com",
        ALERT_EMAIL_SMTP_SERVER="smtp.example.com",
        ALERT_EMAIL_SMTP_PASSWORD="mail-password",
    )
    assert set(settings.secrets()) == {
        "PKTEST1234",
        "secret-key-5678",
        "database-password",
        "mail-password",
    }
    assert not [secret for secret in settings.secrets() if secret in repr(settings)]


def test_a_paper_key_on_the_live_host_is_a_mistake_that_needs_no_answer_of_alpaca() -> None:
    live = {**REQUIRED, "APCA_API_BASE_URL": "https://api.alpaca.markets"}
    (problem,) = problems_of(live)
    assert problem.startswith("APCA_API_KEY_ID is a paper key")
    assert "PKTEST1234" not in problem
    assert read_settings({**live, "APCA_API_KEY_ID": "AKTEST"}, NO_FILE).alpaca.is_live


def test_without_an_env_file_it_is_said_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"no \.env in .*: write one"):  # no example either
        read_settings({}, tmp_path / ".env")
    example(tmp_path)
    with pytest.raises(SettingsError, match=r"cp \.env\.example \.env"):
        read_settings({}, tmp_path / ".env")
    with pytest.raises(SettingsError) as raised:  # all is in the environment, one of it wrong
        read_settings({**REQUIRED, "DB_PORT": "?"}, tmp_path / ".env")
    assert "cp .env" not in str(raised.value)


def example(tmp_path: Path) -> None:
    shutil.copy(PROJECT_ROOT / ".env.example", tmp_path / ".env.example")


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("STALE_ORDER_SECOND", "STALE_ORDER_SECONDS"),
        ("LOGLEVEL", "LOG_LEVEL"),
        ("ALERT_EMAIL_RECIEVER", "ALERT_EMAIL_RECEIVER"),
        ("DB_PASS", "DB_PASSWORD"),
    ],
)
def test_a_misspelt_setting_is_named(tmp_path: Path, written: str, meant: str) -> None:
    example(tmp_path)
    file = env_file(tmp_path, f"{written}=top-secret\n")
    (message,) = Values({}, file).misspelt()
    assert message == f"{written} in .env is no setting: did you mean {meant}?"


def test_names_that_are_somebody_elses_are_left_alone(tmp_path: Path) -> None:
    example(tmp_path)
    file = env_file(tmp_path, "TZ=UTC\nHTTPS_PROXY=http://proxy:3128\nPATH=/bin\nDB_NAME=x\n")
    assert Values({}, file).misspelt() == []


def test_a_missing_setting_is_reported_with_the_name_that_was_written_instead(
    tmp_path: Path,
) -> None:
    example(tmp_path)
    environ = {name: value for name, value in REQUIRED.items() if name != "DB_HOST"}
    problems = problems_of(environ, env_file(tmp_path, "DB_HOSTS=localhost\n"))
    assert problems == (
        "DB_HOST is missing",
        "DB_HOSTS in .env is no setting: did you mean DB_HOST?",
    )
