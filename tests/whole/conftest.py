"""A bot that never outlives its test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from whole.busy import Bot


@pytest.fixture
def bot(bot_env: dict[str, str], tmp_path: Path) -> Iterator[Bot]:
    """Not started yet.  When the test fails, its last lines stand beside the failure."""
    bot = Bot(bot_env, tmp_path)
    yield bot
    bot.kill()
    print(bot.output[-6000:])
