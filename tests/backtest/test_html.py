"""The reports are whole files that need nothing from anywhere."""

import json
import re
from pathlib import Path

import pytest

from dca_bot.backtest.cases import Market, Question, run_cases
from dca_bot.backtest.exchange import Terms
from dca_bot.backtest.html_report import write_report
from dca_bot.backtest.html_sweep import write_sweep
from dca_bot.backtest.prices.recording import Form, Recording
from dca_bot.backtest.sweep.grid import read_grid
from dca_bot.backtest.sweep.parts import Parts
from dca_bot.backtest.sweep.run import run_sweep
from dca_bot.backtest.sweep.workers import here
from dca_bot.program.errors import DcaError
from tests.backtest.markets import SYMBOL, a_walk_of_quotes
from tests.builders import an_asset


def content(path: Path) -> str:
    """The page without plotly's own script."""
    page = path.read_text()
    start, end = page.index("<script>"), page.index("</script>")
    assert end - start > 1_000_000  # the whole of plotly is inside
    return page[:start] + page[end:]


def figures(page: str) -> dict[str, dict[str, object]]:
    found = re.search(r"const figures = (.*);$", page, re.MULTILINE)
    assert found is not None
    parsed: dict[str, dict[str, object]] = json.loads(found[1].replace("<\\/", "</"))
    return parsed


def test_a_backtests_report_draws_everything_offline(tmp_path: Path) -> None:
    prices = a_walk_of_quotes(5, 5_000)
    columns = {"bid": prices.bids, "ask": prices.asks}
    recording = Recording(SYMBOL, Form.QUOTES, prices.times, columns, 2)
    asset = an_asset(symbol=SYMBOL, cooldown_seconds=60)
    cases = run_cases(Question([recording], [asset], Market(), keeps_replays=True))
    path = tmp_path / "report.html"
    write_report(path, cases)
    page = content(path)
    assert re.findall(r"(?:src|href)=", page) == []
    assert set(figures(page)) == {"prices0", "money", "months"}
    names = [line["name"] for line in figures(page)["prices0"]["data"]]  # type: ignore[attr-defined]
    assert names == ["price", "average", "target", "buy", "sell"]
    assert page.count("<tr><td") > cases[0].result.cycles
    for name in figures(page):
        assert f'id="{name}"' in page


def test_a_sweeps_report_has_a_map_of_each_part(tmp_path: Path) -> None:
    prices = a_walk_of_quotes(5, 3_000)
    texts = {"safety_order_deviation": "0.5,1", "take_profit_percent": "0.5,1,2"}
    grid = read_grid(an_asset(symbol=SYMBOL), texts)
    parts = Parts(prices.between(0, 2_000), prices.between(2_000, 3_000))
    sweep = run_sweep(grid, parts, Terms(), workers=here, progress=lambda done, total: None)
    path = tmp_path / "sweep.html"
    write_sweep(path, sweep, title="A <title>", sentence="6 sets </script>")
    page = content(path)
    assert "A &lt;title&gt;" in page
    assert set(figures(page)) == {"train", "test"}
    [heat_map] = figures(page)["train"]["data"]  # type: ignore[misc]
    assert (len(heat_map["y"]), len(heat_map["x"])) == (2, 3)


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    prices = a_walk_of_quotes(5, 100)
    columns = {"bid": prices.bids, "ask": prices.asks}
    recording = Recording(SYMBOL, Form.QUOTES, prices.times, columns, 2)
    asset = an_asset(symbol=SYMBOL)
    cases = run_cases(Question([recording], [asset], Market(), keeps_replays=True))
    with pytest.raises(DcaError, match="cannot write"):
        write_report(tmp_path / "nowhere" / "report.html", cases)
