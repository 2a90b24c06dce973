"""What the page keeps in mind while nobody looks."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from dca_bot.page.content import Content
from dca_bot.program.settings import read_store_settings

DATABASE = {"DB_HOST": "localhost", "DB_USER": "me", "DB_PASSWORD": "", "DB_NAME": "bot"}


class Unsteady(Content):
    """Its database is never asked; the first looks fail as nobody expected."""

    looks = 0

    async def everything(self) -> Mapping[str, Any]:
        self.looks += 1
        if self.looks == 4:
            raise asyncio.CancelledError
        if self.looks < 3:
            raise ArithmeticError("no one expected this")
        return {"status": {"assets": []}}


def test_a_look_that_fails_unexpectedly_is_not_the_last_and_is_logged_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    content = Unsteady(read_store_settings(DATABASE, env_file=tmp_path / "none"), "paper", "")
    with suppress(asyncio.CancelledError):
        asyncio.run(content.remember_prices(0))
    assert content.looks == 4
    assert [record.levelname for record in caplog.records] == ["ERROR"]
