"""Attacks use what other tests have: a mail server, the user's SQL client, a bot as a process."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dca_bot.settings import PROJECT_ROOT
from whole.busy import Bot

for folder in (PROJECT_ROOT, *(PROJECT_ROOT / "tests" / name for name in ("caretakers", "store"))):
    if str(folder) not in sys.path:
        sys.path.append(str(folder))


@pytest.fixture
def bot(bot_env: dict[str, str], tmp_path: Path) -> Iterator[Bot]:
    """Not started yet.  When the test fails, its last lines stand beside the failure."""
    bot = Bot(bot_env, tmp_path)
    yield bot
    bot.kill()
    print(bot.output[-6000:])
