"""One HTML file that works offline: the template, plotly's script, tables and figures."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

from dca_bot.program.errors import DcaError

Figure = dict[str, Any]


def write_page(
    path: Path,
    *,
    title: str,
    sentence: str,
    about: str,
    sections: Sequence[str],
    figures: Mapping[str, Figure],
) -> None:
    """Write the file; `sections` are HTML, in which `place(name)` is where a figure goes.

    Raises DcaError where the file can't be written.
    """
    from plotly.offline import get_plotlyjs  # slow to load, and only reports need it

    template = Template(files("dca_bot.backtest").joinpath("report.html").read_text("utf-8"))
    content = template.substitute(
        title=escape(title),
        sentence=escape(sentence),
        about=escape(about),
        sections="\n".join(sections),
        # a text that ends the script would end it
        figures=json.dumps(figures, separators=(",", ":")).replace("</", "<\\/"),
        plotly=get_plotlyjs(),
    )
    try:
        path.write_text(content, "utf-8")
    except OSError as error:
        raise DcaError(f"cannot write {path}: {error.strerror}: choose another file") from error


def section(heading: str, body: str) -> str:
    return f"<section><h2>{escape(heading)}</h2>\n{body}</section>"


def place(name: str, height: int) -> str:
    """Where the figure of that name is drawn."""
    return f'<div id="{name}" style="height:{height}px"></div>'


def table(headings: Sequence[str], rows: Iterable[Sequence[str]], *, fits: bool = False) -> str:
    """A table; what begins with + or - is coloured.

    On a small screen it is as wide as its cells and scrolls, or `fits` and breaks them.
    """
    head = "".join(f"<th>{escape(each)}</th>" for each in headings)
    body = "".join(f"<tr>{''.join(_cell(each) for each in row)}</tr>" for row in rows)
    kind = "fit" if fits else "scroll"
    return f'<div class="{kind}"><table><tr>{head}</tr>{body}</table></div>'


def _cell(text: str) -> str:
    kind = {"+": ' class="good"', "-": ' class="bad"'}.get(text[:1], "") if len(text) > 1 else ""
    indent = "&nbsp;&nbsp;" if text.startswith("  ") else ""
    return f"<td{kind}>{indent}{escape(text.strip())}</td>"
