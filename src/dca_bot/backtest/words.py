"""A backtest in words and in JSON.  The first sentence is the honest one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from dca_bot.backtest.prices.recording import DAY, SECOND
from dca_bot.backtest.result import Result, Round, days
from dca_bot.backtest.sweep.score import Score
from dca_bot.core.model import Side

EIGHT = Decimal("1e-8")


def sentence(results: Sequence[Result]) -> str:
    """What was earned, on which money, in which time, and how long it was stuck; worst first."""
    worst = results[0]
    earned = _range([result.percent for result in results])
    span = days(worst.until - worst.since)
    stuck = worst.longest()
    if stuck is None:
        return f"Nothing was bought in {_span(span)}."
    share = 100 * stuck.invested / worst.capital
    verb = "was" if stuck.ended is not None else "is still"
    currency = stuck.symbol.partition("/")[2]
    return (
        f"{earned} % of {_money(worst.capital)} {currency} in {_span(span)}, while {share:.0f} % "
        f"of the money {verb} stuck {_stretch(stuck.began, stuck.ended or worst.until)}."
    )


def figures(result: Result) -> list[tuple[str, str]]:
    """Names and values of a table, in the order of their weight."""
    held = [each for each in result.rounds if each.ended is None]
    span = Decimal(max(result.until - result.since, 1))
    stuck = result.longest()
    by_pair = result.by_pair()
    pairs = (
        [(f"  {pair}", _signed(net)) for pair, net in by_pair.items()] if len(by_pair) > 1 else []
    )
    weeks = span > 7 * DAY  # a year made of hours would say nothing
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
        ("fees, all", _money(result.fees)),
        *open_lines,
        ("together", _signed(result.equity)),
        *pairs,
        ("cycles completed", str(result.cycles)),
        ("buys", str(result.buys)),
        ("  base, safety 1, 2 ...", " ".join(str(n) for n in result.rungs().values()) or "-"),
        ("  refused, no cash", str(result.refused)),
        ("most money tied up", _money(result.most_invested)),
        ("average money in use", _money(result.average_invested)),
        ("  earned on it a year", f"{result.return_on_average:+.1f} %" if weeks else "-"),
        ("deepest drawdown", _money(result.deepest_drawdown)),
        ("longest cycle, of the time", _longest(stuck, result, span)),
        ("instead: bought and held", _signed(result.hold_net)),
        ("instead: a part a week", _signed(result.weekly_net)),
    ]


def as_json(result: Result, *, events: bool = False) -> dict[str, Any]:
    """One result as an object; money and quantities are strings."""
    content: dict[str, Any] = score_json(result) | {
        "return_on_average_percent": _plain(result.return_on_average),
        "hold_net": _plain(result.hold_net),
        "weekly_net": _plain(result.weekly_net),
        "refused": result.refused,
        "rungs": list(result.rungs().values()),
        "by_pair": {pair: _plain(equity) for pair, equity in result.by_pair().items()},
        "months": {month: _plain(net) for month, net in result.by_month().items()},
        "longest_cycle": _round_json(result.longest(), result.until),
    }
    if events:
        content["events"] = [
            [fill.at, "B" if fill.kind.side is Side.BUY else "S", f"{fill.price.normalize():f}"]
            for fill in result.fills
        ]
    return content


def score_json(score: Result | Score) -> dict[str, Any]:
    """What results and the scores of a sweep have in common."""
    return {
        "cycles": score.cycles,
        "buys": score.buys,
        "net": _plain(score.net),
        "fees": _plain(score.fees),
        "most_invested": _plain(score.most_invested),
        "deepest_drawdown": _plain(score.deepest_drawdown),
        "open_quantity": f"{score.open_quantity.normalize():f}",
        "open_net": _plain(score.open_net),
        "equity": _plain(score.equity),
        "percent": _plain(score.percent),
        "average_invested": _plain(score.average_invested),
    }


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
    if span < 2 / 24:
        return f"{span * 1440:.0f} minutes"
    if span < 2:
        return f"{span * 24:.0f} hours"
    return f"{span:.0f} days"


def _longest(each: Round | None, result: Result, span: Decimal) -> str:
    if each is None:
        return "-"
    length = (each.ended or result.until) - each.began
    still = " (open)" if each.ended is None else ""
    return f"{_span(days(length))}{still}, {100 * length / span:.0f} %"


def _stretch(since: int, until: int) -> str:
    """As `from 3 March to 9 May 2025`."""
    first, last = (datetime.fromtimestamp(at // SECOND, UTC) for at in (since, until))
    if first.date() == last.date():
        return f"from {first:%H:%M} to {last:%H:%M} on {last.day} {last:%B %Y}"
    year = "" if first.year == last.year else f" {first.year}"
    return f"from {first.day} {first:%B}{year} to {last.day} {last:%B %Y}"


def _money(amount: Decimal | int) -> str:
    return f"{amount:,.2f}"


def _signed(amount: Decimal) -> str:
    return f"{amount:+,.2f}"


def _plain(amount: Decimal) -> str:
    return f"{amount.quantize(EIGHT):f}"
