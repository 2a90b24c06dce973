"""What README and pages print is what the product does: numbers, SQL and log lines."""

from __future__ import annotations

import ast
import re
from datetime import UTC, datetime
from decimal import ROUND_CEILING, ROUND_HALF_UP, Decimal
from functools import cache
from pathlib import Path

import pytest

from dca_bot.core.booking import apply_update
from dca_bot.core.decide import Buy, decide, triggers
from dca_bot.core.model import (
    ORDER_NAMES,
    Asset,
    AssetRules,
    Cycle,
    CycleStatus,
    OrderStatus,
    Quote,
    Side,
)
from dca_bot.core.transition import start_order
from dca_bot.program.channel_settings import read_channel_settings
from dca_bot.program.settings import (
    LOG_LEVELS,
    PROJECT_ROOT,
    DatabaseSettings,
    read_page_password,
    read_settings,
)
from dca_bot.store.mysql_store import MySqlStore
from dca_bot.store.schema import ensure_schema
from tests.builders import a_fill, an_asset, an_order
from tests.helpers import pipe_sql

README = (PROJECT_ROOT / "README.md").read_text()
PAGES = {path.name: path.read_text() for path in sorted((PROJECT_ROOT / "docs").glob("*.md"))}
PASTED = (PROJECT_ROOT / "tests" / "store" / "readme.sql").read_text()
# What a sentence gets when it is written: names of orders and streams, words for states, places.
FILLED_IN = re.compile(
    "|".join(
        [*ORDER_NAMES.values(), "quote stream", "trade stream", r"[a-z]+-?[a-z]*\.alpaca\.markets"]
    )
    + rf"|\b(?:{'|'.join([*Side, *OrderStatus])})\b|\b\d[\d.]*\b"
)
CENT = Decimal("0.01")
FEE = Decimal("0.0025")
NOW = datetime(2026, 11, 22, tzinfo=UTC)
LOG_LINE = re.compile(
    rf"\d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{{3}}Z (?:{'|'.join(LOG_LEVELS)}) "
    r"(?:[a-z_]+|[A-Z]+/[A-Z]+(?: c\d+)?) (?P<sentence>.+?)(?: [a-z_]+=\S+)*"
)


def table(page: str, first_column: str) -> list[list[str]]:
    """The cells of every table of a page whose head begins with this column."""
    pattern = rf"^\| {first_column} \|.*\n\|[-| ]+\|\n((?:\|.*\n)+)"
    tables = re.findall(pattern, PAGES[page], re.M)
    assert tables, f"no table about {first_column}"
    return [
        [cell.strip() for cell in row.strip().strip("|").split(" | ")]
        for rows in tables
        for row in rows.splitlines()
    ]


def printed_sql() -> list[str]:
    """The two tables and the INSERT, as they stand there."""
    return re.findall(r"^ *(?:CREATE TABLE|INSERT INTO) .*?;$", README, re.M | re.S)


def pasted_row() -> Asset:
    """The README's example asset."""
    return an_asset()


def in_cents(price: Decimal) -> str:
    return f"{price.quantize(CENT, ROUND_HALF_UP):,}"


def ladder(asset: Asset, first_price: Decimal) -> list[list[str]]:
    """What the core buys when the price falls from rung to rung, as the README shows it."""
    rules = AssetRules(asset.symbol, True, Decimal("1e-9"), Decimal("1e-9"))
    cycle, price, money_in = Cycle(1, 1, CycleStatus.WATCHING), first_price, Decimal(0)
    rows = []
    while price:
        decision = decide(asset, cycle, Quote(asset.symbol, price, price, NOW), rules)
        assert isinstance(decision, Buy)
        quantity, limit = decision.quantity, decision.limit_price
        order = an_order(
            kind=decision.kind, rung=decision.rung, quantity=quantity, limit_price=limit
        )
        filled = a_fill(order, quantity, limit)
        cycle = apply_update(asset, start_order(cycle, Side.BUY), order, filled, NOW).cycle
        money_in += quantity * limit
        at = triggers(asset, cycle)
        assert at.sell_at_or_above is not None
        proceeds = cycle.quantity * at.sell_at_or_above
        left = proceeds - (proceeds * FEE).quantize(CENT, ROUND_CEILING) - money_in
        rows.append(
            [
                f"safety order {decision.rung}" if decision.rung else "base order",
                in_cents(price) if decision.rung else "at once",
                f"{quantity:.9f}",
                f"{cycle.quantity:.9f}",
                in_cents(money_in),
                in_cents(cycle.average_purchase_price),
                in_cents(at.sell_at_or_above),
                in_cents(left),
            ]
        )
        price = at.buy_at_or_below or Decimal(0)
    return rows


