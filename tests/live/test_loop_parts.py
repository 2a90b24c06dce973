"""What the loops of main_app.py share."""

from __future__ import annotations

import asyncio

import pytest

from dca_bot.live.loop_parts import happens_within


@pytest.mark.parametrize("turns", range(6))
async def test_a_cancellation_that_comes_with_the_event_is_not_swallowed(turns: int) -> None:
    """Else a stop that comes at the moment of a connect would never end the loop."""
    event, rounds = asyncio.Event(), 0

    async def for_ever() -> None:
        nonlocal rounds
        while True:
            await happens_within(event, 60)
            event.clear()
            rounds += 1

    loop = asyncio.create_task(for_ever())
    await asyncio.sleep(0)
    event.set()
    for _ in range(turns):
        await asyncio.sleep(0)
    loop.cancel()
    done, _ = await asyncio.wait([loop], timeout=20)
    assert done
    assert loop.cancelled()
