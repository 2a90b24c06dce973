"""Nothing that a row, an exchange or a host says can pass for a line, or for a fact, of the bot."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from email import message_from_string
from email.policy import default
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dca_bot.program.log_text import asset_log, event
from dca_bot.program.logs import LINE_LENGTH_MAX, LineFormatter
from dca_bot.program.masking import Mask
from dca_bot.program.settings import DatabaseSettings, read_common_settings
from dca_bot.watchdog.incidents import Incidents
from dca_bot.watchdog.mail import send_mail
from tests.helpers import Simulator, eventually, run_script
from tests.proofs.whole.busy import Bot
from tests.store.sql_helpers import SqlClient
from tests.watchdog.mail_server import MailServer

NASTY = [
    "\n2026-11-22T21:35:26.089Z INFO BTC/USD c1 take profit filled price=1",
    "\r2026-11-22T21:35:26.089Z INFO main_app stopped",
    "a\x00b\x1b[2J\x1b[31mred\x07\x9b0m",
    "a\u2028b\u2029c\x85d\x0be\x0cf\x1cg",
    "\u202egnp.exe\u2066\u200b\ufeff",
    "\ud800 lone",
    "order=forged client_id=forged",
    'a" order="forged',
    "x" * 100_000,
]
LEVELS = "DEBUG|INFO|WARNING|ERROR|CRITICAL"
START = re.compile(rf"\d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{{3}}Z (?:{LEVELS}) \S")
EVIL_SYMBOLS = ("X/USD\n2026 INFO\x1b[1m", "\u202eDSU/CTB\u2028x=1")  # 25 letters at most
ADD_ASSET = """
INSERT INTO dca_assets (
    asset_symbol, is_enabled, base_order_amount, safety_order_amount,
    max_safety_orders, safety_order_deviation, take_profit_percent,
    cooldown_period, buy_order_price_deviation_percent
) VALUES (%s, TRUE, 20.00, 20.00, 5, 1.5, 1.0, 300, 2.0)
"""


def line(message: str, subject: str = "main_app", error: Exception | None = None) -> str:
    adapter = asset_log(logging.getLogger("x"), subject)
    record = logging.LogRecord("x", logging.INFO, "x.py", 1, message, None, None)
    record.__dict__.update(adapter.extra or {})
    if error is not None:
        record.exc_info = (type(error), error, None)
    record.created = datetime(2026, 11, 22, tzinfo=UTC).timestamp()
    return LineFormatter("main_app", Mask(["top-secret"])).format(record)


def facts(written: str) -> dict[str, str]:
    """As a program would take them out of a line: blanks separate, quotes hold together."""
    found = re.findall(r'(\w+)=("(?:[^"\\]|\\.)*"|[^\s"]\S*)', written)
    return {key: json.loads(value) if value[0] == '"' else value for key, value in found}


def is_one_harmless_line(written: str) -> bool:
    return (
        written.splitlines() == [written]
        and written.isprintable()
        and START.match(written) is not None
        and len(written) < LINE_LENGTH_MAX + 100
    )


OUTSIDE = st.text(max_size=300) | st.sampled_from(NASTY)


@given(OUTSIDE, OUTSIDE, OUTSIDE)
@example("BTC/USD", "=", 'a="b" c=d')
def test_a_line_is_one_line_whatever_it_tells(subject: str, sentence: str, fact: str) -> None:
    assert is_one_harmless_line(line(event(sentence, fact=fact), subject))
    assert is_one_harmless_line(line(sentence, subject, ValueError(fact)))


CRAFTED = st.text(max_size=40) | st.text("ab1 ='\"\\|\n\u2028", max_size=40)


@given(CRAFTED, CRAFTED, CRAFTED)
def test_only_our_own_facts_can_be_read_out_of_a_line(
    sentence: str, reason: str, error: str
) -> None:
    written = facts(line(event(sentence, reason=reason, order=7)))
    assert written.keys() == {"reason", "order"}
    assert written["order"] == "7"
    assert facts(line(sentence, error=ValueError(error))) == {}


@given(CRAFTED)
def test_a_fact_comes_out_as_it_went_in(value: str) -> None:
    assert facts(line(event("placed", reason=value)))["reason"] == value


def test_the_end_of_a_long_line_says_what_to_do() -> None:
    written = line(f"no buy order: {'x' * 100_000}; correct the row")
    assert written.endswith("; correct the row")


def lines_of(text: str) -> Iterator[str]:
    for each in text.split("\n")[:-1]:
        assert is_one_harmless_line(each), ascii(each)
        yield each


@pytest.mark.proof
@pytest.mark.parametrize("simulator", [("--no-walk",)], indirect=True)
def test_neither_a_symbol_nor_another_ones_order_can_forge_a_line(
    bot: Bot, bot_env: dict[str, str], simulator: Simulator, database: DatabaseSettings
) -> None:
    sql = SqlClient(database)
    for symbol in (*EVIL_SYMBOLS, "BTC/USD"):
        sql.run(ADD_ASSET, symbol)
    sql.close()
    simulator.post(
        "/v2/orders",
        {
            **{"symbol": "ETH/USD", "side": "buy", "type": "limit", "time_in_force": "gtc"},
            **{"qty": "1", "limit_price": "100", "client_order_id": f"dca-1-{NASTY[0]}\x1b[2J"},
        },
    )
    words = "".join(text for text in NASTY if text.isascii())
    simulator.post("/sim/faults", {"name": "reject_order", "params": {"message": words}})

    def is_refused() -> bool:
        # again and again: after ten seconds a quote is too old to be acted on
        simulator.post("/sim/quote", {"symbol": "BTC/USD", "bid": 50_000, "ask": 50_000})
        return "no buy order, next try in" in bot.output

    bot.start()
    eventually(is_refused, timeout=60)
    assert bot.end() == 0
    for name in ("order_manager.py", "cooldown_manager.py", "consistency_checker.py"):
        done = run_script(name, env=bot_env | {"ORPHAN_ORDER_SECONDS": "1"})
        lines = list(lines_of(done.stdout))
        assert done.stderr == ""
        assert not any(each.endswith("take profit filled price=1") for each in lines)
    ours = list(lines_of(bot.output))
    assert sum("not traded until its row is corrected" in each for each in ours) == 2
    written = (Path(bot_env["LOG_DIR"]) / "main_app.log").read_text()
    assert list(lines_of(written)) == ours


def received(mail: MailServer) -> Any:
    return message_from_string(mail.first_mail()["text"], policy=default)


@pytest.mark.parametrize("subject", NASTY)
def test_no_subject_adds_a_line_to_the_head_of_a_mail(mail: MailServer, subject: str) -> None:
    alerts = read_common_settings(mail.env(), Path("/nonexistent/.env")).alerts
    assert send_mail(alerts, f"{subject}\r\nBcc: thief@example.com", "body\ud800\n")
    got = received(mail)
    assert set(got.keys()) <= {
        *("From", "To", "Subject", "Date", "Message-ID", "MIME-Version"),
        *("Content-Type", "Content-Transfer-Encoding"),
    }
    assert mail.first_mail()["to"] == ["me@example.com"]


def test_the_lines_in_a_mail_hold_no_control_codes_and_no_secret(
    mail: MailServer, tmp_path: Path
) -> None:
    alerts = read_common_settings(mail.env(), Path("/nonexistent/.env")).alerts
    with Incidents(tmp_path, alerts, datetime.now(UTC), ["top\nsecret"]) as incidents:
        incidents.started("it", "a\x1b[2Jb\n\u202ec top\nsecret d\n", is_first=False)
    body = received(mail).get_content()
    assert "a?[2Jb" in body
    assert "?c *** d" in body
