"""Bars on the stream: each minute's, the day's so far, and those that a late trade changed."""

import asyncio
from typing import Any

from tests.simulator.sim_wire import Wire, socket


def heard(wire: Wire) -> dict[str, dict[str, Any]]:
    """Subscribes to all kinds of bars, ends the minute by hand, and returns one of each."""

    async def run() -> dict[str, dict[str, Any]]:
        found: dict[str, dict[str, Any]] = {}
        async with socket(wire.data_url) as stream:
            channels = {name: ["BTC/USD"] for name in ("bars", "updatedBars", "dailyBars")}
            await stream.subscribe(**channels)
            await asyncio.to_thread(wire.control, "minute")
            while found.keys() < {"b", "u", "d"}:
                for message in await stream.hear():
                    found.setdefault(message["T"], message)
        return found

    return asyncio.run(run())


def test_a_minute_ends_with_its_bar_and_the_days(wire: Wire) -> None:
    wire.control("trade", symbol="BTC/USD", side="buy", qty="0.5")
    found = heard(wire)
    assert found["d"]["v"] >= 0.5
    assert found["d"]["h"] >= found["b"]["h"]
    assert found["d"]["t"].endswith("T00:00:00Z")


def test_an_updated_bar_has_a_trade_more(wire: Wire) -> None:
    found = heard(wire)
    assert found["u"]["n"] > found["b"]["n"]
    assert found["u"]["v"] > found["b"]["v"]
