"""add, set, enable and disable: what SQL does, with the row's checks and its ladder first."""

import pytest

from dca_bot.program.settings import DatabaseSettings
from tests.commands.act.small_exchange import BTC, Desk
from tests.helpers import Simulator
from tests.proofs.whole.auditor import rows
from tests.proofs.whole.busy import Bot


@pytest.fixture
def desk(
    database: DatabaseSettings, simulator: Simulator, bot_env: dict[str, str], bot: Bot
) -> Desk:
    return Desk(database, simulator, bot_env, bot)


def test_a_row_is_added_with_the_examples_values_and_what_was_said(desk: Desk) -> None:
    desk.put(50_000)
    done = desk.run("add", "btc/usd", "base_order_amount=50", "trailing_percent=0.5", "--yes")
    assert done.returncode == 0, done.stderr
    assert "safety order 5" in done.stdout
    [row] = rows(desk.database, "SELECT * FROM dca_assets")
    assert (row["asset_symbol"], row["base_order_amount"], row["max_safety_orders"]) == (BTC, 50, 5)
    assert row["trailing_percent"] == row["take_profit_percent"] / 2
    again = desk.run("add", BTC, "--yes")
    assert again.returncode == 2
    assert "dca set BTC/USD" in again.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("add", "NOPE/USD"), "no active crypto asset"),
        (("add", "ETH/USD", "base_order_amount=5"), "base_order_amount is 5"),
        (("set", BTC, "take_profit_percent=-1"), "take_profit_percent is -1"),
        (("set", BTC, "take_profit_percent=much"), "must be a number"),
        (("set", BTC, "take_profit_percent=1.23456"), "more than 4 digits after the point"),
        (("set", BTC, "cooldown_period=99999999999"), "does not fit"),
        (("set", BTC, "nonsense=1"), "there is no column 'nonsense'"),
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
