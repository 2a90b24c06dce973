"""The pairs that can be traded: what /v2/assets says about them, and where their prices start.

Ids, names and minimums are those of 2026-09-18 (docs/alpaca.md 1.3); every rule can be edited
through the control API, as they move on the real exchange too.
"""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from alpaca_simulator.decimals import NINE_PLACES, round_down, wire


@dataclass(frozen=True, slots=True)
class Asset:
    """One pair and its rules."""

    id: str
    symbol: str
    name: str
    min_order_size: Decimal
    min_trade_increment: Decimal = NINE_PLACES
    price_increment: Decimal = NINE_PLACES
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
            "min_order_size": wire(self.min_order_size),
            "min_trade_increment": wire(self.min_trade_increment),
            "price_increment": wire(self.price_increment),
        }


# symbol, name, id, min_order_size, start price
_KNOWN = """
AAVE/USD,Aave / US Dollar,8588af33-3a8e-4a09-bb6c-ba4226dc7aff,0.007647598,130
AVAX/USD,Avalanche / US Dollar,0515189d-1933-4a94-89ce-4e9a24356d58,0.130792338,7.6
BCH/USD,Bitcoin Cash / US Dollar,f0a05db3-5c93-4524-8a32-2f2b8d4f12fc,0.004224168,236
BTC/USD,Bitcoin  / US Dollar,276e2673-764b-4ab6-a611-caf665ca6340,0.000013047,76600
BTC/USDC,Bitcoin / USD Coin,e88ec72e-9707-4aac-8e33-86291e5f2b4a,0.000012957,76610
BTC/USDT,Bitcoin / USD Tether,c150e086-1e75-44e6-9c2c-093bb1e93139,0.000012603,76590
DOGE/USD,Dogecoin / US Dollar,03e005f7-4bfc-4616-b1b0-225dd64074fa,12.148645972,0.0851
DOT/USD,Polkadot / US Dollar,764fb9f4-14a1-4c93-bcf9-6a460029143d,0.90950432,1.1
ETH/BTC,Ethereum / Bitcoin ,47d0ce51-247b-483b-908a-b62dfbcb957e,36.390366742,0.032
ETH/USD,Ethereum / US Dollar,a1733398-6acc-4e92-af24-0d0667f78713,0.000407123,2450
ETH/USDC,Ethereum / USD Coin,30c8659a-9a9b-42c8-a093-2673ce98f875,0.000400605,2451
ETH/USDT,Ethereum / USD Tether,08b74a3d-9046-4e8f-abbc-8af9f4e5cad7,0.000404601,2449
LINK/USD,Chainlink / US Dollar,faf30512-0c0d-4ff8-a7a0-169c747d1e9c,0.0869555,11.5
LTC/BTC,Litecoin / Bitcoin ,a9897852-02eb-444a-80fa-ff2a2d329643,113.170948112,0.00071
LTC/USD,Litecoin / US Dollar,19c466e7-e8f7-43e0-a8c5-f17ec9f5de8d,0.018439977,54.2
PEPE/USD,Pepe / US Dollar,91c9fb26-c2f6-4199-bc01-2c37db5b592b,274725.274725274,0.00000364
SHIB/USD,Shiba Inu / US Dollar,80d871ac-7a59-48b1-b71d-760d5a6876c6,192307.692307692,0.0000052
SHIB/USDT,Shib USD Tether,bce5b2e7-0678-4b81-9607-4a997471fc92,86880.973066898,0.0000052
SOL/USD,Solana / US Dollar,9226ef75-ba41-4a4b-a1b4-96e1a1b818f0,0.009762764,102.4
UNI/USD,Uniswap / US Dollar,39d2df3b-4273-46a9-956d-c23634be1e38,0.125062531,8
USDC/USD,USDC/USD pair,38f8a0a4-399c-4f5a-8c0d-7435faef70d1,1.00050025,0.9998
USDT/USD,USD Tether / US Dollar,541b0d67-c2c7-4135-ac31-ff2aa6c0dd71,1.001562437,1.0002
XRP/USD,Ripple / US Dollar,85cbcac6-e08c-4516-a635-ebbd6515ccd3,0.766283524,1.3
"""


def _known_rows() -> list[list[str]]:
    return [line.split(",") for line in _KNOWN.strip().splitlines()]


def known_assets() -> list[Asset]:
    """The pairs that a fresh simulator offers."""
    return [
        Asset(asset_id, symbol, name, Decimal(smallest), fractionable=symbol != "SHIB/USDT")
        for symbol, name, asset_id, smallest, _ in _known_rows()
    ]


def start_prices() -> dict[str, Decimal]:
    """Where the random walk of each known pair begins."""
    return {symbol: Decimal(price) for symbol, *_, price in _known_rows()}


def invented_asset(symbol: str, price: Decimal) -> Asset:
    """Given a pair that Alpaca may not have, makes an asset with a stable id of its own."""
    return Asset(
        id=str(uuid.uuid5(uuid.NAMESPACE_URL, f"simulator:{symbol}")),
        symbol=symbol,
        name=f"{symbol} pair",
        min_order_size=round_down(1 / price, NINE_PLACES),
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
