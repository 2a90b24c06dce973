"""Keeps the run away from real money and from what is not its own, and puts the account back.

Rule: what was there before the run is never touched, except by --wipe-account; what cannot be put
back is said in one line with what to do.
"""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

from dca_bot.program.errors import BrokerUnavailable, DcaError
from dca_bot.program.setting_groups import AlpacaSettings
from dca_bot.program.setting_values import is_this_machine
from dca_integration.account import PAPER_HOST, PaperAccount, plain
from dca_integration.interruption import Interruption
from dca_integration.report import Report

CLEAN_SECONDS = 60.0
LOOK_SECONDS = 0.7
# What Alpaca lists lags behind what has just happened, so one empty list proves nothing.
EMPTY_LOOKS = 2
LISTED_MAX = 5


def refuse_real_money(alpaca: AlpacaSettings) -> None:
    """Raise DcaError unless the orders go to Alpaca's paper host or to this very machine."""
    host = (urlsplit(alpaca.base_url).hostname or "").rstrip(".")
    if host == PAPER_HOST or is_this_machine(host):
        return
    what = "trades real money" if alpaca.is_live else "is not Alpaca's paper host"
    raise DcaError(
        f"APCA_API_BASE_URL names {host}, which {what}: integration_test.py runs on "
        f"https://{PAPER_HOST} only, or with --simulated"
    )


class Guard:
    """Watches over one account; `symbols` are those that the run trades."""

    def __init__(
        self,
        account: PaperAccount,
        symbols: tuple[str, ...],
        report: Report,
        interruption: Interruption,
        *,
        clean_seconds: float = CLEAN_SECONDS,
    ) -> None:
        self._account = account
        self._symbols = symbols
        self._report = report
        self._interruption = interruption
        self._clean_seconds = clean_seconds
        self._was_seen_empty = False  # only then all that is found later was left by this run

    def refuse_what_is_there(self) -> None:
        """Raise DcaError when the account holds anything."""
        found = [str(each) for each in self._account.positions()]
        found += [str(each) for each in self._account.open_orders()]
        if not found:
            self._was_seen_empty = True
            return
        more = f" and {len(found) - LISTED_MAX} more" if len(found) > LISTED_MAX else ""
        raise DcaError(
            f"the account on {self._account.host} holds {'; '.join(found[:LISTED_MAX])}{more}: "
            "use an empty paper account, or let --wipe-account cancel and sell all of it"
        )

    def wipe(self) -> None:
        """Cancel every order and sell every position; raise DcaError when something stays."""
        left = self._clean(lambda _symbol: True)
        if left:
            raise DcaError(
                f"--wipe-account could not remove {'; '.join(left)}: do it on Alpaca's site"
            )
        self._was_seen_empty = True

    def put_back(self) -> None:
        """Cancel and sell what this run has left; raise DcaError when something stays."""
        left = self._clean(self._is_ours) if self._was_seen_empty else []
        if left:
            raise DcaError(
                f"still on the account after {self._clean_seconds:.0f} s: {'; '.join(left)}: "
                "cancel or sell it on Alpaca's site"
            )

    def _is_ours(self, symbol: str) -> bool:
        return plain(symbol) in map(plain, self._symbols)

    def _clean(self, is_meant: Callable[[str], bool]) -> list[str]:
        """Orders first: an open one holds coins back (docs/alpaca.md 1.6, 1.7)."""
        left: list[str] = ["what the account holds is not known"]
        empty_looks = 0

        def is_clean() -> bool:
            nonlocal empty_looks
            try:
                left[:] = self._clean_once(is_meant)
            except BrokerUnavailable as trouble:
                left[:] = [f"what the account holds is not known ({trouble})"]
            empty_looks = 0 if left else empty_looks + 1
            return empty_looks == EMPTY_LOOKS

        self._interruption.wait(is_clean, self._clean_seconds, every=LOOK_SECONDS)
        return left

    def _clean_once(self, is_meant: Callable[[str], bool]) -> list[str]:
        """Ask for the end of what is there; what was found."""
        orders = [each for each in self._account.open_orders() if is_meant(each.symbol)]
        positions = [each for each in self._account.positions() if is_meant(each.symbol)]
        for order in orders:
            self._try(f"cancel {order}", self._account.cancel, order.order_id)
        for position in [] if orders else positions:
            self._try(f"sell {position}", self._account.sell_all, position.symbol)
        return [str(order) for order in orders] + [str(position) for position in positions]

    def _try(self, what: str, do: Callable[[str], None], name: str) -> None:
        try:
            do(name)
        except BrokerUnavailable as refusal:
            # it may have ended by itself; the next look tells
            self._report.step(f"{what}: {refusal}")
        else:
            self._report.step(what)
