"""What the demo shows, without running it: the numbers, the drawing, the caretakers' turns."""

import logging
import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from io import BytesIO, FileIO, StringIO, TextIOWrapper
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree

import pytest
from rich.console import Console

from dca_bot.core.model import Cycle, CycleStatus, Order, OrderKind, OrderStatus, Quote
from dca_bot.program.settings import AlpacaSettings, DatabaseSettings
from dca_bot.report.now import AssetNow
from dca_bot.watchdog.sight import AssetSight
from dca_demo.caretakers import EVERY_SECONDS, CaretakerNow, Caretakers
from dca_demo.demo import _Progress
from dca_demo.display import LiveDisplay, PlainDisplay, display_on, spell_plainly
from dca_demo.picture import save
from dca_demo.state import DemoState, span_of
from dca_demo.view import render
from dca_sandbox.environment import environment
from dca_sandbox.growing_file import GrowingFile
from tests.builders import an_asset, an_order
from tests.test_docs import setting_names

NOW = datetime(2026, 11, 22, 21, 12, 54, tzinfo=UTC)
LOG_LINE = "2026-11-22T21:12:54.016Z INFO BTC/USD c4 base order placed ask=76123.45 buy=0.0013"


PRICES = Quote("BTC/USD", Decimal("70175.00"), Decimal("70175.02"), NOW)
BITCOIN = an_asset(
    max_safety_orders=2,
    safety_order_deviation_pct="2",
    take_profit_pct="1",
    cooldown_seconds=15,
)


def cycle(status: CycleStatus = CycleStatus.WATCHING, **columns: object) -> Cycle:
    return replace(Cycle(7, 1, status), **columns)


def now_of(cycle: Cycle | None, *, prices: Quote | None = PRICES, **known: Any) -> AssetNow:
    return AssetNow(BITCOIN, cycle, seen=AssetSight(prices), **known)


HOLDING = cycle(
    quantity=Decimal("0.001"),
    average_purchase_price=Decimal(70_000),
    last_order_fill_price=Decimal(70_000),
    safety_orders=1,
)


def order(**columns: Any) -> tuple[str, Order]:
    base = {
        "kind": OrderKind.SAFETY,
        "rung": 1,
        "status": OrderStatus.FILLED,
        "quantity": "0.002142",
        "limit_price": "70000",
        "filled_quantity": "0.002142",
        "filled_average_price": "69999.5",
    }
    return "BTC/USD", an_order(**base | columns)


def state(**fields: object) -> DemoState:
    base = DemoState(
        now=NOW,
        running=timedelta(seconds=83),
        bot="bot beat 1 s ago",
        assets=tuple(
            replace(now_of(HOLDING), asset=replace(BITCOIN, asset_id=n, symbol=symbol))
            for n, symbol in enumerate(("BTC/USD", "ETH/USD", "SOL/USD"), start=1)
        ),
        orders=(order(),) * 20,
        caretakers=tuple(CaretakerNow(name, every) for name, every in EVERY_SECONDS.items()),
        log_lines=(LOG_LINE,) * 100,
    )
    return replace(base, **fields)


def drawn(moment: DemoState, width: int = 80, height: int = 24) -> list[str]:
    output = StringIO()
    console = Console(file=output, width=width, height=height)
    console.print(render(moment, width=width, height=height))
    return output.getvalue().splitlines()


@pytest.mark.parametrize(("width", "height"), [(60, 24), (80, 24), (120, 40)])
def test_the_view_fills_the_terminal_and_no_more(width: int, height: int) -> None:
    lines = drawn(state(), width, height)
    assert len(lines) == height
    assert max(map(len, lines)) <= width


def test_an_asset_shows_what_it_holds_and_what_comes_next() -> None:
    screen = "\n".join(drawn(state()))
    for shown in (
        "0.001000 at 70,000.00",
        "safety 1/2",
        "next buy: ask 68,600.00",
        "bid 70,700.00",
    ):
        assert shown in screen


def test_an_order_is_shown_whole_on_a_narrow_terminal() -> None:
    assert any(line.rstrip().endswith("filled at 69,999.50") for line in drawn(state()))


def test_below_72_columns_the_numbers_stay() -> None:
    screen = "\n".join(drawn(state(page="http://127.0.0.1:8600"), width=60))
    for shown in (
        "http://127.0.0.1:8600",
        "Ctrl-C ends it",
        "no real money",
        "68,600.00 ━",
        "─ 70,700.00",
        "ask 70,175.02",
        "0.001000 at 70,000.00",
        "0.002142 at 69,999.50",
    ):
        assert shown in screen


