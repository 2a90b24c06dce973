"""add, set, enable and disable: what SQL does, with the row's checks and its ladder first."""

import pytest

from tests.commands.act.small_exchange import BTC, Desk
from tests.helpers import eventually
from tests.proofs.whole.auditor import rows


def test_a_row_is_added_with_the_examples_values_and_what_was_said(desk: Desk) -> None:
    desk.put(50_000)
    done = desk.run("add", "btc/usd", "base_order_amount=50", "trailing_percent=0.5", "--yes")
    assert done.returncode == 0, done.stderr
    assert "safety order 5" in done.stdout
    [row] = rows(desk.database, "SELECT * FROM dca_assets")
    assert (row["asset_symbol"], row["base_order_amount"], row["max_safety_orders"]) == (BTC, 50, 5)
    assert row["trailing_percent"] == row["take_profit_percent"] / 2
    [event] = rows(desk.database, "SELECT kind, told FROM dca_events")
    assert event["kind"] == "changed"
    assert event["told"].startswith("the row was added by hand: base_order_amount 50, ")
    assert "Nothing of BTC/USD is left at Alpaca." in done.stdout


def test_the_ladder_and_its_warnings_fit_into_80_columns(desk: Desk) -> None:
    desk.put(50_000)
    done = desk.run("add", BTC, "safety_order_amount=20000", "take_profit_percent=0.3")
    assert "does not pay the fees" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80


def test_a_row_that_is_there_is_named_before_the_question(desk: Desk) -> None:
    desk.add(BTC)
    done = desk.run("add", "btc/usd", typed="y\n")
    assert (done.returncode, done.stdout) == (2, "")
    assert "has a row for BTC/USD already: `dca set BTC/USD" in done.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("add", "NOPE/USD"), "no active crypto asset"),
        (("add", "ETH/USD", "base_order_amount=5"), "base_order_amount is 5"),
        (("set", BTC, "take_profit_percent=-1"), "take_profit_percent is -1"),
        (("set", BTC, "take_profit_percent=much"), "must be a number"),
        (("set", BTC, "take_profit_percent=1.23456"), "more than 4 digits after the point"),
        (("set", BTC, "cooldown_period=99999999999"), "does not fit"),
        (("set", BTC, "nonsense=1"), "there is no column 'nonsense': there are after_stop_loss, "),
        (("set", BTC, "take_profit=1"), "'take_profit': did you mean take_profit_percent?"),
        (("set", BTC, "take_profit_percent"), "is not of the form column=value"),
        (("set", BTC, "id=7"), "there is no column 'id'"),
        (("set", BTC, "allowed=some"), "must be one of all, cycle, exit"),
    ],
)
def test_what_could_not_be_traded_is_not_written(
    desk: Desk, words: tuple[str, ...], message: str
) -> None:
    desk.add(BTC)
    before = rows(desk.database, "SELECT * FROM dca_assets")
    done = desk.run(*words, "--yes")
    assert done.returncode == 2
    assert message in done.stderr
    assert rows(desk.database, "SELECT * FROM dca_assets") == before


@pytest.mark.parametrize(
    ("there", "symbol", "message"),
    [
        (BTC, "BTC/USDC", "BTC/USDC could not be traded: BTC/USD trades BTC already"),
        ("BTC/USDC", "USDC/USD", "BTC/USDC could not be traded any more: it is paid for with USDC"),
    ],
)
def test_a_row_that_leaves_one_of_two_without_trading_is_not_added(
    desk: Desk, there: str, symbol: str, message: str
) -> None:
    desk.add(there)
    done = desk.run("add", symbol, "--yes")
    assert done.returncode == 2
    assert message in " ".join(done.stderr.split())
    assert len(rows(desk.database, "SELECT * FROM dca_assets")) == 1


def test_columns_are_set_and_unset(desk: Desk) -> None:
    desk.add(BTC)
    desk.dca("set", BTC, "stop_loss_percent=20", "take_profit_after_fees=true")
    desk.dca("set", BTC, "stop_loss_percent=NULL")
    [row] = rows(desk.database, "SELECT * FROM dca_assets")
    assert (row["stop_loss_percent"], row["take_profit_after_fees"]) == (None, 1)
    assert desk.events() == ["changed", "changed"]


def test_an_asset_is_disabled_and_enabled(desk: Desk) -> None:
    desk.add(BTC)
    desk.dca("disable", BTC)
    [row] = rows(desk.database, "SELECT is_enabled FROM dca_assets")
    assert row["is_enabled"] == 0
    desk.dca("enable", BTC)
    [row] = rows(desk.database, "SELECT is_enabled FROM dca_assets")
    assert row["is_enabled"] == 1
    desk.put(50_000)
    again = desk.run("enable", BTC)  # it asks nothing: nothing would change
    assert (again.returncode, desk.events()) == (0, ["changed", "changed"])
    assert "is_enabled is TRUE already, nothing was written" in again.stdout


def test_the_old_value_stands_beside_the_new_one(desk: Desk) -> None:
    desk.add(BTC)
    words = ("take_profit_percent=1.5", "stop_loss_percent=20", "cooldown_period=300")
    done = desk.run("set", BTC, *words, typed="n\n")
    said = " ".join(done.stdout.split())
    assert "BTC/USD: take_profit_percent 1 -> 1.5, stop_loss_percent NULL -> 20, " in said
    assert "cooldown_period is 300 already." in said
    assert (done.returncode, desk.events()) == (1, [])


def test_disable_tells_of_what_is_under_way_and_of_what_is_left(desk: Desk) -> None:
    desk.add(BTC)
    desk.start_bot()
    held = desk.hold()["quantity"].normalize()
    desk.market.post("/sim/hold", {})  # from now on orders rest

    def rests() -> str | None:
        desk.put(49_000)
        [*_, last] = desk.orders()
        return last["client_order_id"] if last["kind"] == "safety" else None

    resting = eventually(rests)
    done = desk.run("disable", BTC, "--yes")
    said = " ".join(done.stdout.split())
    assert f"The buy {resting} is under way, and may still fill." in said
    assert f"Its cycle keeps {held:f} BTC, unsold: `dca close BTC/USD` sells them." in said
    _, left = said.split("Left at Alpaca:")
    assert f"BTC/USD: an open buy order {resting}" in left
    assert f"BTC/USD: {held:f} BTC of cycle 1" in left
