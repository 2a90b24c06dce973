"""The situations of cooldown_manager.py.  It asks Alpaca nothing, and neither does this."""

from __future__ import annotations

from datetime import timedelta

from dca_bot.program.clock import utc_now
from dca_integration.stage import FIRST, FOREIGN, SECOND, Stage

SCRIPT = "cooldown_manager.py"
PERIOD = 300


def cooldowns(stage: Stage) -> None:
    """One that is over ends, one that is not stays, and one without a sale before it ends."""
    ended = [stage.add_asset(symbol, cooldown_period=PERIOD) for symbol in (FIRST, SECOND)]
    alone = stage.add_asset(FOREIGN, cooldown_period=PERIOD)
    for asset_id, seconds in zip(ended, (PERIOD + 1, PERIOD - 120), strict=True):
        sold_at = (utc_now() - timedelta(seconds=seconds)).replace(microsecond=0, tzinfo=None)
        stage.add_cycle(asset_id, "complete", completed_at=sold_at)
        stage.add_cycle(asset_id, "cooldown")
    stage.add_cycle(alone, "cooldown")
    before = stage.books.everything()
    stage.run(SCRIPT, "--dry-run")
    stage.claim("the database after the dry run", stage.books.everything() == before, True)
    stage.run(SCRIPT)
    over, not_over = ended
    stage.claim("the cycle whose cooldown is over", stage.cycle(over).status, "watching")
    stage.claim("the one whose cooldown is not over", stage.cycle(not_over).status, "cooldown")
    stage.claim("the one without a sale before it", stage.cycle(alone).status, "watching")
