"""Every setting of every program, read once, checked, and typed.

Rule: nothing else looks into the environment or the `.env` file.  A program asks for the
smallest set that it needs (`read_common_settings`, `read_store_settings`, `read_settings`), so a
missing Alpaca key cannot stop a command that only reads the database.  The scripts of the project's
root ask for all: one that is misconfigured is to say so, whichever it is.  All mistakes are
reported together in one SettingsError; an empty value counts as unset.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from dca_bot.program.channel_settings import secrets_of
from dca_bot.program.setting_groups import (
    PAPER_HOST,
    PROJECT_ROOT,
    AlertSettings,
    AlpacaSettings,
    CommonSettings,
    DatabaseSettings,
    LimitSettings,
    LogSettings,
    Settings,
    StoreSettings,
    mode_of,
)
from dca_bot.program.setting_values import PORT_MAX, Values

# A program takes its settings from here, as groups and all.
__all__ = [
    "PROJECT_ROOT",
    "AlertSettings",
    "AlpacaSettings",
    "CommonSettings",
    "DatabaseSettings",
    "LimitSettings",
    "LogSettings",
    "Settings",
    "StoreSettings",
    "read_common_settings",
    "read_secrets",
    "read_settings",
    "read_store_settings",
]

PAPER_KEYS_BEGIN_WITH = "PK"  # and those of live accounts with AK
SECRETS = (
    "APCA_API_KEY_ID",
    "APCA_API_SECRET_KEY",
    "DB_PASSWORD",
    "ALERT_EMAIL_SMTP_PASSWORD",
    "PAGE_PASSWORD",
)
LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


def read_secrets(
    environ: Mapping[str, str] = os.environ, env_file: Path = PROJECT_ROOT / ".env"
) -> tuple[str, ...]:
    """What must never reach a log line, as far as it is set: also when other settings are wrong."""
    values = Values(environ, env_file)
    found = [(values.as_it_stands(name), values.optional(name)) for name in SECRETS]
    plain = [text for texts in found for text in texts if text]
    return (*plain, *secrets_of(values.optional("ALERT_URLS")))


def read_common_settings(
    environ: Mapping[str, str] = os.environ, env_file: Path = PROJECT_ROOT / ".env"
) -> CommonSettings:
    """Given environment and `.env`, return what every program needs; raise SettingsError."""
    values = Values(environ, env_file)
    settings = CommonSettings(alerts=_alerts(values), limits=_limits(values), log=_log(values))
    values.raise_problems()
    return settings


def read_store_settings(
    environ: Mapping[str, str] = os.environ, env_file: Path = PROJECT_ROOT / ".env"
) -> StoreSettings:
    """The common settings and the database's; raise SettingsError with every mistake."""
    values = Values(environ, env_file)
    settings = StoreSettings(
        database=_database(values),
        alerts=_alerts(values),
        limits=_limits(values),
        log=_log(values),
    )
    values.raise_problems()
    return settings


def read_settings(
    environ: Mapping[str, str] = os.environ, env_file: Path = PROJECT_ROOT / ".env"
) -> Settings:
    """All settings; raise SettingsError with every mistake."""
    values = Values(environ, env_file)
    settings = Settings(
        alpaca=_alpaca(values),
        database=_database(values),
        alerts=_alerts(values),
        limits=_limits(values),
        log=_log(values),
    )
    values.raise_problems()
    return settings


def read_mode(
    environ: Mapping[str, str] = os.environ, env_file: Path = PROJECT_ROOT / ".env"
) -> str:
    """Live, paper or simulated, by the base URL alone: no key is needed to know it."""
    url = Values(environ, env_file).optional("APCA_API_BASE_URL") or f"https://{PAPER_HOST}"
    return mode_of(urlsplit(url).hostname or "")


def read_data_url(
    environ: Mapping[str, str] = os.environ, env_file: Path = PROJECT_ROOT / ".env"
) -> str:
    """Where market data is, which needs no keys; raise SettingsError."""
    values = Values(environ, env_file)
    url = _data_url(values)
    values.raise_problems()
    return url


