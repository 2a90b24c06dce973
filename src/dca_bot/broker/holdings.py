"""Positions by coin.  Rule: whose a position is, is looked up and never guessed.

Alpaca spells a pair BTC/USD in one place and BTCUSD in another (docs/alpaca.md 1.4), and lists only
what is active.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from dca_bot.broker import translate
from dca_bot.broker.translate import Unreadable
from dca_bot.core.holdings import Holdings
from dca_bot.core.model import Holding
from dca_bot.program.errors import DcaError

UNKNOWN = ""


class AssetNames:
    """Alpaca's names for its pairs, as far as they have been asked for.

    `ask_for_all` ends in `learn`; `ask_for_one` returns the asset with an id, None if there is
    none.  Both raise BrokerUnavailable, and so does what needs them.
    """

    def __init__(
        self, *, ask_for_all: Callable[[], object], ask_for_one: Callable[[str], Any]
    ) -> None:
        self._ask_for_all, self._ask_for_one = ask_for_all, ask_for_one
        self._pairs: Mapping[str, str] = {}

    def learn(self, raw_assets: Any) -> None:
        """Take in the list of assets."""
        self._pairs = translate.symbols_by_name(raw_assets)

    def pair(self, name: str) -> str:
        """The pair in slash form; "" when no list has it."""
        if not self._pairs:
            self._ask_for_all()
        return self._pairs.get(name, UNKNOWN)

    def holdings(self, raw_positions: Any) -> Holdings:
        """Item by item: a position that can't be read says nothing about the others."""
        readable: dict[str, Holding] = {}
        unreadable: dict[str, str] = {}
        positions = translate.crypto_only(raw_positions, "positions")
        if positions and not self._pairs:
            self._ask_for_all()
        for position in positions:
            coin = coin_in_name(position)
            try:
                coin = self._pair_of(position).partition("/")[0]
                held = translate.holding(position, coin)
                if coin in readable:
                    raise Unreadable("a second position in the same coin", symbol=coin)
                readable[coin] = held
            except DcaError as error:
                unreadable[coin] = str(error)
        return Holdings(readable, unreadable)

    def _pair_of(self, position: Mapping[str, Any]) -> str:
        """A coin that is no longer active stands in no list, but can be asked for by its id."""
        asset_id, name = str(position.get("asset_id")), str(position.get("symbol"))
        found = self._pairs.get(asset_id) or self._pairs.get(name)
        if found is None and asset_id not in self._pairs:
            asset = self._ask_for_one(asset_id)
            found = translate.symbols_by_name([asset]).get(asset_id) if asset else None
            self._pairs = {**self._pairs, asset_id: found or UNKNOWN}
        if not found:
            raise Unreadable("a position in an asset that Alpaca can't name", symbol=name)
        return found


def coin_in_name(position: Mapping[str, Any]) -> str:
    """The coin that a position names as Alpaca spells it there ("MKRUSD"); "" if none.

    Only good for saying whose position can't be read.
    """
    name = position.get("symbol")
    if not isinstance(name, str):
        return ""
    if "/" in name:
        return name.partition("/")[0]
    paid_with = (each for each in ("USDC", "USDT", "USD", "BTC") if name.endswith(each))
    return name.removesuffix(next(paid_with, "")) or name
