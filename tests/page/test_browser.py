"""The page in a real browser: what stands there, live, and without a word to anybody else."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from dca_bot.program.settings import DatabaseSettings
from tests.helpers import Simulator, apply_sql, eventually
from tests.page.served import Served, page
from tests.proofs.one_by_one.one_cycle import ASSET, QUIET, SYMBOL
from tests.proofs.whole.busy import Bot

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser")
sync_api = pytest.importorskip(
    "playwright.sync_api", reason="needs playwright: venv/bin/python -m pip install playwright"
)
pytestmark = pytest.mark.skipif(BROWSER is None, reason="needs a browser: apt-get install chromium")
OPTIONS = (
    *("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
)
WAIT_MILLISECONDS = 60_000


class Seen:
    """An open page, with what went wrong on it and whom it has asked."""

    def __init__(self, view: Any, url: str) -> None:
        self.view = view
        self.wrong: list[str] = []
        self.strangers: list[str] = []
        view.on(
            "console", lambda message: message.type == "error" and self.wrong.append(message.text)
        )
        view.on("pageerror", lambda error: self.wrong.append(str(error)))
        view.on("request", lambda asked: self._note(asked.url, url))

    def _note(self, asked: str, url: str) -> None:
        if not asked.startswith((url, "data:")):
            self.strangers.append(asked)

    def wait_for(self, selector: str, text: str) -> None:
        self.view.locator(selector, has_text=text).first.wait_for(timeout=WAIT_MILLISECONDS)


@contextmanager
def opened(served: Served, width: int, **context: Any) -> Iterator[Seen]:
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=BROWSER, args=list(OPTIONS))
        try:
            view = browser.new_context(viewport={"width": width, "height": 900}, **context)
            seen = Seen(view.new_page(), served.url)
            seen.view.goto(served.url, timeout=WAIT_MILLISECONDS)
            yield seen
        finally:
            browser.close()


@pytest.mark.parametrize("simulator", [QUIET], indirect=True)
def test_a_cycle_that_completes_while_the_page_is_open_appears(
    database: DatabaseSettings,
    simulator: Simulator,
    bot: Bot,
    bot_env: dict[str, str],
    tmp_path: Path,
) -> None:
    apply_sql(database, ASSET.encode())
    at = {"symbol": SYMBOL, "bid": "100", "ask": "100"}
    simulator.post("/sim/quote", at)
    bot.start()
    eventually(lambda: "quote stream connected" in bot.output, timeout=60)
    simulator.post("/sim/quote", at)  # one that is young
    with page(bot_env, tmp_path) as served:
        eventually(lambda: float(served.data()["status"]["invested"]) > 0, timeout=60)
        with opened(served, 1600) as seen:
            seen.wait_for(".asset .state", "holding")
            seen.wait_for("#mode", "SIMULATED")
            seen.view.locator(".asset > button").click()
            seen.wait_for(".detail td", "base")
            simulator.post("/sim/quote", {"symbol": SYMBOL, "bid": "103", "ask": "103"})
            seen.wait_for("#cycles td", "complete")
            eventually(lambda: served.data()["status"]["cycles"] == 1, timeout=30)
            net = float(served.data()["status"]["realised_net"])
            seen.wait_for("#money .tile", f"+{net:.2f}")
            seen.view.locator("#earned.js-plotly-plot").wait_for(timeout=WAIT_MILLISECONDS)
            assert seen.wrong == []
            assert seen.strangers == []


@pytest.mark.parametrize("width", [390, 1600])
@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_it_fits_the_window_and_says_what_to_do_first(
    bot_env: dict[str, str], tmp_path: Path, width: int, scheme: str
) -> None:
    with page(bot_env, tmp_path) as served, opened(served, width, color_scheme=scheme) as seen:
        seen.wait_for(".empty", "INSERT INTO dca_assets")
        assert seen.view.evaluate("document.documentElement.scrollWidth") <= width
        assert seen.wrong == []


def test_an_asset_opens_by_the_keyboard(
    database: DatabaseSettings, bot_env: dict[str, str], tmp_path: Path
) -> None:
    apply_sql(database, ASSET.encode())
    with page(bot_env, tmp_path) as served, opened(served, 1600) as seen:
        seen.wait_for(".asset .name", "BTC/USD")
        seen.view.locator(".asset > button").focus()
        seen.view.keyboard.press("Enter")
        seen.view.locator('.asset > button[aria-expanded="true"]').wait_for()


def test_a_page_whose_process_has_ended_says_so(
    database: DatabaseSettings, bot_env: dict[str, str], tmp_path: Path
) -> None:
    apply_sql(database, ASSET.encode())
    with page(bot_env, tmp_path) as served, opened(served, 1600) as seen:
        seen.wait_for(".asset .name", "BTC/USD")
        served.end()
        seen.wait_for("#away", "start dca page again")


def test_with_a_password_the_browser_asks_for_it(bot_env: dict[str, str], tmp_path: Path) -> None:
    env = {**bot_env, "PAGE_PASSWORD": "correct horse"}
    credentials = {"username": "me", "password": "correct horse"}
    with page(env, tmp_path) as served, opened(served, 1600, http_credentials=credentials) as seen:
        seen.wait_for("h1", "DCA bot")
        seen.wait_for("#health", "BLIND")