def _data_url(values: Values) -> str:
    return values.url("APCA_API_DATA_URL", "https://data.alpaca.markets", ("http", "https"))


def read_page_password(
    environ: Mapping[str, str] = os.environ, env_file: Path = PROJECT_ROOT / ".env"
) -> str:
    """What `dca page` asks for; "": nothing."""
    return Values(environ, env_file).optional("PAGE_PASSWORD") or ""


def _alpaca(values: Values) -> AlpacaSettings:
    rest = ("http", "https")
    settings = AlpacaSettings(
        key_id=values.key("APCA_API_KEY_ID"),
        secret_key=values.key("APCA_API_SECRET_KEY"),
        base_url=values.url("APCA_API_BASE_URL", "https://paper-api.alpaca.markets", rest),
        data_url=_data_url(values),
        stream_url=values.url(
            "APCA_API_STREAM_URL", "wss://stream.data.alpaca.markets", ("ws", "wss")
        ),
    )
    if settings.is_live and settings.key_id.startswith(PAPER_KEYS_BEGIN_WITH):
        values.problems.append(
            f"APCA_API_KEY_ID is a paper key (it begins with {PAPER_KEYS_BEGIN_WITH}), but "
            f"APCA_API_BASE_URL is the live host: set https://{PAPER_HOST}, or a live key"
        )
    return settings


def _database(values: Values) -> DatabaseSettings:
    return DatabaseSettings(
        host=values.required("DB_HOST"),
        port=values.whole("DB_PORT", 3306, maximum=PORT_MAX),
        user=values.required("DB_USER"),
        password=values.password("DB_PASSWORD"),
        name=values.required("DB_NAME"),
    )


def _alerts(values: Values) -> AlertSettings | None:
    needed = ("ALERT_EMAIL_SENDER", "ALERT_EMAIL_RECEIVER", "ALERT_EMAIL_SMTP_SERVER")
    port = values.whole("ALERT_EMAIL_SMTP_PORT", 587, maximum=PORT_MAX)
    if not any(values.optional(name) for name in needed):
        return None
    # Half a configuration would silently lose every alert: the missing rest is a mistake.
    sender, receiver, server = (values.one_line(name) for name in needed)
    return AlertSettings(
        sender=sender,
        receiver=receiver,
        smtp_server=server,
        smtp_port=port,
        smtp_user=values.optional("ALERT_EMAIL_SMTP_USER"),
        smtp_password=values.optional("ALERT_EMAIL_SMTP_PASSWORD"),
    )


def _limits(values: Values) -> LimitSettings:
    return LimitSettings(
        stale_order_seconds=values.whole("STALE_ORDER_SECONDS", 300),
        orphan_order_seconds=values.whole("ORPHAN_ORDER_SECONDS", 300),
        stuck_sell_seconds=values.whole("STUCK_SELL_SECONDS", 75),
        asset_refresh_seconds=values.whole("ASSET_REFRESH_SECONDS", 1),
        quote_max_age_seconds=values.whole("QUOTE_MAX_AGE_SECONDS", 10),
        heartbeat_max_age_seconds=values.whole("HEARTBEAT_MAX_AGE_SECONDS", 60),
        watchdog_start_seconds=values.whole("WATCHDOG_START_SECONDS", 30),
        problem_mail_seconds=values.whole("PROBLEM_MAIL_SECONDS", 300),
        active_cycles_max=values.whole_or_none("MAX_ACTIVE_CYCLES"),
        invested_max=values.amount_or_none("MAX_INVESTED"),
        daily_loss_max=values.amount_or_none("DAILY_LOSS_LIMIT"),
    )


def _log(values: Values) -> LogSettings:
    level = (values.optional("LOG_LEVEL") or "INFO").upper()
    if level not in LOG_LEVELS:
        values.problems.append(f"LOG_LEVEL must be one of {', '.join(LOG_LEVELS)}")
    return LogSettings(level=level, dir=PROJECT_ROOT / (values.optional("LOG_DIR") or "logs"))
