"""Every error that we raise on purpose, each named by the reaction it asks for.

    DcaError                 the program ends: status 1, one line that says what to do
    ├ SettingsError          status 2: do not start again, a human must edit the settings
    ├ AlreadyRunning         status 0: another run of this script does the work
    ├ StoreUnavailable       wait, then try the whole piece of work again
    │ └ RowLocked            this asset waits, others go on
    ├ CycleChanged           somebody moved the row: reload and decide again
    │ └ AssetDeleted         its row is gone for good: updates of its orders change the orders alone
    ├ BrokerUnavailable      nothing was sent or learnt: change nothing, try later
    │ └ Unreadable           an answer that can't be taken at its word: it alone waits, others go on
    ├ OrderRefused           a clear no: nothing is working, pause the side that it was about
    │ └ OrderWithheld        ours, not Alpaca's: nothing was sent
    │   └ LossLimitReached   the day has lost enough: pause every asset
    ├ OrderOutcomeUnknown    the order may be working: ask by client_order_id, never resend
    ├ UnreadableRow          a row edited by hand: its asset stops until it is corrected
    └ IllegalTransition      our own mistake: this piece of work stops, others go on

Rule: a new class only for a new reaction.  Messages end with what to do next.
"""

from collections.abc import Iterable


class DcaError(Exception):
    """Something that a user can understand and act upon; the message is the whole story."""


class SettingsError(DcaError):
    """The settings are missing or unusable.  `problems` holds every mistake, not just the first."""

    def __init__(self, problems: str | Iterable[str], *, hint: str = "") -> None:
        self.problems = (problems,) if isinstance(problems, str) else tuple(problems)
        super().__init__("; ".join(self.problems) + (f": {hint}" if hint else ""))


class AlreadyRunning(DcaError):
    """Another run of the same script holds its lock.  Leave the work to it and end in peace."""


class StoreUnavailable(DcaError):
    """The database did not answer or gave up.  Nothing was committed: wait and try again."""


class RowLocked(StoreUnavailable):
    """Another connection keeps a row of this asset locked.  It waits; others go on."""


class CycleChanged(DcaError):
    """A compare-and-set found another row than was read.  Reload and decide again."""


class AssetDeleted(CycleChanged):
    """The asset has no row any more.  There is nothing to decide; its orders are still known."""


class BrokerUnavailable(DcaError):
    """Alpaca could not be asked.  Not knowing is not the same as nothing: change nothing."""


class Unreadable(BrokerUnavailable):
    """Alpaca said something about an order or the account that can't be taken at its word.

    Ask for the order by `client_order_id`, or look at all orders of `symbol`, or at everything:
    whatever of the two is known stands in these attributes, "" if it isn't.
    """

    def __init__(self, problem: str, *, client_order_id: str = "", symbol: str = "") -> None:
        self.problem = problem
        self.client_order_id, self.symbol = client_order_id, symbol
        named = [name for name in (symbol, client_order_id) if name]
        super().__init__(": ".join([*named, f"{problem}; asking Alpaca again settles it"]))


class OrderRefused(DcaError):
    """Alpaca said no.  Nothing is working; the cycle may go back to watching.

    `side` is that of the order: "buy" or "sell".  `needs_cash`: the account is short of it.
    `limit`: the setting that holds the BUY up.
    """

    def __init__(
        self, message: str, *, side: str, needs_cash: bool = False, limit: str = ""
    ) -> None:
        self.side, self.needs_cash, self.limit = side, needs_cash, limit
        super().__init__(message)


class OrderWithheld(OrderRefused):
    """We said no ourselves, and nothing was sent: it says nothing of Alpaca's rules."""


class LossLimitReached(OrderWithheld):
    """The day has lost as much as it may: every asset is paused until a human says otherwise."""


class OrderOutcomeUnknown(DcaError):
    """No clear answer, so the order may be working.  Ask by client_order_id; never resend."""


class UnreadableRow(DcaError):
    """A row holds what the bot can't work with, by somebody's hand.  It is left alone and
    reported; others go on."""


class IllegalTransition(DcaError):
    """A cycle was to do what its status does not allow: `core/transition.py` has every move.
    Nothing is written."""
