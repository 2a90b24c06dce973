"""The pairs that can be traded: what /v2/assets says about them, and where their prices start.

All 73 pairs of Alpaca, with the ids, names and minimums of 2026-09-18, stand in pairs.csv; every
rule can be edited through the control API, as they move on the real exchange too.
"""

import csv
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal
from pathlib import Path

INCREMENT = Decimal("0.000000001")  # of every pair in 2026 (docs/alpaca.md 1.3)


@dataclass(frozen=True, slots=True)
class Asset:
    """One pair and its rules."""

    id: str
    symbol: str
    name: str
    min_order_size: Decimal
    min_trade_increment: Decimal = INCREMENT
    price_increment: Decimal = INCREMENT
    status: str = "active"
    tradable: bool = True
    fractionable: bool = True

    @property
    def base(self) -> str:
        """The coin that is bought and sold."""
        return self.symbol.partition("/")[0]

    @property
    def quote(self) -> str:
        """The currency that it is priced in."""
        return self.symbol.partition("/")[2]

    @property
    def compact(self) -> str:
        """The spelling without slash, as positions have it (docs/alpaca.md 1.4)."""
        return self.symbol.replace("/", "")

    def to_wire(self) -> dict[str, object]:
        """Writes the asset as recorded/assets_crypto_2026-09.json has it."""
        return {
            "id": self.id,
            "class": "crypto",
            "exchange": "CRYPTO",
            "symbol": self.symbol,
            "name": self.name,
            "status": self.status,
            "tradable": self.tradable,
            "marginable": False,
            "maintenance_margin_requirement": 100,
            "margin_requirement_long": "100",
            "margin_requirement_short": "100",
            "shortable": False,
            "easy_to_borrow": False,
            "fractionable": self.fractionable,
            "attributes": ["fractional_eh_enabled"] if self.fractionable else [],
            "min_order_size": _plain(self.min_order_size),
            "min_trade_increment": _plain(self.min_trade_increment),
            "price_increment": _plain(self.price_increment),
        }


def _plain(number: Decimal) -> str:
    return f"{number.normalize():f}"


PAIRS = Path(__file__).with_name("pairs.csv")


def _known_rows() -> list[dict[str, str]]:
    with PAIRS.open(newline="") as lines:
        return list(csv.DictReader(lines))


def known_assets() -> list[Asset]:
    """The pairs that a fresh simulator offers."""
    return [
        Asset(
            row["id"],
            row["symbol"],
            row["name"],
            Decimal(row["min_order_size"]),
            fractionable=row["symbol"] != "SHIB/USDT",  # the only one (docs/alpaca.md 1.3)
        )
        for row in _known_rows()
    ]


def start_prices() -> dict[str, Decimal]:
    """Where the random walk of each known pair begins."""
    return {row["symbol"]: Decimal(row["start_price"]) for row in _known_rows()}


def invented_asset(symbol: str, price: Decimal) -> Asset:
    """Given a pair that Alpaca may not have, makes an asset with a stable id of its own."""
    return Asset(
        id=str(uuid.uuid5(uuid.NAMESPACE_URL, f"simulator:{symbol}")),
        symbol=symbol,
        name=f"{symbol} pair",
        min_order_size=(1 / price).quantize(INCREMENT, ROUND_DOWN),
    )


class AssetBook:
    """The assets by symbol, by compact spelling and by id."""

    def __init__(self, assets: Iterable[Asset]) -> None:
        self._by_symbol: dict[str, Asset] = {}
        self._aliases: dict[str, str] = {}
        for asset in assets:
            self.put(asset)

    def put(self, asset: Asset) -> None:
        """Adds an asset, or replaces the one of the same symbol."""
        self._by_symbol[asset.symbol] = asset
        for alias in (asset.symbol, asset.compact, asset.id):
            self._aliases[alias] = asset.symbol

    def find(self, name: str) -> Asset | None:
        """Given `BTC/USD`, `BTCUSD` or an id, returns the asset."""
        symbol = self._aliases.get(name)
        return None if symbol is None else self._by_symbol[symbol]

    def all(self) -> list[Asset]:
        """Every asset, in the order of arrival."""
        return list(self._by_symbol.values())

    def of_coin(self, coin: str) -> Asset | None:
        """Given a coin, returns the pair that stands for its position: the one in USD first."""
        against_usd = self._by_symbol.get(f"{coin}/USD")
        pairs = (asset for asset in self._by_symbol.values() if asset.base == coin)
        return against_usd or next(pairs, None)
