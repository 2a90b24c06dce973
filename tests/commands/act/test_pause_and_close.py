"""pause, resume, finish and close, beside a bot that runs and one that is down."""

import json
from decimal import Decimal

from tests.commands.act.small_exchange import BTC, Desk
from tests.helpers import add_samples, eventually
from tests.proofs.whole.busy import new_line


def test_a_running_bot_buys_nothing_once_it_is_paused(desk: Desk) -> None:
    desk.add(BTC)
    desk.start_bot()
    desk.hold()
    said = new_line(desk.bot, "paused")
    answer = desk.dca("pause", BTC)
    assert answer["left"][0].startswith("BTC/USD: 0.000399 BTC of cycle 1")
    eventually(said)
    desk.put(45_000)
    desk.put(50_600)  # the take profit

    def is_sold() -> bool:
        desk.put(50_600)
        return bool(desk.finished())

    eventually(is_sold)
    assert desk.kinds() == ["base", "take_profit"]
    assert desk.dca("resume", BTC)["done"] == ["BTC/USD trades without restriction"]
    assert desk.allowed() == {BTC: "all"}
    desk.sql("UPDATE dca_cycles SET status = 'watching' WHERE status = 'cooldown'")

    def buys_again() -> bool:
        desk.put(50_600)
        return desk.kinds() == ["base", "take_profit", "base"]

    eventually(buys_again)


def test_a_pause_without_a_bot_cancels_what_rests_and_can_be_repeated(desk: Desk) -> None:
    desk.add(BTC)
    desk.market.post("/sim/hold", {})
    desk.put(50_000)
    desk.start_bot()

    def rests() -> bool:
        desk.put(50_000)
        return desk.cycle()["latest_order_id"] is not None

    eventually(rests)
    desk.bot.kill()
    answer = desk.dca("pause")
    assert answer["done"][1:] == ["BTC/USD: no BUY rests at Alpaca any more"]
    assert (desk.open_orders(), answer["left"]) == ([], [])
    assert desk.cycle()["status"] == "watching"
    again = desk.dca("pause")
    assert again["done"] == ["BTC/USD is already paused: no BUYs, take profits go on"]


def test_finish_lets_the_cycle_buy_its_safety_orders_and_begins_none(desk: Desk) -> None:
    desk.add(BTC)
    desk.start_bot()
    desk.hold()
    desk.dca("finish")
    assert desk.allowed() == {BTC: "cycle"}

    def adds() -> bool:
        desk.put(49_000)
        return desk.cycle()["safety_orders"] == 1

    eventually(adds)
    desk.sql("UPDATE dca_assets SET cooldown_period = 0")

    def ends() -> bool:
        desk.put(60_000)
        return bool(desk.finished())

    eventually(ends)
    desk.sql("UPDATE dca_cycles SET status = 'watching' WHERE status = 'cooldown'")
    assert desk.kinds() == ["base", "safety", "take_profit"]


def test_close_sells_what_the_cycle_holds_and_pauses(desk: Desk) -> None:
    desk.add(BTC)
    desk.start_bot()
    held = desk.hold()["quantity"]
    desk.put(49_500)
    answer = desk.dca("close", "btc")
    assert answer["left"] == []
    assert desk.position() == 0
    [done] = desk.finished()
    [_, sale] = desk.orders()
    assert (sale["kind"], sale["status"], sale["filled_quantity"]) == ("close", "filled", held)
    assert (done["quantity"], desk.cycle()["status"]) == (0, "cooldown")
    assert desk.allowed() == {BTC: "exit"}
    again = desk.dca("close", BTC)
    assert again["done"][-1] == "BTC/USD: its cycle holds nothing any more"
    assert len(desk.orders()) == 2
    assert "allowed" in desk.events()


def test_close_sells_nothing_that_is_not_the_cycles(desk: Desk) -> None:
    desk.add(BTC)
    desk.start_bot()
    held = desk.hold()["quantity"]
    desk.bot.end()
    desk.market.post("/sim/trade", {"symbol": BTC, "side": "buy", "qty": "0.5"})
    before = desk.position()
    answer = desk.dca("close", BTC)
    assert before - desk.position() == held
    assert desk.position() > Decimal("0.49")
    assert answer["left"][0].endswith("that aren't the bot's")


