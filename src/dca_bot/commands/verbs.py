"""The verbs of `dca`, in the order in which `dca --help` lists them.

A verb is a module with `add_arguments(parser)` and `run(arguments)`, which returns the exit status;
its docstring is what `dca VERB --help` shows.  It is imported when it is called, and not before.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from importlib import import_module
from typing import Protocol, cast


class Verb(Protocol):
    """What a verb's module offers."""

    __doc__: str | None

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the arguments; `--json` is there already."""

    def run(self, arguments: Namespace) -> int:
        """Do it; the exit status.  Raises DcaError (status 1) and SettingsError (status 2)."""


# name: (module below dca_bot.commands, one sentence)
VERBS = {
    "status": ("see.status", "Shows how the bot is, what it holds, earned and waits for."),
    "why": ("see.why", "Says what one asset waits for, with the numbers."),
    "ladder": ("see.ladder", "Shows what each rung of an asset's row buys and leaves."),
    "cycles": ("see.cycles", "Lists cycles, open and finished, with what they came to."),
    "cycle": ("see.cycle", "Tells one cycle: its decisions, orders, fills and fees."),
    "profit": ("see.profit", "Sums up what was earned, by day, week, month or asset."),
    "honesty": ("see.honesty", "Shows what it can cost: money stuck, depth, duration."),
    "doctor": ("see.doctor", "Checks everything that the bot needs, and says what to do."),
    "gains": ("see.gains", "Lists the lots sold in a year, first in first out, for taxes."),
    "pause": ("act.pause", "Lets one asset or all buy nothing; take profits go on."),
    "resume": ("act.resume", "Ends a pause or a finish."),
    "finish": ("act.finish", "Lets running cycles end, and begins none after them."),
    "close": ("act.close", "Sells what an asset's cycle holds, now, and pauses it."),
    "buy": ("act.buy", "Buys once, now, beside the ladder."),
    "adopt": ("act.adopt", "Makes coins that Alpaca holds an asset's cycle."),
    "release": ("act.release", "Lets a cycle's coins go from the books, unsold."),
    "add": ("configure.add", "Adds an asset, after showing its ladder."),
    "set": ("configure.set", "Changes columns of an asset's row."),
    "enable": ("configure.enable", "Lets an asset trade."),
    "disable": ("configure.disable", "Stops all orders of an asset, also its take profit."),
    "panic": ("act.panic", "Sells everything that is the bot's, and pauses all."),
    "tie-out": ("see.tie_out", "Compares the books with Alpaca's own records."),
    "history": ("trial.history", "Fetches minute bars of a pair from Alpaca, to try settings on."),
    "backtest": ("trial.backtest", "Says what settings would have earned on recorded prices."),
    "sweep": ("trial.sweep", "Tries many settings, and shows how the best fare on unseen prices."),
    "page": ("page", "Serves the same in a browser, for looking only."),
}


def load(name: str) -> Verb:
    """The module of a verb."""
    module, _ = VERBS[name]
    return cast(Verb, import_module(f"dca_bot.commands.{module}"))