def defaults() -> dict[str, str]:
    """What each setting with a default is when only the required ones are set."""
    required = ("APCA_API_KEY_ID", "APCA_API_SECRET_KEY", "DB_HOST", "DB_USER", "DB_NAME")
    mail = ("ALERT_EMAIL_SENDER", "ALERT_EMAIL_RECEIVER", "ALERT_EMAIL_SMTP_SERVER")
    environment = dict.fromkeys((*required, "DB_PASSWORD"), "x")
    settings = read_settings(environment | dict.fromkeys(mail, "x"), Path("/nowhere/.env"))
    assert read_settings(environment, Path("/nowhere/.env")).alerts is None
    alerts, limits = settings.alerts, settings.limits
    channels = read_channel_settings(environment, Path("/nowhere/.env"))
    assert alerts is not None
    assert (alerts.smtp_user, alerts.smtp_password) == (None, None)
    return {
        **dict.fromkeys((*required, "DB_PASSWORD"), "required"),
        **dict.fromkeys(mail, "no mail"),
        "APCA_API_BASE_URL": settings.alpaca.base_url,
        "APCA_API_DATA_URL": settings.alpaca.data_url,
        "APCA_API_STREAM_URL": settings.alpaca.stream_url,
        "DB_PORT": str(settings.database.port),
        "ALERT_EMAIL_SMTP_PORT": str(alerts.smtp_port),
        "ALERT_EMAIL_SMTP_USER": "no login",
        "ALERT_EMAIL_SMTP_PASSWORD": "no login",
        "ALERT_URLS": " ".join(channels.urls) or "none",
        "ALERT_ON_TRADES": "off" if channels.trades_from is None else str(channels.trades_from),
        "ALERT_DIGEST": "off" if channels.digest is None else str(channels.digest),
        "STALE_ORDER_SECONDS": str(limits.stale_order_seconds),
        "ORPHAN_ORDER_SECONDS": str(limits.orphan_order_seconds),
        "STUCK_SELL_SECONDS": str(limits.stuck_sell_seconds),
        "ASSET_REFRESH_SECONDS": str(limits.asset_refresh_seconds),
        "QUOTE_MAX_AGE_SECONDS": str(limits.quote_max_age_seconds),
        "HEARTBEAT_MAX_AGE_SECONDS": str(limits.heartbeat_max_age_seconds),
        "WATCHDOG_START_SECONDS": str(limits.watchdog_start_seconds),
        **{
            name: "no limit" if value is None else str(value)
            for name, value in {
                "MAX_ACTIVE_CYCLES": limits.active_cycles_max,
                "MAX_INVESTED": limits.invested_max,
                "DAILY_LOSS_LIMIT": limits.daily_loss_max,
            }.items()
        },
        "PROBLEM_MAIL_SECONDS": str(limits.problem_mail_seconds),
        "PAGE_PASSWORD": read_page_password(environment, Path("/nowhere/.env")) or "none",
        "LOG_LEVEL": settings.log.level,
        "LOG_DIR": str(settings.log.dir.relative_to(PROJECT_ROOT)),
    }


