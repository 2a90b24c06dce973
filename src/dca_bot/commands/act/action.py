"""What every verb that acts needs: the rows, Alpaca, a hand, the question, and the report.

Rule: nothing is done before the plan was said and agreed to.  What was done is said as it happens;
with --json everything but the one object goes to stderr.
"""

from __future__ import annotations

import logging
import shutil
import signal
import sys
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from textwrap import fill

from dca_bot.broker.rate_limit import RateLimiter
from dca_bot.broker.rest import AlpacaBroker
from dca_bot.caretakers.orders import Settler
from dca_bot.caretakers.run import Run
from dca_bot.commands.act import own_log
from dca_bot.commands.act.left import left_at_alpaca
from dca_bot.commands.arguments import WrongCall
from dca_bot.commands.as_json import print_json
from dca_bot.core.holdings import Holdings
from dca_bot.core.model import AssetRules, AssetState, Quote
from dca_bot.core.overdue import lacks_order_row
from dca_bot.program.clock import Clock, utc_now
from dca_bot.program.errors import BrokerUnavailable, DcaError
from dca_bot.program.log_text import printable
from dca_bot.program.setting_groups import DatabaseSettings
from dca_bot.program.settings import read_settings
from dca_bot.store.mysql_store import MySqlStore
from dca_bot.store.schema import ensure_schema
from dca_bot.trading.budget import Budget
from dca_bot.trading.by_hand import Hand, Step
from dca_bot.trading.ports import Broker, Store

log = logging.getLogger(__name__)

# Of the 200 that the account has.  Who closes positions is in a hurry, and main_app.py, which is
# paused then, needs few; both follow what Alpaca says is left.
REQUESTS_PER_MINUTE = 120
NOT_DONE = 1


