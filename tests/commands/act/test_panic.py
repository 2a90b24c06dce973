"""panic: everything of the bot's is sold, nothing else, also through an outage and a crash."""

import os
import signal
from decimal import Decimal
from pathlib import Path

from tests.commands.act.small_exchange import BTC, Desk
from tests.helpers import eventually, locked_asset

ETH = "ETH/USD"


def holding_both(desk: Desk) -> None:
    desk.add(BTC, ETH)
    desk.start_bot()
    desk.hold()
    desk.hold(symbol=ETH)


def test_panic_sells_what_all_cycles_own_and_pauses_all(desk: Desk) -> None:
    holding_both(desk)
    desk.market.post("/sim/trade", {"symbol": "SOL/USD", "side": "buy", "qty": "1"})
    desk.market.post("/sim/trade", {"symbol": ETH, "side": "buy", "qty": "0.5"})
    answer = desk.dca("panic")
    assert desk.allowed() == {BTC: "exit", ETH: "exit"}
    assert desk.position() == 0
    assert desk.position(ETH) > Decimal("0.49")
    assert desk.position("SOL/USD") > 0
    assert sorted(desk.kinds()) == ["base", "base", "close", "close"]
    [foreign] = answer["left"]
    assert foreign.endswith("ETH that aren't the bot's")
    desk.put(40_000, BTC, ETH)
    assert desk.dca("panic")["left"] == [foreign]
    assert sorted(desk.kinds()) == ["base", "base", "close", "close"]


def test_panic_keeps_trying_while_alpaca_is_away_and_buys_nothing_meanwhile(desk: Desk) -> None:
    holding_both(desk)
    desk.market.post("/sim/faults", {"name": "server_error", "params": {"status": 503}})
    panic = desk.start("panic", "--yes", "--json")
    eventually(lambda: desk.allowed() == {BTC: "exit", ETH: "exit"}, 30)
    desk.put(40_000, BTC, ETH)
    assert panic.poll() is None
    desk.market.post("/sim/faults", {"name": "server_error", "on": False})

    def is_over() -> bool:
        desk.put(40_000, BTC, ETH)
        return panic.poll() is not None

    eventually(is_over, 60)
    assert panic.returncode == 0
    assert (desk.position(), desk.position(ETH)) == (0, 0)
    assert sorted(desk.kinds()) == ["base", "base", "close", "close"]


def test_a_panic_that_is_killed_goes_on_when_it_is_repeated(desk: Desk) -> None:
    holding_both(desk)
    desk.market.post("/sim/hold", {})
    panic = desk.start("panic", "--yes", "--json")
    eventually(lambda: "sell" in [each["side"] for each in desk.open_orders()], 30)
    panic.send_signal(signal.SIGKILL)
    panic.wait(10)
    desk.market.post("/sim/release", {})
    assert desk.dca("panic")["left"] == []
    # what it had written when it was killed, and Alpaca never got, is given up and written anew
    filled = [order for order in desk.orders() if order["filled_quantity"] > 0]
    assert sorted(order["kind"] for order in filled) == ["base", "base", "close", "close"]


def test_two_at_once_sell_once(desk: Desk) -> None:
    holding_both(desk)
    commands = [desk.start(*words, "--yes") for words in (["panic"], ["close", BTC], ["panic"])]
    assert [command.wait(60) for command in commands] == [0, 0, 0]
    assert (desk.position(), desk.position(ETH)) == (0, 0)
    filled = [order for order in desk.orders() if order["filled_quantity"] > 0]
    assert sorted(order["kind"] for order in filled) == ["base", "base", "close", "close"]


def test_a_row_that_cannot_be_read_is_named_and_stops_no_other(desk: Desk) -> None:
    holding_both(desk)
    number = desk.cycle()["id"]
    desk.sql(f"UPDATE dca_cycles SET status = 'paused' WHERE id = {number}")  # noqa: S608
    answer = desk.dca("panic", status=1)
    assert desk.allowed()[ETH] == "exit"
    assert desk.position(ETH) == 0
    [trouble] = answer["troubles"]
    assert trouble.startswith("BTC/USD: ")
    assert "paused" in trouble
    [left] = answer["left"]
    assert left.startswith("BTC/USD: 0.000399 BTC; ")
    assert "dca_cycles" in left


def test_a_row_that_somebody_locks_waits_alone(desk: Desk) -> None:
    holding_both(desk)
    with locked_asset(desk.database, BTC):
        panic = desk.start("panic", "--yes", "--json")
        eventually(lambda: len(desk.finished()) == 1, 60)
        assert panic.poll() is None
    assert panic.wait(60) == 0
    assert (desk.position(), desk.allowed()) == (0, {BTC: "exit", ETH: "exit"})


def test_the_plan_has_the_bots_own_prices_and_waits_for_no_answer_of_alpaca(desk: Desk) -> None:
    holding_both(desk)

    def plan() -> str:
        return " ".join(desk.run("panic", typed="n\n").stdout.split())

    eventually(lambda: plan().count("(bid 50,000.00)") == 2, 30)
    desk.market.post("/sim/faults", {"name": "server_error", "params": {"status": 503}})
    assert plan().count("(bid 50,000.00)") == 2


def test_a_panic_goes_on_though_nobody_hears_it_any_more(desk: Desk) -> None:
    holding_both(desk)
    reader, writer = os.pipe()
    os.close(reader)  # as after `dca panic --yes | head -1`
    with os.fdopen(writer, "w") as unheard:
        desk.start_unheard("panic", "--yes", output=unheard).wait(60)
    assert set(desk.allowed().values()) == {"exit"}
    assert desk.kinds().count("close") == 2


def test_a_panic_goes_on_though_its_terminal_is_gone(desk: Desk) -> None:
    holding_both(desk)

    def is_paused() -> None:
        eventually(lambda: set(desk.allowed().values()) == {"exit"}, 30)

    desk.market.post("/sim/faults", {"name": "server_error", "params": {"status": 503}})
    panic = desk.agree_and_leave(is_paused, "panic")
    desk.market.post("/sim/faults", {"name": "server_error", "on": False})
    assert panic.wait(60) == 0
    assert desk.kinds().count("close") == 2
    [*_, last] = (Path(desk.env["LOG_DIR"]) / "dca.log").read_text().splitlines()
    assert last.endswith("left at Alpaca: nothing")
