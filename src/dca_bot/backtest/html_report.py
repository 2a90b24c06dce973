"""The report of a backtest: what happened, what it earned, needed and risked, in pictures."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dca_bot.backtest.cases import Case
from dca_bot.backtest.engine import Replay
from dca_bot.backtest.exchange import Fill
from dca_bot.backtest.html_page import Figure, place, section, table, write_page
from dca_bot.backtest.prices.recording import SECOND, moment
from dca_bot.backtest.prices.series import PriceSeries
from dca_bot.backtest.result import Result, Round, days, equity_at
from dca_bot.backtest.words import figures, sentence
from dca_bot.core.decide import triggers
from dca_bot.core.model import Cycle, CycleStatus, OrderKind, Side

POINTS = 2_000  # of each line
CYCLES_SHOWN = 500
GREEN, RED, BLUE, GREY, AMBER = "#12b76a", "#f04438", "#2e90fa", "#98a2b3", "#f79009"
FILLS = ((Side.BUY, "buy", BLUE, "triangle-up"), (Side.SELL, "sell", GREEN, "triangle-down"))


def write_report(path: Path, cases: Sequence[Case]) -> None:
    """Write the report of all cases, which must have kept their replays.

    Pictures are of the first case, the worse one.
    """
    first = cases[0]
    symbols = ", ".join(replay.prices.symbol for replay in first.replays)
    result = first.result
    drawn = f"Pictures show the {first.name} run. " if len(cases) > 1 else ""
    pictures: dict[str, Figure] = {}
    sections = [section("In numbers", _numbers(cases))]
    for number, replay in enumerate(first.replays):
        name = f"prices{number}"
        pictures[name] = _prices(replay)
        sections.append(section(f"Prices of {replay.prices.symbol}", place(name, 480)))
    pictures["money"] = _money(first)
    sections.append(section("Equity, money in use, drawdown", place("money", 620)))
    pictures["months"] = _months(cases)
    sections.append(section("Net of completed cycles by month", place("months", 300)))
    sections.append(section(_cycles_heading(result), _cycles(result)))
    write_page(
        path,
        title=f"Backtest of {symbols}, {moment(result.since)[:10]} to {moment(result.until)[:10]}",
        sentence=sentence([case.result for case in cases]),
        about=drawn + "All times are UTC, all money is in the quote currency.",
        sections=sections,
        figures=pictures,
    )


def _numbers(cases: Sequence[Case]) -> str:
    columns = [figures(case.result) for case in cases]
    rows = [[name, *(c[number][1] for c in columns)] for number, (name, _) in enumerate(columns[0])]
    return table(["", *(case.name for case in cases)], rows, fits=True)


def _prices(replay: Replay) -> Figure:
    prices = replay.prices
    places = _extremes(prices)
    bids = prices.bids[places] / 10.0**prices.digits
    lines = [_line("price", _times(prices.times[places]), bids, GREY, width=1)]
    steps = list(_held(replay))
    times = [_time(at) for at, _, _ in steps]
    averages = [average for _, average, _ in steps]
    targets = [target for _, _, target in steps]
    lines.append(_line("average", times, averages, AMBER, shape="hv"))
    lines.append(_line("target", times, targets, GREEN, shape="hv", dash="dot"))
    for side, name, colour, symbol in FILLS:
        fills = [fill for fill in replay.fills if fill.kind.side is side]
        lines.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": name,
                "x": [_time(fill.at) for fill in fills],
                "y": [float(fill.price) for fill in fills],
                "text": [_caption(fill) for fill in fills],
                "hovertemplate": "%{text}<extra></extra>",
                "marker": {
                    "color": colour,
                    "symbol": symbol,
                    "size": 9,
                    "line": {"width": 1, "color": "#fff"},
                },
            }
        )
    return {"data": lines, "layout": {"hovermode": "closest", "xaxis": {"type": "date"}}}


def _caption(fill: Fill) -> str:
    rung = f" {fill.rung}" if fill.kind is OrderKind.SAFETY else ""
    kind = fill.kind.replace("_", " ")
    return f"{kind}{rung}: {fill.quantity.normalize():f} at {fill.price:f}<br>cycle {fill.cycle}"


def _held(replay: Replay) -> list[tuple[int, float | None, float | None]]:
    """After each fill its time, the average price and the target; None where nothing is held."""
    steps: list[tuple[int, float | None, float | None]] = []
    for fill in replay.fills:
        if fill.kind.side is Side.SELL:
            steps += [(fill.at, *steps[-1][1:]), (fill.at, None, None)]
            continue
        cycle = Cycle(fill.cycle, 1, CycleStatus.WATCHING, fill.coins, fill.average)
        target = triggers(replay.asset, cycle).sell_at_or_above
        steps.append((fill.at, float(fill.average), None if target is None else float(target)))
    return [*steps, (int(replay.prices.times[-1]), *steps[-1][1:])] if steps else []


def _money(case: Case) -> Figure:
    result = case.result
    times = np.linspace(result.since, result.until, POINTS).astype(np.int64)
    equity = np.sum([equity_at(replay, times) for replay in case.replays], axis=0)
    in_use = np.sum([_in_use(replay, times) for replay in case.replays], axis=0)
    fall = equity - np.maximum.accumulate(np.maximum(equity, 0.0))
    when = _times(times)
    data = [
        _line("equity", when, equity, BLUE),
        _line("money in use", when, in_use, AMBER, fill="tozeroy") | {"yaxis": "y2"},
        _line("drawdown", when, fall, RED, fill="tozeroy") | {"yaxis": "y3"},
    ]
    layout = {
        "xaxis": {"type": "date", "anchor": "y3"},
        "yaxis": {"domain": [0.62, 1]},
        "yaxis2": {"domain": [0.31, 0.57], "rangemode": "tozero"},
        "yaxis3": {"domain": [0, 0.26]},
    }
    return {"data": data, "layout": layout}


def _in_use(replay: Replay, times: NDArray[np.int64]) -> NDArray[np.float64]:
    amounts, invested = [0.0], Decimal(0)
    for fill in replay.fills:
        invested = invested - fill.cash if fill.kind.side is Side.BUY else Decimal(0)
        amounts.append(float(invested))
    done = np.searchsorted([fill.at for fill in replay.fills], times, "right")
    result: NDArray[np.float64] = np.array(amounts)[done]
    return result


def _months(cases: Sequence[Case]) -> Figure:
    data = []
    for case, colour in zip(cases, (BLUE, GREEN), strict=False):
        months = case.result.by_month()
        data.append(
            {
                "type": "bar",
                "name": case.name if len(cases) > 1 else "net",
                "x": list(months),
                "y": [round(float(net), 2) for net in months.values()],
                "marker": {"color": colour},
            }
        )
    layout = {"barmode": "group", "xaxis": {"type": "category"}, "showlegend": len(cases) > 1}
    return {"data": data, "layout": layout}


def _cycles_heading(result: Result) -> str:
    if len(result.rounds) > CYCLES_SHOWN:
        return f"The last {CYCLES_SHOWN} of {len(result.rounds):,} cycles"
    return "Cycles"


def _cycles(result: Result) -> str:
    shown = result.rounds[-CYCLES_SHOWN:]
    headings = ("cycle", "bought", "sold", "days", "safety orders", "invested", "fees", "net")
    return table(headings, [_cycle(each, result) for each in reversed(shown)])


def _cycle(each: Round, result: Result) -> list[str]:
    ended = "open" if each.ended is None else moment(each.ended)
    return [
        f"{each.symbol} {each.number}",
        moment(each.began),
        ended,
        f"{days((each.ended or result.until) - each.began):.1f}",
        str(each.safety_orders),
        f"{each.invested:,.2f}",
        f"{each.fees:,.2f}",
        f"{each.net:+,.2f}",
    ]


def _extremes(prices: PriceSeries) -> NDArray[np.int64]:
    """Points that show every deep fall and high peak: the lowest and highest of equal parts."""
    if len(prices) <= POINTS:
        return np.arange(len(prices))
    bounds = np.linspace(0, len(prices), POINTS // 2 + 1).astype(np.int64)
    places = {0, len(prices) - 1}
    for start, end in zip(bounds[:-1], bounds[1:], strict=True):
        part = prices.bids[start:end]
        places |= {int(start + part.argmin()), int(start + part.argmax())}
    return np.array(sorted(places))


def _line(
    name: str,
    x: Sequence[str],
    y: Any,
    colour: str,
    *,
    width: float = 1.5,
    shape: str = "linear",
    dash: str = "solid",
    fill: str = "none",
) -> dict[str, Any]:
    values = [None if each is None else round(float(each), 8) for each in y]
    return {
        "type": "scatter",
        "mode": "lines",
        "name": name,
        "x": list(x),
        "y": values,
        "fill": fill,
        "line": {"color": colour, "width": width, "shape": shape, "dash": dash},
    }


def _times(nanoseconds: NDArray[np.int64]) -> list[str]:
    return [_time(int(at)) for at in nanoseconds]


def _time(nanoseconds: int) -> str:
    at = datetime.fromtimestamp(nanoseconds // SECOND, UTC)
    return at.strftime("%Y-%m-%d %H:%M:%S")
