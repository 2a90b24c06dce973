"""How an order whose intent is committed is sent.  Rule: no lock is held while Alpaca is asked, and
the books are in order however the request ends.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from dca_bot.core.model import Asset, Order, OrderStatus, OrderUpdate
from dca_bot.program.clock import OFFSET_MAX, Clock
from dca_bot.program.errors import BrokerUnavailable, OrderRefused
from dca_bot.trading.cash import Cash
from dca_bot.trading.ports import Broker

# How old an intent may be when its request begins.  A process that stood still after the commit (a
# suspended machine, SIGSTOP) wakes up when others may have given its order up, and bought.
SEND_WITHIN = timedelta(seconds=5)
Conclude = Callable[[Order, OrderStatus, str], None]


class Sender:
    """Safe to call from several threads, one per asset.  `conclude` is `Books.conclude`."""

    def __init__(self, broker: Broker, conclude: Conclude, cash: Cash, clock: Clock) -> None:
        self._broker = broker
        self._conclude = conclude
        self._cash = cash
        self._clock = clock

    def send(self, asset: Asset, order: Order) -> OrderUpdate:
        """Send the order; when it was refused or can't have been sent, put the books right.

        Raises OrderRefused, BrokerUnavailable (nothing was sent) and OrderOutcomeUnknown.
        """
        try:
            if (age := self._clock() - order.created_at) > SEND_WITHIN:
                raise BrokerUnavailable(
                    f"order not sent: {age.total_seconds():.0f} s went by after it was decided"
                )
            if abs(off := self._broker.clock_offset) > OFFSET_MAX:
                raise BrokerUnavailable(
                    f"order not sent: this machine's clock is {abs(off).total_seconds():.0f} s off "
                    "Alpaca's; set it right (timedatectl)"
                )
            update = self._broker.submit(order, asset.symbol)
        except OrderRefused as refusal:
            if refusal.needs_cash:
                self._cash.is_short(asset)
            self._conclude(order, OrderStatus.REJECTED, str(refusal))
            raise
        except BrokerUnavailable as error:
            self._conclude(order, OrderStatus.LOST, str(error))
            raise
        self._cash.sufficed(asset)
        return update
