"""A backtest in words and in JSON.  The first sentence is the honest one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from dca_bot.backtest.cases import Case
from dca_bot.backtest.recording import SECOND, moment
from dca_bot.backtest.result import Result, Round, days
from dca_bot.core.model import Side

EIGHT = Decimal("1e-8")


def sentence(cases: Sequence[Case]) -> str:
    """What was earned, on which money, in which time, and how long it was stuck."""
    worst = cases[0].result
    earned = _range([case.result.percent for case in cases])
    span = days(worst.until - worst.since)
    stuck = worst.longest()
    if stuck is None:
        return f"Nothing was bought in {span:.0f} days."
    share = 100 * stuck.invested / worst.capital
    verb = "was" if stuck.ended is not None else "is still"
    return (
        f"{earned} % of {_money(worst.capital)} in {_span(span)}, while {share:.0f} % of the money "
        f"{verb} stuck from {_day(stuck.began)} to {_day(stuck.ended or worst.until)}."
    )


def figures(result: Result) -> list[tuple[str, str]]:
    """Names and values of a table, in the order of their weight."""
    held = [each for each in result.rounds if each.ended is None]
    span = Decimal(max(result.until - result.since, 1))
    stuck = result.longest()
    open_lines = (
        [
            ("open at the end", f"{_money(sum(e.invested for e in held))} paid"),
            ("  at the last price", _signed(result.open_net)),
        ]
        if held
        else [("open at the end", "nothing")]
    )
    return [
        ("net of completed cycles", _signed(result.net)),
        ("  fees in it and in what is open", _money(result.fees)),
        *open_lines,
        ("together", _signed(result.equity)),
        ("cycles completed", str(result.cycles)),
        ("buys", str(result.buys)),
        ("  by rung (base, 1, 2, ...)", " ".join(str(n) for n in result.rungs().values()) or "-"),
        ("  refused for want of cash", str(result.refused)),
        ("most money tied up", _money(result.most_invested)),
        ("average money in use", _money(result.average_invested)),
        ("  earned on it a year", f"{result.return_on_average:+.1f} %"),
        ("deepest drawdown", _money(result.deepest_drawdown)),
        ("longest cycle", _longest(stuck, result, span)),
        ("bought and held instead", _signed(result.hold_net)),
        ("bought a part every week instead", _signed(result.weekly_net)),
    ]


def as_json(result: Result, *, events: bool = False) -> dict[str, Any]:
    """One result as an object; money and quantities are strings."""
    content: dict[str, Any] = {
        "cycles": result.cycles,
        "buys": result.buys,
        "net": _plain(result.net),
        "fees": _plain(result.fees),
        "most_invested": _plain(result.most_invested),
        "deepest_drawdown": _plain(result.deepest_drawdown),
        "open_quantity": f"{result.open_quantity.normalize():f}",
        "open_net": _plain(result.open_net),
        "equity": _plain(result.equity),
        "percent": _plain(result.percent),
        "average_invested": _plain(result.average_invested),
        "return_on_average_percent": _plain(result.return_on_average),
        "hold_net": _plain(result.hold_net),
        "weekly_net": _plain(result.weekly_net),
        "refused": result.refused,
        "rungs": list(result.rungs().values()),
        "months": {month: _plain(net) for month, net in result.by_month().items()},
        "longest_cycle": _round_json(result.longest(), result.until),
    }
    if events:
        content["events"] = [
            [fill.at, "B" if fill.kind.side is Side.BUY else "S", f"{fill.price.normalize():f}"]
            for fill in result.fills
        ]
    return content


def _round_json(each: Round | None, until: int) -> dict[str, Any] | None:
    if each is None:
        return None
    return {
        "symbol": each.symbol,
        "began_at": iso(each.began),
        "ended_at": None if each.ended is None else iso(each.ended),
        "days": round(days((each.ended or until) - each.began), 2),
        "invested": _plain(each.invested),
    }


def iso(nanoseconds: int) -> str:
    """A time as JSON has it."""
    at = datetime.fromtimestamp(nanoseconds // SECOND, UTC)
    return at.isoformat().replace("+00:00", "Z")


def _range(numbers: Sequence[Decimal]) -> str:
    texts = [f"{number:+.1f}" for number in (min(numbers), max(numbers))]
    return texts[0] if texts[0] == texts[-1] else " to ".join(texts)


def _span(span: float) -> str:
    if span < 2:
        return f"{span * 24:.0f} hours"
    return f"{span:.0f} days"


def _longest(each: Round | None, result: Result, span: Decimal) -> str:
    if each is None:
        return "-"
    length = (each.ended or result.until) - each.began
    still = " and still open" if each.ended is None else ""
    return f"{_span(days(length))}{still}, {100 * length / span:.0f} % of the time"


def _day(nanoseconds: int) -> str:
    at = datetime.fromtimestamp(nanoseconds // SECOND, UTC)
    return f"{at.day} {at:%B %Y}"


def _money(amount: Decimal | int) -> str:
    return f"{amount:,.2f}"


def _signed(amount: Decimal) -> str:
    return f"{amount:+,.2f}"


def _plain(amount: Decimal) -> str:
    return f"{amount.quantize(EIGHT):f}"


__all__ = ["as_json", "figures", "iso", "moment", "sentence"]
