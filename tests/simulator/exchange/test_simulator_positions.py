"""A position belongs to a coin, whatever it was bought with; so does the cash of other pairs."""

from tests.helpers import eventually
from tests.simulator.sim_wire import Wire


def bought(wire: Wire, symbol: str, qty: str, price: str) -> None:
    order = wire.order(symbol=symbol, qty=qty, limit_price=price)
    eventually(lambda: wire.status(order["id"]) == "filled")


def test_pairs_of_one_coin_share_its_position(wire: Wire) -> None:
    wire.control("cash", currency="USDC", amount="1000", price="1")
    for symbol in ("BTC/USD", "BTC/USDC"):
        wire.quote("99", "100", symbol)
        bought(wire, symbol, "2", "100")
    found = {one["symbol"]: one["qty"] for one in wire.get("/v2/positions")}
    assert found == {"BTCUSD": "3.99", "USDCUSD": "800"}


def test_a_position_has_the_name_and_the_id_of_its_pair_in_usd_only(wire: Wire) -> None:
    wire.control("cash", currency="USDC", amount="1000", price="1")
    wire.quote("99", "100", "BTC/USDC")
    bought(wire, "BTC/USDC", "2", "100")
    pair, own = wire.get("/v2/assets/BTCUSDC"), wire.get("/v2/assets/BTCUSD")
    assert wire.get("/v2/positions/BTCUSD")["asset_id"] == own["id"]
    for name in ("BTCUSDC", pair["id"]):
        assert wire.call("GET", f"/v2/positions/{name}").status_code == 404


def test_cash_in_usdc_is_a_position_whose_rest_is_held_by_resting_buys(wire: Wire) -> None:
    wire.control("cash", currency="USDC", amount="1000", price="1")
    wire.order(symbol="BTC/USDC", qty="2", limit_price="100")
    position = wire.get("/v2/positions/USDCUSD")
    assert (position["qty"], position["qty_available"]) == ("1000", "800")
    assert wire.get("/v2/account")["cash"] == "100000"


def test_a_sale_for_usdc_is_paid_in_usdc_less_the_fee(wire: Wire) -> None:
    wire.control("cash", currency="BTC", amount="1", price="100")
    wire.quote("99", "100", "BTC/USDC")
    order = wire.order(symbol="BTC/USDC", side="sell", type="market", qty="1", limit_price=None)
    eventually(lambda: wire.status(order["id"]) == "filled")
    assert [one["symbol"] for one in wire.get("/v2/positions")] == ["USDCUSD"]
    assert wire.get("/v2/positions/USDCUSD")["qty"] == "98.7525"


def test_a_halted_asset_takes_no_orders_until_it_is_listed_again(wire: Wire) -> None:
    wire.control("assets", symbol="BTC/USD", tradable=False)
    assert wire.get("/v2/assets/BTCUSD")["tradable"] is False
    refused = wire.try_order(limit_price="50")
    assert refused.status_code == 422
    assert refused.json()["message"] == "asset BTC/USD is not active"
    wire.control("assets", symbol="BTC/USD", tradable=True)
    assert wire.try_order(limit_price="50").status_code == 200
