"""The panel of what it can cost: names and values, as they are read."""

from __future__ import annotations

from datetime import timedelta

from dca_bot.core.model import ZERO
from dca_bot.report.honesty import Honesty
from dca_bot.report.numbers import age_in_words


def in_words(found: Honesty) -> list[tuple[str, str]]:
    """Names and values, as the panel lists them."""
    oldest = found.stuck[0] if found.stuck else None
    rows = [("Money in open cycles", f"{sum((each.invested for each in found.stuck), ZERO):,.2f}")]
    if oldest:
        age = age_in_words(timedelta(seconds=oldest.seconds))
        rows.append(("Oldest open cycle", f"{oldest.symbol}, {age}"))
        depths = [each for each in found.stuck if each.drawdown_pct is not None]
        if depths:
            worst = min(depths, key=lambda each: each.drawdown_pct or ZERO)
            rows.append(
                ("Furthest below its average", f"{worst.symbol}, {worst.drawdown_pct:.2f} %")
            )
    if found.finished:
        share = found.used_last_rung * 100 / found.finished
        rows += [
            ("Half of all cycles took less than", _lasting(found.median_seconds)),
            ("95 % took less than", _lasting(found.seconds_95_pct)),
            ("Used their last rung", f"{found.used_last_rung} of {found.finished} ({share:.0f} %)"),
            ("Ended at a loss", str(found.at_a_loss)),
        ]
    if found.deepest:
        deep = found.deepest[0]
        rows.append(
            ("Deepest below average, finished", f"{deep.symbol}, {deep.drawdown_pct:.2f} %")
        )
    if found.fully_invested_share is not None:
        rows.append(("Time on the last rung", f"{found.fully_invested_share * 100:.1f} %"))
    return rows


def _lasting(seconds: int | None) -> str:
    return "-" if seconds is None else age_in_words(timedelta(seconds=seconds))
