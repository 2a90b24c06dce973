"""The report of a sweep: a heat map of what sets earned, on seen and on unseen prices."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dca_bot.backtest.html_page import Figure, place, section, table, write_page
from dca_bot.backtest.sweep.outcome import Sweep, Tried

SHOWN = 50


def write_sweep(path: Path, sweep: Sweep, *, title: str, sentence: str) -> None:
    """Write the report; raises as `write_page` does."""
    best = sweep.best_first()
    pictures: dict[str, Figure] = {}
    sections = []
    if len(sweep.grid.values) >= 2 and best:
        # what is not on an axis is held at what the best set has
        for name, heading in (
            ("train", "Earned on the prices that sets were chosen on"),
            ("test", "Earned on prices that they had not seen"),
        ):
            pictures[name] = _heat_map(sweep, best[0], name)
            sections.append(section(heading, place(name, 460)))
    elif best:
        pictures["line"] = _line(sweep)
        sections.append(section("Earned", place("line", 420)))
    sections.append(section(f"The best {min(SHOWN, len(best))}", _table(sweep, best[:SHOWN])))
    write_page(
        path,
        title=title,
        sentence=sentence,
        about=_about(sweep, best),
        sections=sections,
        figures=pictures,
    )


def _about(sweep: Sweep, best: list[Tried]) -> str:
    if len(sweep.grid.values) <= 2 or not best:
        return "Single bright fields among dark ones are luck; look for bright areas."
    held = list(sweep.grid.values)[2:]
    values = sweep.parameters(best[0])
    others = ", ".join(f"{name} {values[name]}" for name in held)
    return f"Single bright fields among dark ones are luck; the heat maps are at {others}."


def _heat_map(sweep: Sweep, best: Tried, part: str) -> Figure:
    down, across = list(sweep.grid.values)[:2]
    rest = best.place[2:]
    fields = {each.place[:2]: each for each in sweep.tried if each.place[2:] == rest}
    rows, columns = sweep.grid.values[down], sweep.grid.values[across]
    z = [
        [_earned(fields.get((row, column)), part) for column in range(len(columns))]
        for row in range(len(rows))
    ]
    largest = max((abs(each) for line in z for each in line if each is not None), default=1) or 1
    data = {
        "type": "heatmap",
        "x": [str(value) for value in columns],
        "y": [str(value) for value in rows],
        "z": z,
        "zmin": -largest,
        "zmax": largest,
        "colorscale": [[0, "#b42318"], [0.5, "#fcfcfd"], [1, "#067647"]],
        "hovertemplate": f"{down} %{{y}}<br>{across} %{{x}}<br>earned %{{z}}<extra></extra>",
    }
    layout = {
        "hovermode": "closest",
        "xaxis": {"type": "category", "title": {"text": across.replace("_", " ")}},
        "yaxis": {"type": "category", "title": {"text": down.replace("_", " ")}},
    }
    return {"data": [data], "layout": layout}


def _line(sweep: Sweep) -> Figure:
    [(column, values)] = sweep.grid.values.items()
    x = [str(values[each.place[0]]) for each in sweep.tried]
    data: list[dict[str, Any]] = [
        {"type": "scatter", "name": name, "x": x, "y": [_earned(e, part) for e in sweep.tried]}
        for part, name in (("train", "seen"), ("test", "unseen"))
    ]
    axis = {"type": "category", "title": {"text": column.replace("_", " ")}}
    return {"data": data, "layout": {"xaxis": axis}}


def _earned(each: Tried | None, part: str) -> float | None:
    if each is None:
        return None
    return round(float((each.train if part == "train" else each.test).equity), 2)


def _table(sweep: Sweep, best: list[Tried]) -> str:
    columns = list(sweep.grid.values)
    names = [column.replace("_", " ") for column in columns]
    headings = [*names, "earned", "drawdown", "cycles", "unseen", "drawdown", "cycles", ""]
    rows = []
    for each in best:
        values = sweep.parameters(each)
        row = [str(values[column]).lower() for column in columns]
        for score in (each.train, each.test):
            row += [f"{score.equity:+,.2f}", f"{score.deepest_drawdown:,.2f}", str(score.cycles)]
        rows.append([*row, "lonely" if sweep.is_lonely(each) else ""])
    return table(headings, rows)
