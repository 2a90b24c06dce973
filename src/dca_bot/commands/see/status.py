"""Shows how the bot is, what it holds, what it earned, and what each asset waits for.

Needs the database and LOG_DIR only, and asks Alpaca nothing: prices and cash are those that
main_app.py saw last.
"""

from __future__ import annotations

import time
from argparse import ArgumentParser, Namespace
from decimal import Decimal
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.padding import Padding
from rich.text import Text

from dca_bot.commands import output
from dca_bot.commands.output import age, amount, percent, price, signed
from dca_bot.program.clock import utc_now
from dca_bot.program.setting_groups import StoreSettings
from dca_bot.program.settings import read_mode, read_store_settings
from dca_bot.report.health import look
from dca_bot.report.numbers import how_many
from dca_bot.report.profit import Totals, totals
from dca_bot.report.reader import Reader
from dca_bot.report.status import status

WATCH_SECONDS = 2.0
SUM_UP_SECONDS = 60.0  # the whole history is read no more often
BAR_CELLS = 20
SAID_BY_ITS_BAR = ("holding", "last rung")
MODES = {
    "live": ("LIVE", "bold white on red"),
    "paper": ("PAPER", "bold black on cyan"),
    "simulated": ("SIMULATED", "bold black on green"),
}
HEALTHS = {
    "OK": "bold green",
    "DEGRADED": "bold yellow",
    "PAUSED": "bold magenta",
    "BLIND": "bold red",
}


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--watch", action="store_true", help="show it anew every two seconds")


def run(arguments: Namespace) -> int:
    settings = read_store_settings()
    with Reader(settings.database) as reader:
        if arguments.json:
            output.print_json(read(reader, settings))
            return 0
        console = output.console()
        if not arguments.watch:
            console.print(shown(read(reader, settings)))
            return 0
        return _watch(reader, settings, console)


def read(reader: Reader, settings: StoreSettings, earned: Totals | None = None) -> dict[str, Any]:
    """The object of `--json`; `earned` where it was summed up before."""
    now, health = look(reader, settings, read_mode())
    return status(now, health, earned or totals(reader, now.at))


def _watch(reader: Reader, settings: StoreSettings, console: Console) -> int:
    try:
        with Live(console=console, auto_refresh=False, screen=console.is_terminal) as view:
            earned, summed_up_at = None, -SUM_UP_SECONDS
            while True:
                if time.monotonic() - summed_up_at >= SUM_UP_SECONDS:
                    earned, summed_up_at = totals(reader, utc_now()), time.monotonic()
                view.update(shown(read(reader, settings, earned)), refresh=True)
                time.sleep(WATCH_SECONDS)
    except KeyboardInterrupt:
        return 0


def shown(content: dict[str, Any]) -> RenderableType:
    """The same for people."""
    parts: list[RenderableType] = [_head(content)]
    reasons = content["reasons"]
    parts += [_indented(Text(reason, "yellow")) for reason in reasons]
    for told in content["to_correct"]:
        if not any(told in reason for reason in reasons):
            parts.append(_indented(Text(told, "yellow")))
    parts += [_money(content), Text("")]
    for asset in content["assets"]:
        parts += [*_asset(asset, content["at"]), Text("")]
    if not content["assets"]:
        parts.append(Text("No assets yet: `dca add BTC/USD` writes the first row of dca_assets."))
    parts.append(_caretakers(content))
    parts.append(Text(f"{output.local(content['at'], seconds=True)} {output.zone()}", "dim"))
    return Group(*parts)


def _head(content: dict[str, Any]) -> Text:
    word, style = MODES[content["mode"]]
    ages = content["ages"]
    health = content["health"]
    return Text.assemble(
        (f" {word} ", style),
        "  ",
        (health, HEALTHS[health]),
        ("   last quote ", "dim"),
        age(ages["quote"]),
        (", update ", "dim"),
        age(ages["trade_stream"]),
        (", heartbeat ", "dim"),
        age(ages["heartbeat"]),
        (" ago", "dim"),
    )


def _caretakers(content: dict[str, Any]) -> Text:
    known = content["ages"]["caretakers"]
    ages = [f"{name.replace('_', ' ')} {age(since)}" for name, since in known.items()]
    decided = content["ages"]["decision"]
    ago = age(decided) + ("" if decided is None else " ago")
    return Text(f"last decision {ago}; last success: {', '.join(ages)}", "dim")


