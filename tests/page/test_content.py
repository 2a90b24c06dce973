"""What the page keeps in mind while nobody looks."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from dca_bot.page.content import Content
from dca_bot.program.settings import read_store_settings
from dca_bot.report.cycles import CycleLine
from dca_bot.report.reader import Reader

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


def test_the_table_for_spreadsheets_has_every_cycle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = CycleLine(1, "BTC/USD", "complete", None, None, None, 0, None, None)

    def of_many(_reader: Reader, _symbol: str | None, limit: int) -> list[CycleLine]:
        return [line] * min(limit, 100_002)

    monkeypatch.setattr("dca_bot.page.content.closed_lines", of_many)
    monkeypatch.setattr(Reader, "look_again", lambda _: None)
    content = Content(read_store_settings(DATABASE, env_file=tmp_path / "none"), "paper", "")
    assert len(asyncio.run(content.cycles_csv(None)).splitlines()) == 1 + 100_002
