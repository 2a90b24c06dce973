"""Every setting of every program, read once, checked, and typed.

Rule: nothing else looks into the environment or the `.env` file.  A program asks for the
smallest set that it needs (`read_common_settings`, `read_store_settings`, `read_settings`), so a
missing Alpaca key cannot stop a program that only tidies the database.  All mistakes are
reported together in one SettingsError; an empty value counts as unset.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from dca_bot.program.setting_values import Values

# The clone with its scripts and .env; for an installed `dca` the directory that it is called in.
_CLONE = Path(__file__).resolve().parents[3]
PROJECT_ROOT = _CLONE if (_CLONE / "main_app.py").is_file() else Path.cwd()
LIVE_HOST = "api.alpaca.markets"
PAPER_HOST = "paper-api.alpaca.markets"
PORT_MAX = 65_535
SECRETS = (
    "APCA_API_KEY_ID",
    "APCA_API_SECRET_KEY",
    "DB_PASSWORD",
    "ALERT_EMAIL_SMTP_PASSWORD",
    "PAGE_PASSWORD",
)
LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


def mode_of(host: str) -> str:
    """What trading on a host is: live, paper or, on any other than Alpaca's own, simulated."""
    return {LIVE_HOST: "live", PAPER_HOST: "paper"}.get(host.rstrip("."), "simulated")


@dataclass(frozen=True, slots=True)
class AlpacaSettings:
    """Where Alpaca is, and the keys for it.  The URLs have no trailing slash."""

    key_id: str = field(repr=False)
    secret_key: str = field(repr=False)
    base_url: str
    data_url: str
    stream_url: str

    @property
    def host(self) -> str:
        """The trading host, for messages."""
        return urlsplit(self.base_url).hostname or ""

    @property
    def is_live(self) -> bool:
        """Whether orders move real money; the base URL alone decides."""
        return self.mode == "live"

    @property
    def mode(self) -> str:
        """In a word: live, paper or simulated."""
        return mode_of(self.host)

    @property
    def trade_stream_url(self) -> str:
        """The trade-update stream: the trading host with ws or wss, path /stream."""
        base = urlsplit(self.base_url)
        scheme = "wss" if base.scheme == "https" else "ws"
        return urlunsplit((scheme, base.netloc, "/stream", "", ""))

    @property
    def quote_stream_url(self) -> str:
        """The market-data stream for crypto."""
        return f"{self.stream_url}/v1beta3/crypto/us"


@dataclass(frozen=True, slots=True)
class DatabaseSettings:
    """How to reach the one database."""

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    name: str


@dataclass(frozen=True, slots=True)
class AlertSettings:
    """Who gets mail and by which server; login only when `smtp_user` is set."""

    sender: str
    receiver: str
    smtp_server: str
    smtp_port: int
    smtp_user: str | None
    smtp_password: str | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class LimitSettings:
    """Ages and intervals, all in seconds."""

    stale_order_seconds: int
    orphan_order_seconds: int
    stuck_sell_seconds: int
    asset_refresh_seconds: int
    quote_max_age_seconds: int
    heartbeat_max_age_seconds: int
    watchdog_start_seconds: int
    problem_mail_seconds: int


@dataclass(frozen=True, slots=True)
class LogSettings:
    """How much is logged, and the directory of logs, PID file and heartbeat."""

    level: str
    dir: Path


@dataclass(frozen=True, slots=True)
class CommonSettings:
    """What needs neither database nor exchange; `alerts` is None when no mail is configured."""

    alerts: AlertSettings | None
    limits: LimitSettings
    log: LogSettings

    def secrets(self) -> tuple[str, ...]:
        """What must never reach a log line."""
        password = self.alerts.smtp_password if self.alerts else None
        return (password,) if password else ()


@dataclass(frozen=True, slots=True)
class StoreSettings(CommonSettings):
    """For programs that use the database alone."""

    database: DatabaseSettings

    def secrets(self) -> tuple[str, ...]:
        """What must never reach a log line."""
        # not super(): a slotted dataclass is a new class, which a bare super() does not find
        return (*CommonSettings.secrets(self), self.database.password)


@dataclass(frozen=True, slots=True)
class Settings(StoreSettings):
    """For programs that use the database and Alpaca."""

    alpaca: AlpacaSettings

    def secrets(self) -> tuple[str, ...]:
        """What must never reach a log line."""
        return (*StoreSettings.secrets(self), self.alpaca.key_id, self.alpaca.secret_key)


def read_secrets(
    environ: Mapping[str, str] = os.environ, env_file: Path = PROJECT_ROOT / ".env"
) -> tuple[str, ...]:
    """What must never reach a log line, as far as it is set: also when other settings are wrong."""
    values = Values(environ, env_file)
    found = [(values.as_it_stands(name), values.optional(name)) for name in SECRETS]
    return tuple(text for texts in found for text in texts if text)


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
    return AlpacaSettings(
        key_id=values.key("APCA_API_KEY_ID"),
        secret_key=values.key("APCA_API_SECRET_KEY"),
        base_url=values.url("APCA_API_BASE_URL", "https://paper-api.alpaca.markets", rest),
        data_url=_data_url(values),
        stream_url=values.url(
            "APCA_API_STREAM_URL", "wss://stream.data.alpaca.markets", ("ws", "wss")
        ),
    )


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
    if not any(values.optional(name) for name in needed):
        return None
    # Half a configuration would silently lose every alert: the missing rest is a mistake.
    sender, receiver, server = (values.one_line(name) for name in needed)
    return AlertSettings(
        sender=sender,
        receiver=receiver,
        smtp_server=server,
        smtp_port=values.whole("ALERT_EMAIL_SMTP_PORT", 587, maximum=PORT_MAX),
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
    )


def _log(values: Values) -> LogSettings:
    level = (values.optional("LOG_LEVEL") or "INFO").upper()
    if level not in LOG_LEVELS:
        values.problems.append(f"LOG_LEVEL must be one of {', '.join(LOG_LEVELS)}")
    return LogSettings(level=level, dir=PROJECT_ROOT / (values.optional("LOG_DIR") or "logs"))