def _money(content: dict[str, Any]) -> Text:
    realised = content["realised"]
    text = Text()
    cash = "unknown" if content["cash"] is None else amount(content["cash"])
    text.append_text(Text.assemble(("cash ", "dim"), cash, ("   invested ", "dim")))
    text.append(amount(content["invested"]))
    wants = amount(content["ladders_want"])
    text.append_text(Text.assemble(("   the ladders can still ask for ", "dim"), wants))
    if content["cash_suffices"] is False:
        text.append("  more than the cash", "bold yellow")
    text.append("\n")
    text.append("net profit: ", "dim")
    for name, key in (("today", "today"), ("7 days", "7_days"), ("30 days", "30_days")):
        text.append_text(Text.assemble((f"{name} ", "dim"), signed(realised[key]), "   "))
    text.append_text(Text.assemble(("all ", "dim"), signed(realised["all"])))
    text.append("\n")
    if content["net_if_sold"] is not None and content["invested"]:
        text.append_text(Text.assemble(("if all were sold now ", "dim")))
        text.append_text(Text.assemble(signed(content["net_if_sold"]), "   "))
    text.append(
        f"{how_many(content['cycles'], 'complete cycle')}, fees {amount(content['fees'])}", "dim"
    )
    if content["cycles_unknown"]:
        text.append(f", {content['cycles_unknown']} more unknown", "dim")
    return text


def _asset(asset: dict[str, Any], now: Any) -> list[RenderableType]:
    """Two or three lines: what it is and holds, its bar, and what it waits for."""
    head = Text.assemble((f" {asset['symbol']} ", "bold reverse"), f" {asset['state']}")
    rungs = f"{asset['safety_orders']}/{asset['max_safety_orders']}"
    head.append(f"  safety {rungs}", "dim")
    if asset["quantity"]:
        most = asset["invested"] + asset["can_want"]
        head.append(f"  in {amount(asset['invested'])} of {amount(most)}", "dim")
        head.append("  now ", "dim")
        if asset["net_if_sold"] is None:
            head.append("unknown", "dim")
        else:
            head.append_text(signed(asset["net_if_sold"]))
    if asset["began_at"] and asset["quantity"]:
        head.append(f"  {age((now - asset['began_at']).total_seconds())}", "dim")
    lines: list[RenderableType] = [head]
    if asset["take_profit_price"] is not None and asset["bid"] is not None:
        lines.append(_bar(asset))
    if len(lines) == 1 or asset["state"] not in SAID_BY_ITS_BAR:
        lines.append(_indented(Text(asset["waits_for"])))
    if asset["last_event"]:
        since = age((now - asset["last_event_at"]).total_seconds())
        lines.append(_indented(Text(f"{since} ago: {asset['last_event']}", "dim")))
    return lines


def _indented(text: Text) -> Padding:
    return Padding(text, (0, 0, 0, 2))


def _bar(asset: dict[str, Any]) -> Text:
    """`next buy 62,094.40 -1.2 % ━━━●──┿── +0.9 % 64,640.00 take profit`."""
    high, middle = asset["take_profit_price"], (asset["bid"] + asset["ask"]) / 2
    average, low = asset["average_price"], asset["next_buy_price"]
    bottom = 2 * average - high if low is None else low
    bar = Text()
    here, mean = _cell(middle, bottom, high), _cell(average, bottom, high)
    for cell in range(BAR_CELLS):
        if cell == here:
            bar.append("●", "bold green" if middle >= average else "bold red")
        elif cell == mean:
            bar.append("┿", "bold")
        else:
            bar.append("━" if cell < here else "─", "green" if cell < here else "dim")
    left = "no rung left" if low is None else f"{price(low)} {percent(asset['next_buy_pct'])}"
    right = f"{percent(asset['take_profit_pct'])} {price(high)}"
    return Text.assemble((f"  {left} ", "dim"), bar, (f" {right}", "dim"))


def _cell(at: Decimal, low: Decimal, high: Decimal) -> int:
    share = (at - low) / (high - low) if high > low else Decimal("0.5")
    return min(BAR_CELLS - 1, max(0, int(share * BAR_CELLS)))