@dataclass
class Action:
    """One call of a verb: what it works with, by whose time, and what it has done."""

    store: Store
    broker: Broker
    database: DatabaseSettings
    budget: Budget
    log_dir: Path
    is_json: bool
    quote_age_max: timedelta = timedelta(seconds=10)
    log_level: str = "INFO"
    clock: Clock = utc_now
    seconds: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    done: list[str] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)
    is_agreed: bool = False
    _rules: Mapping[str, AssetRules] | None = None
    _positions: Holdings | None = None

    @property
    def rules(self) -> Mapping[str, AssetRules]:
        """What Alpaca says of its pairs, asked for once.  Raises BrokerUnavailable."""
        if self._rules is None:
            self._rules = self.broker.rules()
        return self._rules

    @property
    def hand(self) -> Hand:
        """A hand that may trade.  Raises BrokerUnavailable."""
        return Hand(
            self.store,
            self.broker,
            self.clock,
            self.rules,
            self.budget,
            quote_age_max=self.quote_age_max,
            positions=self._positions_of_round,
        )

    @property
    def bare_hand(self) -> Hand:
        """A hand for what needs no prices: nothing is asked of Alpaca to have it."""
        return Hand(self.store, self.broker, self.clock, {})

    def begin_round(self) -> None:
        """Each asset takes a step: what was learnt of positions in the steps before is old now."""
        self._positions = None

    def _positions_of_round(self) -> Holdings:
        """Asked for once, however many assets sell.  One that has sold or bought since then is
        sold in the next round: a sale is never more than the books and this answer have."""
        if self._positions is None:
            self._positions = self.broker.holdings(urgent=True)
        return self._positions

    def close_step(self, asset_id: int) -> Step:
        """`Hand.close`, also for a cycle whose order the books don't know (edited by hand)."""
        step = self.hand.close(asset_id)
        if step.needs_others:
            for state in self.store.assets():
                if state.asset.asset_id == asset_id and lacks_order_row(
                    state.cycle, self.store.live_orders()
                ):
                    settler = Settler(self.store, self.broker, self.clock, Run(), self.budget)
                    settler.settle_without_row(state)
        return step

    def states(self, symbol: str | None) -> Sequence[AssetState]:
        """The asset of that symbol, however it is spelt; without one all of them.

        Raises WrongCall.
        """
        states = self.store.assets()
        if not states:
            raise WrongCall("dca_assets has no row yet: `dca add BTC/USD` writes one")
        if symbol is None:
            return states
        wanted = symbol.upper().replace("/", "")
        found = [each for each in states if each.asset.symbol == symbol] or [
            each
            for each in states
            if wanted in (each.asset.symbol.upper().replace("/", ""), each.asset.coin.upper())
        ]
        if len(found) != 1:
            there = ", ".join(sorted(each.asset.symbol for each in states))
            raise WrongCall(f"dca_assets has no row for {symbol!r}; it has {there}")
        return found

    def quote(self, symbol: str) -> Quote:
        """The latest quote.  Raises BrokerUnavailable."""
        quote = self.broker.latest_quotes([symbol]).get(symbol)
        if quote is None:
            raise BrokerUnavailable(f"Alpaca returned no price of {symbol}")
        return quote

    def did(self, sentence: str) -> None:
        """Something was done."""
        self.done.append(sentence)
        self.tell(sentence)

    def tell(self, sentence: str) -> None:
        """A step on the way."""
        self.say(sentence)
        log.info("%s", sentence)

    def say(self, sentence: str) -> None:
        """For people; not a part of the report.  A terminal that is gone stops nothing."""
        out = sys.stderr if self.is_json else sys.stdout
        if not sentence.isprintable():  # a row's symbol may be anything
            sentence = printable(sentence)
        width = shutil.get_terminal_size().columns
        indent = " " * (len(sentence) - len(sentence.lstrip()))
        text = fill(sentence, width, subsequent_indent=indent, break_on_hyphens=False)
        with suppress(OSError):
            out.write(text + "\n")
            out.flush()

    def agree(self, plan: Sequence[str], arguments: Namespace) -> bool:
        """Say what will be done; whether it may be.  Raises WrongCall where nobody can be asked.

        What was agreed to goes on though the terminal is gone; `dca.log` has the report then.
        """
        for line in plan:
            self.say(line)
        if not (arguments.yes or self._is_agreed()):
            self.say("Nothing was done.")
            return False
        self.is_agreed = True
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        own_log.begin(self.log_dir, self.log_level, arguments.call)
        return True

    def _is_agreed(self) -> bool:
        self.say("Do it? [y/N]")
        answer = sys.stdin.readline()
        if not answer:
            raise WrongCall("nothing was done: nobody answered; --yes does it without asking")
        return answer.strip().lower() in ("y", "yes")

    def finish(self, symbol: str | None = None) -> int:
        """Say what is left at Alpaca of this asset, or of all; the exit status."""
        for trouble in self.troubles:
            log.error("%s", trouble)
        wanted = None if symbol is None else self.states(symbol)
        left = left_at_alpaca(self.broker, self.states(None), wanted)
        log.info("left at Alpaca: %s", "; ".join(left) or "nothing")
        if self.is_json:
            print_json({"done": self.done, "left": left, "troubles": self.troubles})
        else:
            of = (
                ""
                if symbol is None
                else f" of {', '.join(each.asset.symbol for each in wanted or ())}"
            )
            self.say("Left at Alpaca:" if left else f"Nothing{of} is left at Alpaca.")
            for sentence in left:
                self.say(f"  {sentence}")
        return NOT_DONE if self.troubles else 0


def add_yes(parser: ArgumentParser) -> None:
    parser.add_argument("--yes", action="store_true", help="do it without asking")


@contextmanager
def action(arguments: Namespace) -> Iterator[Action]:
    """Open what a verb works with.  Raises SettingsError and StoreUnavailable."""
    settings = read_settings()
    ensure_schema(settings.database)
    with MySqlStore(settings.database, pool_size=2) as store:
        broker = AlpacaBroker(settings.alpaca, RateLimiter(REQUESTS_PER_MINUTE))
        made = Action(
            store,
            broker,
            settings.database,
            Budget.of(settings.limits),
            settings.log.dir,
            arguments.json,
            quote_age_max=timedelta(seconds=settings.limits.quote_max_age_seconds),
            log_level=settings.log.level,
        )
        try:
            yield made
        except BrokerUnavailable as error:
            stands = "what was done stands" if made.is_agreed else "nothing was done"
            raise DcaError(f"{error}; {stands}, try again later") from error
        except KeyboardInterrupt:
            if made.is_agreed:
                log.error("interrupted: what was done stands, as dca status shows it")
            else:
                made.say("Nothing was done.")
            raise
