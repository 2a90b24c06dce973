"""Stops everything: pauses every asset, cancels every order of the bot, and sells every position
that its cycles own.  What isn't theirs is left alone.

While Alpaca does not answer it keeps trying, and buys nothing meanwhile: the pause is in the
database before anything else.  Ctrl-C ends the trying; the pause stays.  `dca resume` lets the bot
trade again.
"""

from __future__ import annotations

import math
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

from dca_bot.commands.act.action import NOT_DONE, Action, action, add_yes
from dca_bot.commands.act.closing import sale_of
from dca_bot.commands.act.pursuit import pursue
from dca_bot.core.model import Allowed, AssetState
from dca_bot.core.order_ids import is_ours
from dca_bot.program.clock import utc_now
from dca_bot.program.errors import BrokerUnavailable
from dca_bot.trading.by_hand import Step
from dca_bot.watchdog import sight

STRAY_TRIES = 6
STRAY_PAUSE_SECONDS = 3.0
SIGHT_AGE_MAX = timedelta(minutes=1)


def add_arguments(parser: ArgumentParser) -> None:
    add_yes(parser)


def run(arguments: Namespace) -> int:
    with action(arguments) as this:
        states = this.states(None)
        bids, live = _last_bids(this.log_dir), this.store.live_orders()
        plan = ["First every asset is paused: no BUYs until `dca resume`."]
        plan += [
            line for state in states for line in sale_of(state, live, bids.get(state.asset.symbol))
        ]
        if not this.agree(plan, arguments):
            return NOT_DONE
        try:
            panic(this, states)
        except KeyboardInterrupt:
            this.troubles.append("interrupted: `dca panic` goes on where this was")
        return this.finish()


def panic(this: Action, states: Iterable[AssetState]) -> None:
    """Pause all these assets, then sell what their cycles hold, then cancel what is left."""
    assets = [state.asset for state in states]
    for asset in pursue(this, assets, _step(this), outage_seconds=math.inf):
        this.did(f"{asset.symbol}: its cycle holds nothing any more")
    cancel_strays(this)


def _last_bids(log_dir: Path) -> Mapping[str, Decimal]:
    """As main_app.py wrote them a moment ago.  Asking Alpaca could hang, and the pause with it."""
    seen = sight.read(log_dir)
    if seen is None or utc_now() - seen.at > SIGHT_AGE_MAX:
        return {}
    return {symbol: each.quote.bid for symbol, each in seen.assets.items() if each.quote}


def _step(action: Action) -> Callable[[int], Step]:
    """The steps of one asset: its pause first, then those of its sale.

    All assets take their first step before any takes its second, so all are paused before the
    first sale; one that can't be paused yet holds up no other.
    """
    paused: set[int] = set()

    def step(asset_id: int) -> Step:
        if asset_id in paused:
            return action.close_step(asset_id)
        action.bare_hand.allow(asset_id, Allowed.EXIT, "by hand (dca panic)", with_all=True)
        paused.add(asset_id)
        return Step("paused, no BUYs any more")

    return step


def cancel_strays(this: Action) -> None:
    """Cancel orders with the bot's name that no cycle follows any more.

    Many sales may just have used up what may be asked in a minute, so it is tried some times.
    """
    for tries_left in reversed(range(STRAY_TRIES)):
        try:
            for order in this.broker.open_orders():
                if is_ours(order.client_order_id) and order.alpaca_order_id:
                    this.broker.cancel(order.alpaca_order_id)
                    this.did(f"{order.symbol}: cancel of {order.client_order_id} asked for")
        except BrokerUnavailable as error:
            if tries_left:
                this.sleep(STRAY_PAUSE_SECONDS)
            else:
                this.troubles.append(f"orders that no cycle follows may be left: {error}")
        else:
            return