@cache
def sentences_of_the_code() -> str:
    """Every text in the programs, a line each, with `…` where something is filled in."""
    texts = []
    for path in (*PROJECT_ROOT.glob("*.py"), *(PROJECT_ROOT / "src" / "dca_bot").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                texts.append(re.sub(r"%(?:\.\d)?[sdf]", "…", node.value))
            elif isinstance(node, ast.JoinedStr):
                parts = (v.value if isinstance(v, ast.Constant) else "…" for v in node.values)
                texts.append("".join(str(part) for part in parts))
    return "\n".join(texts)


def missing_parts(sentence: str) -> list[str]:
    """The parts of a sentence that nothing in the code says."""
    parts = re.split("…|: ", FILLED_IN.sub("…", sentence))
    words = [part.strip(" ;:,()") for part in parts]
    return [each for each in words if each and each not in sentences_of_the_code()]


def test_the_printed_sql_is_what_the_store_is_tested_with() -> None:
    assert [sql.strip() for sql in printed_sql()] == [
        sql.strip() for sql in re.findall(r"^(?:CREATE|INSERT) .*?;$", PASTED, re.M | re.S)
    ]


def test_pasting_the_sql_makes_a_database_that_the_bot_completes(
    empty_database: DatabaseSettings,
) -> None:
    pipe_sql(empty_database, "\n".join(printed_sql()).encode())
    ensure_schema(empty_database)
    with MySqlStore(empty_database) as store:
        (state,) = store.assets()
        assert (state.asset, state.problem) == (pasted_row(), "")
        assert store.live_orders() == []


def test_the_ladder_is_what_the_core_buys() -> None:
    assert table("strategy.md", "Order") == ladder(pasted_row(), Decimal(64000))


def test_the_settings_have_the_defaults_that_are_printed() -> None:
    printed = {
        name.strip("`"): default.strip("`") for name, default, *_ in table("settings.md", "Setting")
    }
    assert printed == defaults()


def test_every_column_of_dca_assets_that_a_user_fills_is_explained() -> None:
    create, *_ = printed_sql()
    columns = re.findall(r"^ +([a-z_]+) [A-Z]", create, re.M)
    not_for_users = {"id", "created_at", "updated_at"}
    explained = [column.strip("`") for column, _ in table("strategy.md", "Column")]
    assert explained == [column for column in columns if column not in not_for_users]


def example_lines() -> list[str]:
    pages = README + PAGES["log-lines.md"]
    lines = sorted(set(re.findall(r"^ *(\d{4}-\d\d-\d\dT.*)$", pages, re.M)))
    assert len(lines) > 10
    return lines


@pytest.mark.parametrize("line", example_lines())
def test_an_example_line_has_the_form_and_the_words_of_the_log(line: str) -> None:
    found = LOG_LINE.fullmatch(line)
    assert found, line
    assert missing_parts(found["sentence"]) == []


def explained_sentences() -> list[str]:
    return [
        sentence
        for cell, *_ in table("log-lines.md", "Line")
        for sentence in re.findall("`(.+?)`", cell)
    ]


@pytest.mark.parametrize("sentence", explained_sentences())
def test_a_line_that_is_explained_is_one_that_the_code_writes(sentence: str) -> None:
    assert missing_parts(sentence) == []


def test_every_script_that_is_named_exists() -> None:
    pages = README + PAGES["scripts.md"] + PAGES["log-lines.md"] + PAGES["troubleshooting.md"]
    named = set(re.findall(r"\b[a-z_]+\.py\b", pages))
    assert [name for name in sorted(named) if not (PROJECT_ROOT / name).exists()] == []


@pytest.mark.parametrize(
    "name", sorted(set(re.findall(r"\bdocs/[a-z_./-]+\b", README + "".join(PAGES.values()))))
)
def test_every_page_that_is_named_exists(name: str) -> None:
    assert (PROJECT_ROOT / name).exists()


def test_every_library_has_its_reason() -> None:
    pinned = [
        name
        for file in ("requirements.txt", "requirements-dev.txt")
        for name in re.findall(r"^([a-z-]+)==", (PROJECT_ROOT / file).read_text(), re.M)
    ]
    decisions = (PROJECT_ROOT / "docs" / "decisions.md").read_text()
    assert [
        name for name in pinned if not re.search(rf"^\|.*\b{name}\b.*\|", decisions, re.M)
    ] == []


def test_every_file_on_the_map_exists() -> None:
    text = (PROJECT_ROOT / "docs" / "architecture.md").read_text()
    named = set(re.findall(r"`((?:[a-z_]+/)*[a-z_]+\.(?:py|sql|sh|md|txt|example))`", text))
    folders = ("", "src", "src/dca_bot", "src/alpaca_simulator", "tests")
    found = {name for name in named for each in folders if (PROJECT_ROOT / each / name).exists()}
    named_alone = {name for name in named - found if "/" not in name}
    found |= {path.name for path in (PROJECT_ROOT / "src").rglob("*.py")} & named_alone
    assert sorted(named - found) == []
