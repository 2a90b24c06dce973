"""Settings as a program has them once they are read: typed, and grouped by what they are for.

Rule: values only.  Whoever is handed a group need not know where it was read.
"""

from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

# The clone with its scripts and .env; for an installed `dca` the directory that it is called in.
_CLONE = Path(__file__).resolve().parents[3]
PROJECT_ROOT = _CLONE if (_CLONE / "main_app.py").is_file() else Path.cwd()
LIVE_HOST = "api.alpaca.markets"
PAPER_HOST = "paper-api.alpaca.markets"


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
    """Ages and intervals in seconds; and limits for all assets together, None: no limit."""

    stale_order_seconds: int
    orphan_order_seconds: int
    stuck_sell_seconds: int
    asset_refresh_seconds: int
    quote_max_age_seconds: int
    heartbeat_max_age_seconds: int
    watchdog_start_seconds: int
    problem_mail_seconds: int
    active_cycles_max: int | None = None
    invested_max: Decimal | None = None
    daily_loss_max: Decimal | None = None


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
