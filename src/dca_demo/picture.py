"""Makes the pictures of the README: `python -m dca_demo.picture`.

Rule: they show what the demo really did; the moment is chosen, nothing in it is made up.  The page
is photographed by Chromium, and left as it was where there is none.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from contextlib import AbstractContextManager, nullcontext
from io import StringIO
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import MONOKAI

from dca_bot.core.model import CycleStatus
from dca_bot.program.script import run
from dca_bot.program.setting_groups import PROJECT_ROOT
from dca_demo.demo import run_demo
from dca_demo.state import DemoState, span_of
from dca_demo.view import render

PICTURES = PROJECT_ROOT / "docs" / "pictures"
DEMO = PICTURES / "demo.svg"
# name: width and height of the window
PAGES = {"page": (1440, 1250), "page-narrow": (430, 1180)}
PAGE_MILLISECONDS = 8_000  # of the page's own time, which stands still while it waits for an answer
BROWSER_SECONDS = 90
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
        holding = sum(span_of(each) is not None for each in state.assets)
        cooling = any(
            each.cycle is not None and each.cycle.status is CycleStatus.COOLDOWN
            for each in state.assets
        )
        if state.cycles_completed >= CYCLES_MIN and holding == len(state.assets) - 1 and cooling:
            save(state, self._path)
            photograph(state.page)
            raise KeyboardInterrupt


def save(state: DemoState, path: Path) -> None:
    """Draw a moment as SVG."""
    console = Console(record=True, width=WIDTH, height=HEIGHT, file=StringIO(), force_terminal=True)
    console.print(render(state, width=WIDTH, height=HEIGHT))
    path.parent.mkdir(exist_ok=True)
    console.save_svg(
        str(path), title="main_app.py --demo", theme=MONOKAI, code_format=TEMPLATE, unique_id="demo"
    )


def photograph(address: str) -> None:
    """Keep the page at `address` as PNG files."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser")
    if browser is None:
        return
    for name, (width, height) in PAGES.items():
        with tempfile.TemporaryDirectory() as profile:
            command = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
            command += ["--no-first-run", "--disable-background-networking", "--disable-sync"]
            command += [f"--user-data-dir={profile}", f"--window-size={width},{height}"]
            command += [
                f"--virtual-time-budget={PAGE_MILLISECONDS}",
                f"--screenshot={PICTURES / name}.png",
            ]
            subprocess.run(  # noqa: S603 - the system's own browser
                [*command, address],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                timeout=BROWSER_SECONDS,
                check=True,
            )


if __name__ == "__main__":
    sys.exit(run(lambda: run_demo(lambda _: PictureOf(DEMO))))
