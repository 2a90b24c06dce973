"""Makes the picture of the README: `python -m dca_demo.picture`.

Rule: it shows what the demo really did; the moment is chosen, nothing in it is made up.
"""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager, nullcontext
from io import StringIO
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import MONOKAI

from dca_bot.core.model import CycleStatus
from dca_bot.program.script import run
from dca_bot.program.settings import PROJECT_ROOT
from dca_demo.demo import run_demo
from dca_demo.state import DemoState
from dca_demo.view import render

PICTURE = PROJECT_ROOT / "docs" / "pictures" / "demo.svg"
WIDTH, HEIGHT = 100, 30
CYCLES_MIN = 8
# rich's own template, without the fonts that it would fetch from elsewhere
TEMPLATE = """\
<svg viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{ font-family: monospace; font-size: {char_height}px; line-height: {line_height}px; }}
{styles}
</style>
<defs><clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}" /></clipPath>{lines}</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">{matrix}</g>
</g>
</svg>
"""  # noqa: E501 - CSS on one line


class PictureOf:
    """A display that waits for a telling moment, keeps it as a picture, and ends the demo."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def shown(self) -> AbstractContextManager[object]:
        return nullcontext()

    def show(self, state: DemoState) -> None:
        holding = sum(each.span is not None for each in state.assets)
        cooling = any(
            each.cycle is not None and each.cycle.status is CycleStatus.COOLDOWN
            for each in state.assets
        )
        if state.cycles_completed >= CYCLES_MIN and holding == len(state.assets) - 1 and cooling:
            save(state, self._path)
            raise KeyboardInterrupt


def save(state: DemoState, path: Path) -> None:
    """Draw a moment as SVG."""
    console = Console(record=True, width=WIDTH, height=HEIGHT, file=StringIO(), force_terminal=True)
    console.print(render(state, width=WIDTH, height=HEIGHT))
    path.parent.mkdir(exist_ok=True)
    console.save_svg(
        str(path), title="main_app.py --demo", theme=MONOKAI, code_format=TEMPLATE, unique_id="demo"
    )


if __name__ == "__main__":
    sys.exit(run(lambda: run_demo(lambda _: PictureOf(PICTURE))))
