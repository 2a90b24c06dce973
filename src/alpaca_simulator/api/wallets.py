"""/v2/wallets: deposit addresses, withdrawals to addresses that were allowed before."""

import hashlib
from decimal import Decimal
from typing import Any

from aiohttp import web

from alpaca_simulator.api.gate import json_answer
from alpaca_simulator.api.trading_query import read_object
from alpaca_simulator.clock import rfc3339_micros
from alpaca_simulator.decimals import wire
from alpaca_simulator.exchange.drafts import read_positive
from alpaca_simulator.exchange.ledger import OverdrawnError
from alpaca_simulator.exchange.rejections import (
    NOT_FOUND,
    Rejection,
    insufficient_balance,
    invalid,
)
from alpaca_simulator.exchange.settlement import transfer
from alpaca_simulator.world import World

CHAINS = {"BTC": "BTC", "SOL": "SOL", "LTC": "LTC", "DOGE": "DOGE", "BCH": "BCH"}
NETWORK_FEE = Decimal("0.0001")


class WalletsApi:
    """The calls."""

    def __init__(self, world: World) -> None:
        self._world = world

    def routes(self) -> list[web.RouteDef]:
        """The paths."""
        return [
            web.get("/v2/wallets", self.index),
            web.get("/v2/wallets/fees/estimate", self.estimate),
            web.get("/v2/wallets/transfers", self.transfers),
            web.post("/v2/wallets/transfers", self.withdraw),
            web.get("/v2/wallets/transfers/{id}", self.transfer),
            web.get("/v2/wallets/whitelists", self.whitelists),
            web.post("/v2/wallets/whitelists", self.allow),
            web.delete("/v2/wallets/whitelists/{id}", self.disallow),
        ]

    async def index(self, request: web.Request) -> web.Response:
        """Shows the wallet of a coin, or lists those of all coins."""
        asset = request.query.get("asset", "").partition("/")[0].upper()
        if asset:
            return json_answer(200, self._wallet(asset))
        coins = {one.base for one in self._world.assets.all()}
        return json_answer(200, [self._wallet(coin) for coin in sorted(coins)])

    def _wallet(self, coin: str) -> dict[str, Any]:
        account = self._world.exchange.account_id
        digest = hashlib.sha256(f"{account}:{CHAINS.get(coin, 'ETH')}".encode()).hexdigest()
        return {
            "address": f"0x{digest[:40]}",
            "chain": CHAINS.get(coin, "ETH"),
            "created_at": rfc3339_micros(self._world.exchange.account.created_at),
        }

    async def estimate(self, request: web.Request) -> web.Response:
        """What a withdrawal would cost."""
        return json_answer(200, {"fee": "0", "network_fee": wire(NETWORK_FEE)})

    async def transfers(self, request: web.Request) -> web.Response:
        """Lists the withdrawals."""
        return json_answer(200, list(self._world.belongings.transfers.values()))

    async def transfer(self, request: web.Request) -> web.Response:
        """Shows one."""
        found = self._world.belongings.transfers.get(request.match_info["id"])
        if found is None:
            raise Rejection(404, NOT_FOUND, "transfer not found")
        return json_answer(200, found)

    async def withdraw(self, request: web.Request) -> web.Response:
        """Sends coins away; they leave the account at once."""
        body = await read_object(request)
        coin, address = (str(body.get(name) or "") for name in ("asset", "address"))
        amount = read_positive(body.get("amount"), "amount")
        allowed = [one["address"] for one in self._world.belongings.whitelist.values()]
        if address not in allowed:
            raise Rejection(403, 40310000, "address is not whitelisted")
        exchange, now = self._world.exchange, self._world.clock.now()
        try:
            transfer(exchange.account, coin, -amount, price=Decimal(1), at=now)
        except OverdrawnError:
            ledger = exchange.account.ledger
            free, owned = ledger.free(coin), ledger.owned(coin)
            raise insufficient_balance(coin, amount, free, owned) from None
        made = {
            "amount": wire(amount),
            "asset": coin,
            "chain": CHAINS.get(coin, "ETH"),
            "created_at": rfc3339_micros(now),
            "direction": "OUTGOING",
            "fees": "0",
            "from_address": self._wallet(coin)["address"],
            "id": exchange.ids.uuid(),
            "network_fee": wire(NETWORK_FEE),
            "status": "COMPLETE",
            "to_address": address,
            "tx_hash": hashlib.sha256(f"{now}".encode()).hexdigest(),
            "usd_value": wire(amount * exchange.usd_price(coin)),
        }
        self._world.belongings.transfers[str(made["id"])] = made
        return json_answer(200, made)

    async def whitelists(self, request: web.Request) -> web.Response:
        """Lists the addresses that may be sent to."""
        return json_answer(200, list(self._world.belongings.whitelist.values()))

    async def allow(self, request: web.Request) -> web.Response:
        """Allows an address, at once."""
        body = await read_object(request)
        address, coin = body.get("address"), body.get("asset")
        if not isinstance(address, str) or not address or not isinstance(coin, str):
            raise invalid("address and asset are required")
        made = {
            "address": address,
            "asset": coin,
            "chain": CHAINS.get(coin, "ETH"),
            "created_at": rfc3339_micros(self._world.clock.now()),
            "id": self._world.exchange.ids.uuid(),
            "status": "APPROVED",
        }
        self._world.belongings.whitelist[made["id"]] = made
        return json_answer(200, made)

    async def disallow(self, request: web.Request) -> web.Response:
        """Takes an address off the list."""
        if self._world.belongings.whitelist.pop(request.match_info["id"], None) is None:
            raise Rejection(404, NOT_FOUND, "whitelisted address not found")
        return web.Response(status=204)
