"""What a digest says of the tie-out, also where Alpaca is slow or away."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from dca_bot.watchdog.agreement import agreement, summary

FOUND: dict[str, Any] = {"checked": 12, "days": 7, "differences": []}
DIFFERENCE = {"kind": "missing fill", "symbol": "BTC/USD", "order_id": "1", "what": "sold 1 at 9"}


def test_agreement_is_said_with_what_was_compared() -> None:
    assert summary(FOUND) == "the books agree with Alpaca (12 fills of the last 7 days)"


def test_differences_are_counted_and_the_first_is_said() -> None:
    assert summary(FOUND | {"differences": [DIFFERENCE]}) == (
        "a difference in 12 fills of the last 7 days: missing fill of BTC/USD: sold 1 at 9. "
        "All of them: `dca tie-out`"
    )
    assert summary(FOUND | {"differences": [DIFFERENCE] * 2}).startswith(
        "2 differences in 12 fills"
    )


def test_an_alpaca_that_never_answers_is_not_waited_for(
    bot_env: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        url = f"http://127.0.0.1:{mute.getsockname()[1]}"
        for name, value in {**bot_env, "APCA_API_BASE_URL": url}.items():
            monkeypatch.setenv(name, value)
        assert agreement(2) == "not known, it took longer than 2 s: run `dca tie-out`"


def test_what_keeps_the_tie_out_from_an_answer_is_said(
    bot_env: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {**bot_env, "DB_PORT": "none"}.items():
        monkeypatch.setenv(name, value)
    assert "DB_PORT" in agreement(60)


def test_the_books_of_an_account_that_has_traded_nothing_agree(
    bot_env: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in bot_env.items():
        monkeypatch.setenv(name, value)
    assert agreement(60) == "the books agree with Alpaca (0 fills of the last 7 days)"