def test_a_line_of_the_log_is_cut_behind_price_and_average() -> None:
    line = (
        "2026-11-22T21:35:26.221Z INFO BTC/USD c1 base order filled"
        " quantity=0.000261505/0.000261505 price=76480.37 holding=0.000260851 average=76480.37"
        " order=99faad21 client_id=dca-1-base-x"
    )
    screen = "\n".join(drawn(state(log_lines=(line,))))
    assert "c1 base order filled price=76480.37 average=76480.37" in screen
    assert "dca-1-base-x" not in screen


def test_a_cooldown_that_is_over_waits_for_its_caretaker() -> None:
    over = now_of(cycle(CycleStatus.COOLDOWN), completed_at=NOW - timedelta(1))
    assert "cooldown_manager.py is about to end it" in "\n".join(drawn(state(assets=(over,))))


@pytest.mark.parametrize(
    ("environ", "encoding"),
    [
        ({"LANG": "C", "LC_CTYPE": "C.UTF-8"}, "ascii"),  # Python itself has set LC_CTYPE
        ({}, "ascii"),
        ({"LANG": "C", "LC_ALL": "C.UTF-8"}, "utf-8"),
        ({"LANG": "de_DE.UTF-8"}, "utf-8"),
        ({"LC_CTYPE": "en_US.utf8"}, "utf-8"),
    ],
)
def test_a_terminal_without_utf8_gets_signs_that_it_has(
    environ: dict[str, str], encoding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    screen = TextIOWrapper(BytesIO(), encoding="utf-8", write_through=True)
    monkeypatch.setattr("sys.stdout", screen)
    spell_plainly(environ)
    assert screen.encoding == encoding
    Console(width=80, height=24).print(render(state(), width=80, height=24))
    shown = screen.buffer.getvalue().decode()
    assert ("●" in shown) is (encoding == "utf-8")
    assert shown.isascii() is (encoding == "ascii")
    assert "?" not in shown


def test_a_terminal_that_is_gone_ends_the_demo() -> None:
    ours, its = os.openpty()
    with TextIOWrapper(FileIO(its, "w"), write_through=True) as terminal:
        display = LiveDisplay(Console(file=terminal))
        os.close(ours)
        with pytest.raises(KeyboardInterrupt):
            display.show(state())
        _Progress(Console(file=terminal)).emit(logging.makeLogRecord({"msg": "stopping"}))


def test_every_status_can_be_drawn() -> None:
    for status in CycleStatus:
        now = now_of(cycle(status), completed_at=NOW)
        assert any(str(status) in line for line in drawn(state(assets=(now,))))
    assert drawn(state(assets=(now_of(None, prices=None),)))


@pytest.mark.parametrize("status", list(OrderStatus))
def test_every_order_can_be_drawn(status: OrderStatus) -> None:
    part = order(status=status, filled_quantity="0.001")
    unfilled = order(
        kind=OrderKind.TAKE_PROFIT,
        status=status,
        limit_price=None,
        filled_quantity="0",
        filled_average_price=None,
    )
    assert drawn(state(orders=(part, unfilled)))


def test_the_price_stands_between_the_next_safety_order_and_take_profit() -> None:
    span = span_of(now_of(HOLDING))
    assert span is not None
    assert (span.low, span.high) == (Decimal(68_600), Decimal(70_700))
    assert span.position == Decimal("0.75")


def test_without_a_safety_order_left_the_span_mirrors_take_profit() -> None:
    last = replace(HOLDING, safety_orders=2)
    span = span_of(now_of(last))
    assert span is not None
    assert span.is_last_rung
    assert span.low == Decimal(69_300)
    assert "no safety order left" in "\n".join(drawn(state(assets=(now_of(last),))))


def test_what_was_earned_is_shown_with_each_asset_and_in_all() -> None:
    lines = drawn(state(earned={"BTC/USD": (Decimal("1.5"), 3)}))
    assert "profit after fees +1.50 USD in 3 cycles" in lines[1]
    assert [line.split("earned")[1].strip() for line in lines if "earned" in line] == [
        "+1.50 in 3",
        *["+0.00 in 0"] * 2,
    ]


def test_a_cooldown_is_counted_down() -> None:
    cooling = now_of(cycle(CycleStatus.COOLDOWN), completed_at=NOW - timedelta(seconds=10))
    assert "cooldown ends in 5 s" in "\n".join(drawn(state(assets=(cooling,))))


def test_a_file_gives_each_line_once_and_whole(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text("before\n")
    growing = GrowingFile(path)
    with path.open("a") as file:
        file.write("first\nhalf")
        file.flush()
        assert growing.new_lines() == ["first"]
        file.write(" and half\n")
    assert growing.new_lines() == ["half and half"]
    path.write_text("new\n")  # rotated
    assert growing.new_lines() == ["new"]
    path.unlink()
    assert growing.new_lines() == []


class Run:
    """A caretaker's run that ends when it is told to."""

    def __init__(self, script: str) -> None:
        self.script = script
        self.status: int | None = None
        self.lines: list[str] = []
        self.output = SimpleNamespace(new_lines=lambda: self.lines)

    def exit_status(self) -> int | None:
        return self.status


def test_caretakers_run_one_at_a_time_and_again_and_again() -> None:
    runs: list[Run] = []

    def start(script: str) -> Run:
        runs.append(Run(script))
        return runs[-1]

    caretakers = Caretakers(start, NOW)
    for second in range(61):
        caretakers.tick(NOW + timedelta(seconds=second))
        assert sum(run.status is None for run in runs) <= 1
        if runs:
            runs[-1].status = 0
    started = [run.script for run in runs]
    assert set(started) == set(EVERY_SECONDS)
    assert started.count("cooldown_manager.py") > started.count("watchdog.py") > 1


def test_a_deed_stays_until_the_next_one() -> None:
    said = {
        "cooldown_manager.py": iter([["0 INFO x deed", "1 INFO x done n=1"], ["2 INFO x done n=0"]])
    }

    def start(script: str) -> Run:
        run = Run(script)
        run.status, run.lines = 0, next(said.get(script, iter(())), [])
        return run

    caretakers = Caretakers(start, NOW)
    for second in range(2 * EVERY_SECONDS["cooldown_manager.py"] + 2):
        caretakers.tick(NOW + timedelta(seconds=second))
    shown = caretakers.shown()[0]
    assert (shown.deed, shown.last_line) == ("0 INFO x deed", "2 INFO x done n=0")


def test_the_picture_of_a_moment_is_complete_in_itself(tmp_path: Path) -> None:
    picture = tmp_path / "pictures" / "demo.svg"
    save(state(), picture)
    drawing = ElementTree.parse(picture).getroot()  # noqa: S314 - our own
    assert "BTC/USD" in "".join(drawing.itertext())
    assert "https:" not in picture.read_text()


def test_a_restart_is_not_hidden_by_the_mail_that_was_not_sent() -> None:
    lines = ["0 WARNING watchdog main_app.py is stopped", "1 INFO watchdog no mail sent"]

    def start(script: str) -> Run:
        run = Run(script)
        run.status, run.lines = 0, lines if script == "watchdog.py" else []
        return run

    caretakers = Caretakers(start, NOW)
    for second in range(60):
        caretakers.tick(NOW + timedelta(seconds=second))
    [watchdog] = [each for each in caretakers.shown() if each.script == "watchdog.py"]
    assert watchdog.deed == lines[0]


def test_a_pipe_gets_each_line_once_and_no_escape_codes() -> None:
    output = StringIO()
    display = display_on(Console(file=output))
    assert isinstance(display, PlainDisplay)
    with display.shown():
        display.show(state(new_log_lines=(LOG_LINE,)))
        display.show(state())
    assert output.getvalue() == f"main_app.py: {LOG_LINE}\n"


def test_a_terminal_gets_the_live_view() -> None:
    console = Console(file=StringIO(), force_terminal=True, width=80, height=24)
    display = display_on(console)
    assert isinstance(display, LiveDisplay)
    with display.shown():
        display.show(state())


def test_the_demo_decides_every_setting_itself(tmp_path: Path) -> None:
    url = "http://127.0.0.1:1"
    alpaca = AlpacaSettings("KEY", "SECRET", url, url, "ws://127.0.0.1:1")
    database = DatabaseSettings("127.0.0.1", 2, "user", "password", "name")
    assert set(setting_names()) <= set(environment(database, alpaca, tmp_path))
