"""What `core/` says in Decimals and datetimes, in the whole steps and nanoseconds of prices."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from dca_bot.backtest.prices.series import Limits, PriceSeries
from dca_bot.core.ladder import Triggers
from dca_bot.core.model import AssetRules

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
# Quantities are cut to steps worth less than this in the quote currency, so that the cut can't be
# seen in any result; the columns of the books hold fifteen digits.
STEP_WORTH_DIGITS, STEP_DIGITS_MAX = 10, 15


def rules_for(prices: PriceSeries) -> AssetRules:
    """The exchange's increments: of a price those of the recording, of a quantity very fine."""
    magnitude = prices.highest_bid.adjusted() + 1
    digits = min(STEP_DIGITS_MAX, max(0, STEP_WORTH_DIGITS + magnitude))
    step = Decimal(1).scaleb(-digits)
    return AssetRules(prices.symbol, True, step, Decimal(1).scaleb(-prices.digits))


def limits_of(at: Triggers, prices: PriceSeries) -> Limits:
    """Trigger prices in whole steps, so that a comparison says the same."""
    between = None
    if at.sell_between is not None:
        low, high = at.sell_between
        between = prices.steps_above(low), prices.steps_below(high)
    spread = at.max_spread_pct
    return Limits(
        prices.steps_below(at.buy_at_or_below),
        prices.steps_above(at.sell_at_or_above),
        0 if at.buy_at_or_above is None else prices.steps_above(at.buy_at_or_above),
        None if spread is None else float(spread),
        between,
        prices.steps_below(at.stop_at_or_below),
    )


def moment_of(nanoseconds: int) -> datetime:
    return EPOCH + nanoseconds // 1000 * MICROSECOND
