"""buy, adopt and release: coins come into the books and go, and each is counted as what it is."""

from datetime import timedelta
from decimal import Decimal

from dca_bot.program.clock import utc_now
from tests.commands.act.small_exchange import BTC, Desk
from tests.helpers import eventually
from tests.proofs.whole.auditor import rows


def test_an_extra_buy_uses_up_no_rung(desk: Desk) -> None:
    desk.add(BTC)
    desk.start_bot()
    before = desk.hold()
    desk.put(49_500)
    desk.dca("buy", BTC, "25")
    after = desk.cycle()
    assert desk.kinds() == ["base", "extra"]
    assert (after["safety_orders"], after["status"]) == (0, "watching")
    assert after["quantity"] > before["quantity"] * 2
    assert after["last_order_fill_price"] == 49_500
    assert desk.position() == after["quantity"]


def test_an_extra_buy_is_refused_where_it_makes_no_sense(desk: Desk) -> None:
    desk.add(BTC)
    done = desk.run("buy", BTC, "25", "--yes")
    assert (done.returncode, desk.orders()) == (1, [])
    assert "its base order comes by itself" in done.stderr
    desk.start_bot()
    desk.hold()
    desk.put(50_000)  # a fresh quote, however long the purchase took
    done = desk.run("buy", BTC, "5", "--yes")
    assert (done.returncode, desk.kinds()) == (1, ["base"])
    assert "below Alpaca's minimum of 10 USD" in done.stderr
    desk.put(50_000)
    done = desk.run("buy", BTC, "200001", "--yes")
    assert (done.returncode, desk.kinds(), done.stdout) == (1, ["base"], "")
    assert "above Alpaca's largest order of 200,000 USD: buy it in parts" in done.stderr
    desk.env["MAX_INVESTED"] = "30"
    desk.put(50_000)
    done = desk.run("buy", BTC, "25")
    assert (done.returncode, desk.kinds(), done.stdout) == (1, ["base"], "")
    assert "25.00 more would pass MAX_INVESTED of 30" in done.stderr


def test_an_extra_buy_is_at_the_price_of_the_answer_not_of_the_question(desk: Desk) -> None:
    desk.add(BTC)
    desk.start_bot()
    desk.hold()
    done = desk.agree_after(lambda: desk.put(50_300), "buy", BTC, "25")
    assert done.returncode == 0, done.stderr
    assert [order["limit_price"] for order in desk.orders()] == [50_000, 50_300]
    desk.put(49_900)
    done = desk.agree_after(lambda: desk.put(50_420), "buy", BTC, "25")  # below the take profit
    assert (done.returncode, len(desk.orders())) == (1, 2)
    assert "the ask has risen from 49,900.00 to 50,420.00" in done.stderr
    assert "BTC at 49,900.00 or below for 25.00 USD" in " ".join(done.stdout.split())


def test_an_old_quote_is_refused_before_the_question(desk: Desk) -> None:
    desk.add(BTC)
    desk.start_bot()
    desk.hold()
    at = (utc_now() - timedelta(minutes=1)).isoformat()
    desk.market.post("/sim/quote", {"symbol": BTC, "bid": "49500", "ask": "49500", "at": at})
    done = desk.run("buy", BTC, "25", typed="y\n")
    assert (done.returncode, done.stdout, desk.kinds()) == (1, "", ["base"])
    assert "too old by QUOTE_MAX_AGE_SECONDS" in done.stderr


def test_coins_of_another_rows_cycle_are_not_adopted(desk: Desk) -> None:
    desk.add(BTC)
    desk.start_bot()
    held = desk.hold()
    desk.sql("UPDATE dca_assets SET is_enabled = FALSE")
    desk.add("BTC/USDC")
    done = desk.run("adopt", "BTC/USDC", "--yes")
    assert done.returncode == 1
    assert f"cycle {held['id']} of BTC/USD holds BTC" in done.stderr
    assert desk.cycle() == held
    of_cycle = f"BTC/USD: {held['quantity'].normalize():f} BTC of its cycle {held['id']}"
    assert desk.dca("pause", "BTC/USDC")["left"] == [of_cycle]


def test_coins_that_changed_during_the_question_are_not_adopted(desk: Desk) -> None:
    desk.add(BTC)
    coin = {"symbol": BTC, "side": "buy", "qty": "0.01"}
    desk.market.post("/sim/trade", coin)
    done = desk.agree_after(lambda: desk.market.post("/sim/trade", coin), "adopt", BTC)
    assert (done.returncode, desk.orders()) == (1, [])
    assert "changed meanwhile" in done.stderr


def test_adopted_coins_are_sold_at_their_take_profit(desk: Desk) -> None:
    desk.add(BTC)
    desk.put(50_000)
    desk.market.post("/sim/trade", {"symbol": BTC, "side": "buy", "qty": "0.01"})
    desk.dca("adopt", BTC)
    cycle = desk.cycle()
    assert (cycle["average_purchase_price"], cycle["safety_orders"]) == (50_000, 0)
    assert cycle["quantity"] == desk.position() == Decimal("0.009975")
    assert desk.run("adopt", BTC, "--yes").returncode == 1
    desk.start_bot()

    def is_sold() -> bool:
        desk.put(50_500)
        return bool(desk.finished())

    eventually(is_sold, 30)
    assert desk.kinds() == ["adopted", "take_profit"]
    [result] = rows(desk.database, "SELECT net FROM dca_results")
    assert Decimal("3.5") < result["net"] < Decimal("5")


def test_released_coins_stay_at_alpaca_and_are_never_sold(desk: Desk) -> None:
    desk.add(BTC)
    desk.start_bot()
    held = desk.hold()["quantity"]
    desk.dca("pause")
    answer = desk.dca("release", BTC)
    assert answer["left"] == [f"BTC/USD: {held.normalize():f} BTC that aren't the bot's"]
    assert (desk.cycle()["quantity"], len(desk.finished())) == (0, 1)
    assert desk.dca("release", BTC)["done"][0].endswith("nothing is released")
    desk.dca("adopt", BTC)
    assert desk.cycle()["quantity"] == held
