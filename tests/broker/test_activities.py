"""Alpaca's account activities, page by page."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from dca_bot.broker.activities import PAGE_SIZE, AlpacaActivities, Unfinished
from dca_bot.broker.rate_limit import RateLimiter
from dca_bot.broker.transport import Transport
from dca_bot.program.setting_groups import AlpacaSettings
from tests.builders import NOW

SETTINGS = AlpacaSettings("key", "secret", "http://localhost:1", "http://localhost:1", "ws://x")
LATER = NOW + timedelta(hours=1)
ROWS = [
    {
        "id": f"{number:06}",
        "transaction_time": NOW.isoformat(),
        "order_id": f"order-{number}",
        "symbol": "BTC/USD" if number % 2 else "AAPL",
        "side": "sell",
        "qty": "1",
        "price": "100",
    }
    for number in range(5 * PAGE_SIZE)
]


class Pages(Transport):
    """Alpaca with five full pages of fills, every other one of a share."""

    asked: list[dict[str, Any]]

    def request(self, method: str, path: str, content: Any = None, **_: Any) -> Any:
        self.asked.append(dict(content))
        after = content.get("page_token", "")
        return [row for row in ROWS if row["id"] > after][: content["page_size"]]


def one_run(begun: dict[str, Any] | None, pages_max: int = 2) -> list[str]:
    Pages.asked = []
    activities = AlpacaActivities(
        SETTINGS, RateLimiter(60), pages_max=pages_max, begun=begun, transport=Pages
    )
    fills = activities.fills(NOW if not begun else LATER, LATER)
    return [fill.order_id for fill in fills]


def test_a_list_of_many_pages_is_read_in_one_go_where_that_is_allowed() -> None:
    found = one_run(None, pages_max=6)
    assert found == [row["order_id"] for row in ROWS if row["symbol"] == "BTC/USD"]


def test_a_list_that_is_too_long_for_one_run_is_read_on_by_the_next() -> None:
    begun: dict[str, Any] = {}
    for _ in range(2):
        with pytest.raises(Unfinished):
            one_run(begun)
        begun = json.loads(json.dumps(begun))
    assert one_run(begun) == [row["order_id"] for row in ROWS if row["symbol"] == "BTC/USD"]
    assert len(Pages.asked) == 2  # the fifth page, and nothing after it
    assert {each["after"] for each in Pages.asked} == {NOW.isoformat().replace("+00:00", "Z")}


def test_a_list_that_was_read_to_its_end_is_not_read_again() -> None:
    begun: dict[str, Any] = {}
    whole = one_run(begun, pages_max=6)
    assert one_run(begun) == whole
    assert len(Pages.asked) == 1