def test_close_ends_a_buy_that_is_part_filled_and_sells_the_part(desk: Desk) -> None:
    desk.add(BTC)
    desk.market.post("/sim/hold", {})
    desk.start_bot()

    def rests() -> str:
        desk.put(50_000)
        return str(desk.cycle()["latest_order_id"] or "")

    order_id = eventually(rests)
    desk.market.post(f"/sim/orders/{order_id}/fill", {"qty": "0.0003"})
    closing = desk.start("close", BTC, "--yes", "--json")
    eventually(lambda: [each["side"] for each in desk.open_orders()] == ["sell"], 30)
    desk.market.post("/sim/release", {})
    assert closing.wait(60) == 0
    assert (desk.position(), desk.kinds()) == (0, ["base", "close"])
    [_, sale] = desk.orders()
    assert sale["filled_quantity"] == Decimal("0.00029925")


def test_what_nobody_agreed_to_is_not_done(desk: Desk) -> None:
    desk.add(BTC)
    done = desk.run("close", BTC)
    assert done.returncode == 2
    assert "--yes" in done.stderr
    assert desk.allowed() == {BTC: "all"}


def test_a_typo_beside_the_right_row_does_not_hide_it(desk: Desk) -> None:
    desk.add(BTC)
    add_samples(desk.database, "BTCUSD")
    desk.dca("pause", BTC)
    assert desk.allowed() == {BTC: "exit", "BTCUSD": "all"}


def test_an_unknown_symbol_is_a_wrong_call(desk: Desk) -> None:
    desk.add(BTC)
    done = desk.run("close", "DOGE/USD", "--yes")
    assert (done.returncode, done.stdout) == (2, "")
    assert "it has BTC/USD" in done.stderr


def test_what_is_paused_is_reported_by_status_and_why(desk: Desk) -> None:
    desk.add(BTC, "ETH/USD")
    desk.start_bot()
    desk.hold()
    desk.dca("pause", "ETH/USD")
    assert "ETH/USD is paused" in desk.run("status").stdout
    desk.dca("pause")
    assert json.loads(desk.run("status", "--json").stdout)["health"] == "PAUSED"
    assert "exit" in desk.run("why", BTC).stdout
    desk.dca("resume")
    assert json.loads(desk.run("status", "--json").stdout)["health"] != "PAUSED"


def test_resume_gives_back_what_was_before_the_pause_of_all(desk: Desk) -> None:
    eth, sol, ltc = "ETH/USD", "SOL/USD", "LTC/USD"
    desk.add(BTC, eth, sol, ltc)
    desk.dca("pause", eth)
    desk.dca("finish", sol)
    desk.dca("pause")
    desk.dca("close", ltc)
    assert set(desk.allowed().values()) == {"exit"}
    asked = desk.run("resume", typed="n\n").stdout
    assert "From now on BTC/USD trades without restriction" in asked
    assert "From now on SOL/USD ends its running cycle" in asked
    assert f"{eth} is paused" in asked
    for _ in range(2):
        done = desk.dca("resume")["done"]
        assert desk.allowed() == {BTC: "all", eth: "exit", sol: "cycle", ltc: "exit"}
    assert [each for each in done if "`dca resume ETH/USD`" in each]
    desk.dca("resume", eth)
    assert desk.allowed()[eth] == "all"


def test_a_question_that_is_answered_with_yes_is_done(desk: Desk) -> None:
    desk.add(BTC)
    refused = desk.run("pause", typed="n\n")
    assert (refused.returncode, desk.allowed()) == (1, {BTC: "all"})
    agreed = desk.run("pause", typed="y\n")
    assert (agreed.returncode, desk.allowed()) == (0, {BTC: "exit"})
    assert "From now on BTC/USD is paused" in agreed.stdout


def test_a_row_that_cannot_be_read_stops_no_other_pause(desk: Desk) -> None:
    desk.add(BTC, "ETH/USD")
    desk.start_bot()
    number = desk.hold()["id"]
    desk.sql(f"UPDATE dca_cycles SET status = 'nonsense' WHERE id = {number}")  # noqa: S608
    answer = desk.dca("pause", status=1)
    assert desk.allowed()["ETH/USD"] == "exit"
    [trouble] = answer["troubles"]
    assert trouble.startswith("BTC/USD is as it was: ")
