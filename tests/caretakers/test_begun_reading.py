"""What one run has read of a long list is there for the next, or is asked for anew."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dca_bot.caretakers import begun_reading

BEGUN: dict[str, Any] = {
    "FILL": {
        "parameters": {"after": "2026-01-01T00:00:00Z", "page_token": "7"},
        "rows": [{"id": 7}],
    }
}


def test_what_was_read_is_there_for_the_next_run_until_it_is_forgotten(tmp_path: Path) -> None:
    assert begun_reading.read(tmp_path) == {}
    begun_reading.keep(BEGUN, tmp_path)
    assert begun_reading.read(tmp_path) == BEGUN
    begun_reading.forget(tmp_path)
    begun_reading.forget(tmp_path)
    assert begun_reading.read(tmp_path) == {}


@pytest.mark.parametrize("text", ["", "{", "[]", '{"FILL": 1}', '{"FILL": {"rows": []}}'])
def test_a_file_that_is_of_no_use_is_as_good_as_none(text: str, tmp_path: Path) -> None:
    (tmp_path / begun_reading.FILE_NAME).write_text(text)
    assert begun_reading.read(tmp_path) == {}


def test_a_directory_that_takes_no_file_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    begun_reading.keep(BEGUN, tmp_path / "file")
    assert begun_reading.read(tmp_path / "file") == {}
