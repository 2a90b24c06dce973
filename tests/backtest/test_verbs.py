"""`dca backtest`, `dca sweep` and `dca history` as their users call them."""

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import chdir
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from dca_bot.program.settings import DatabaseSettings
from dca_sandbox.exchange import SimulatedExchange
from tests.backtest.markets import START, a_walk, known_cases
from tests.commands.called import called
from tests.helpers import apply_sql, database_environment

MINUTE = 60 * 10**9
RESULT_KEYS = {
    "cycles",
    "buys",
    "net",
    "fees",
    "most_invested",
    "deepest_drawdown",
    "open_quantity",
    "open_net",
}


def dca(*words: str | Path, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    with chdir(cwd):
        return called(*map(str, words), env=os.environ | {"COLUMNS": "80"} | environment)


def answer(*words: str | Path, cwd: Path) -> dict[str, Any]:
    done = dca(*words, "--json", cwd=cwd)
    assert (done.returncode, done.stderr) == (0, "")
    content: dict[str, Any] = json.loads(done.stdout)
    return content


def options(values: dict[str, str]) -> list[str]:
    return [word for name, text in values.items() for word in (f"--{name}", text)]


@pytest.fixture(scope="module")
def bars(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten days of invented minute bars."""
    path = tmp_path_factory.mktemp("prices") / "bars.csv"
    closes = a_walk(11, 14_400, percent=0.1)
    rows = ["timestamp,open,high,low,close,volume"]
    for number, (first, last) in enumerate(zip(closes, closes[1:], strict=False)):
        prices = (first, max(first, last) + 20, min(first, last) - 20, last)
        closes = ",".join(f"{price / 100:.2f}" for price in prices)
        rows.append(f"{START + number * MINUTE},{closes},0")
    path.write_text("\n".join(rows) + "\n")
    return path


def test_bars_give_a_range_and_their_closes_one_answer(bars: Path, tmp_path: Path) -> None:
    ranged = answer("backtest", "BTC/USD", "--prices", bars, cwd=tmp_path)
    assert ranged["exact"] is False
    assert ranged["pessimistic"].keys() >= RESULT_KEYS
    assert Decimal(ranged["pessimistic"]["equity"]) <= Decimal(ranged["optimistic"]["equity"])
    closes = answer("backtest", "BTC/USD", "--prices", bars, "--closes", "--events", cwd=tmp_path)
    assert closes["exact"] is True
    events = closes["result"]["events"]
    assert events[0] == [START, "B", events[0][2]]
    assert len([side for _, side, _ in events if side == "B"]) == closes["result"]["buys"]


def test_every_column_is_an_option(bars: Path, tmp_path: Path) -> None:
    columns = {
        "base_order_amount": "50",
        "safety_order_amount": "25",
        "max_safety_orders": "2",
        "safety_order_deviation": "0.7",
        "take_profit_percent": "0.9",
        "cooldown_period": "60",
        "buy_order_price_deviation_percent": "0.5",
        "safety_order_volume_scale": "2",
        "safety_order_step_scale": "1.5",
        "take_profit_after_fees": "true",
        "trailing_percent": "0.2",
        "stop_loss_percent": "9",
        "stop_loss_seconds": "300",
        "after_stop_loss": "cooldown",
        "max_spread_percent": "0.5",
        "min_start_price": "1",
        "max_start_price": "99999",
    }
    words = [
        word for name, text in columns.items() for word in ("--" + name.replace("_", "-"), text)
    ]
    found = answer(
        "backtest", "BTC/USD", "--prices", bars, "--fee-percent", "0.1", *words, cwd=tmp_path
    )
    tried = found["parameters"]["BTC/USD"]
    assert {name: str(value).lower() for name, value in tried.items()} == columns
    assert Decimal(found["pessimistic"]["most_invested"]) <= Decimal(50 + 25 + 50)


@pytest.mark.parametrize(("parameters", "file", "expected"), list(known_cases())[:3])
def test_the_command_gives_the_known_answers(
    parameters: dict[str, Any], file: str, expected: dict[str, Any], tmp_path: Path
) -> None:
    from tests.backtest.markets import DATA

    names = {
        "base": "base-order-amount",
        "so": "safety-order-amount",
        "max_so": "max-safety-orders",
        "dev": "safety-order-deviation",
        "tp": "take-profit-percent",
        "cooldown_s": "cooldown-period",
        "restart": "buy-order-price-deviation-percent",
    }
    words = [
        word for name, option in names.items() for word in (f"--{option}", str(parameters[name]))
    ]
    words += ["--fee-percent", "0.25", "--closes", "--events"]
    found = answer("backtest", "BTC/USD", "--prices", DATA / file, *words, cwd=tmp_path)["result"]
    assert (found["cycles"], found["buys"]) == (expected["cycles"], expected["buys"])
    assert found["events"][:4] == expected["first_events"]
    equity = Decimal(found["net"]) + Decimal(found["open_net"])
    assert abs(equity - Decimal(expected["equity"])) < Decimal("0.000001")


def test_the_table_fits_eighty_columns_and_says_what_comes_next(bars: Path, tmp_path: Path) -> None:
    shown = dca("backtest", "BTC/USD", "--prices", bars, cwd=tmp_path).stdout.splitlines()
    assert "of 120.00 USD in 10 days" in shown[0]
    assert [line for line in shown[1:] if len(line) > 80] == []
    swept = dca("sweep", "BTC/USD", "--prices", bars, cwd=tmp_path).stdout
    assert "90 sets tried" in swept
    assert f"dca backtest BTC/USD --prices {bars} --safety-order-deviation" in swept
    assert "dca set BTC/USD safety_order_deviation=" in swept


def test_a_sweep_tells_every_set_best_first(bars: Path, tmp_path: Path) -> None:
    words = ("--take-profit-percent", "0.5:1.5:0.5", "--max-safety-orders", "2,4")
    found = answer("sweep", "BTC/USD", "--prices", bars, *words, cwd=tmp_path)
    assert found["tried"] == 6
    assert len(found["results"]) == 6
    first = found["results"][0]
    assert set(first["parameters"]) == {"take_profit_percent", "max_safety_orders"}
    assert first["train"].keys() >= RESULT_KEYS
    assert first["test"].keys() >= RESULT_KEYS
    earned = [Decimal(each["train"]["equity"]) for each in found["results"]]
    assert earned == sorted(earned, reverse=True)


def test_two_pairs_share_a_purse(bars: Path, tmp_path: Path) -> None:
    words = ("--prices", bars, "--prices", bars, "--closes", "--cash", "30")
    found = answer("backtest", "BTC/USD", "ETH/USD", *words, cwd=tmp_path)
    assert found["result"]["refused"] >= 1
    assert Decimal(found["result"]["most_invested"]) < 35


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (["backtest", "BITCOIN"], 2, "'BITCOIN' is not a pair: write it like BTC/USD"),
        (["backtest", "XYZ/USD"], 1, "no prices of XYZ/USD"),
        (["backtest", "BTC/USD", "--prices", "no.csv"], 2, "cannot read no.csv"),
        (["backtest", "BTC/USD", "--prices", "{bars}", "--from", "2030-01-01"], 1, "no prices in"),
        (
            ["backtest", "BTC/USD", "--prices", "{bars}", "--fee-percent", "2"],
            2,
            "--fee-percent '2'",
        ),
        (["backtest", "BTC/USD", "--prices", "{bars}", "--from", "1.1.2025"], 2, "write a day as"),
        (["backtest", "BTC/USD", "--take-profit-percent", "0"], 2, "take_profit_percent is 0"),
        (["backtest", "BTC/USD", "--max-safety-orders", "1.5"], 2, "must be a whole number"),
        (["backtest", "BTC/USD", "--cash", "-1"], 2, "--cash '-1'"),
        (["backtest", "BTC/USD", "BTC/USD"], 2, "a pair is named twice"),
        (["sweep", "BTC/USD", "--prices", "{bars}", "--test-from", "2030-01-01"], 2, "--test-from"),
        (["sweep", "BTC/USD", "--max-safety-orders", "3:1:1"], 2, "must go up"),
        (["history", "BTC/USD", "--from", "2999-01-01"], 2, "is in the future"),
    ],
)
def test_a_wrong_call_gets_one_clear_line(
    words: list[str], status: int, message: str, bars: Path, tmp_path: Path
) -> None:
    done = dca(*(word.format(bars=bars) for word in words), cwd=tmp_path)
    assert done.returncode == status
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""


@pytest.fixture
def exchange(tmp_path: Path) -> Iterator[SimulatedExchange]:
    simulated = SimulatedExchange(tmp_path, "--no-walk")
    yield simulated
    simulated.stop()


def test_the_row_in_the_database_is_what_is_tried_as_configured(
    database: DatabaseSettings, bars: Path, tmp_path: Path
) -> None:
    row = b"""INSERT INTO dca_assets (asset_symbol, is_enabled, base_order_amount,
        safety_order_amount, max_safety_orders, safety_order_deviation, take_profit_percent,
        cooldown_period, buy_order_price_deviation_percent, trailing_percent, allowed)
        VALUES ('BTC/USD', FALSE, 55, 44, 3, 0.7, 0.9, 120, 1, 0.2, 'exit');"""
    apply_sql(database, row)
    words = ("backtest", "--as-configured", "--max-safety-orders", "2", "--prices", bars)
    environment = database_environment(database)
    done = dca(*words, "BTC/USD", "--json", cwd=tmp_path, **environment)
    found = json.loads(done.stdout)
    tried = found["parameters"]["BTC/USD"]
    assert Decimal(tried["base_order_amount"]) == 55
    assert Decimal(tried["trailing_percent"]) == Decimal("0.2")
    assert tried["max_safety_orders"] == 2  # an option is heard before the row
    assert found["pessimistic"]["buys"] > 1  # though the row is disabled and may not buy
    absent = dca(*words, "ETH/USD", cwd=tmp_path, **environment)
    assert (absent.returncode, absent.stdout) == (2, "")
    assert "--as-configured: ETH/USD: it has no row in dca_assets" in absent.stderr


def test_a_new_user_gets_from_nothing_to_a_report(
    exchange: SimulatedExchange, tmp_path: Path
) -> None:
    data, report = tmp_path / "data", tmp_path / "report.html"
    today = datetime.now(UTC).date()
    days = {"from": str(today - timedelta(days=20)), "to": str(today - timedelta(days=11))}
    words = ("BTC/USD", *options(days), "--data", data)
    fetched = dca("history", *words, cwd=tmp_path, APCA_API_DATA_URL=exchange.url)
    assert fetched.returncode == 0, fetched.stderr
    assert "Next: dca backtest BTC/USD --from" in fetched.stdout
    shown = dca("backtest", *words, "--html", report, cwd=tmp_path)
    assert shown.returncode == 0, shown.stderr
    assert "of 120.00 USD in 10 days" in shown.stdout.splitlines()[0]
    assert report.stat().st_size > 1_000_000
