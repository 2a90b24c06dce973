"""Odd time zones, and an exchange whose clock is wrong: times in the database stay UTC."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

import pytest

from dca_bot.program.settings import DatabaseSettings
from tests.helpers import Simulator, apply_sql, eventually, run_script
from tests.proofs.one_by_one.one_cycle import ASSET, QUIET, STEPS
from tests.proofs.whole.auditor import rows
from tests.proofs.whole.busy import Bot, quoting, settle
from tests.servers import Server, a_server
from tests.tally import struck

pytestmark = pytest.mark.proof

# name in TZ, and what the server's own zone becomes in the middle
ZONES = {
    "Asia/Kathmandu": "+05:45",
    "America/St_Johns": "-03:30",
    "Pacific/Chatham": "+12:45",
}
COOLDOWN = timedelta(hours=1)  # of ASSET
ALMOST = timedelta(minutes=10)  # longer than the whole test
ODDEST = timedelta(minutes=10)  # no two zones differ by less than a quarter of an hour
CARETAKERS = ("order_manager", "consistency_checker", "cooldown_manager")


@pytest.fixture(scope="module")
def database_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of this module's own, whose global variables may be changed."""
    with a_server(tmp_path_factory.mktemp("mariadb") / "data") as server:
        yield server


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("simulator", [QUIET], indirect=True)
def test_cooldowns_end_in_time_in_whatever_zone_bot_and_database_are(
    zone: str,
    simulator: Simulator,
    database: DatabaseSettings,
    bot: Bot,
    bot_env: dict[str, str],
) -> None:
    apply_sql(database, ASSET.encode())
    bot_env["TZ"] = zone
    bot.start()
    bought = quoting(simulator, "100", lambda: status(database) == "watching" and held(database))
    eventually(bought, timeout=30)
    apply_sql(database, f"SET GLOBAL time_zone = '{ZONES[zone]}'".encode())
    struck("time zone changed", zone=zone)
    sold_out = quoting(simulator, "103", lambda: status(database) == "cooldown")
    eventually(sold_out, timeout=30)
    [sold] = rows(database, "SELECT * FROM dca_cycles WHERE status = 'complete'")
    sell = simulator.get("/sim/record")["orders"][-1]
    assert abs(sold["completed_at"] - exchange_time(sell["filled_at"])) < ODDEST
    settle(database, simulator)
    assert bot.end() == 0
    for name in CARETAKERS:
        assert run_script(f"{name}.py", env=bot_env).returncode == 0
    assert status(database) == "cooldown"
    time_passes(database, COOLDOWN - ALMOST)
    assert run_script("cooldown_manager.py", env=bot_env).returncode == 0
    assert status(database) == "cooldown"
    time_passes(database, ALMOST)
    assert run_script("cooldown_manager.py", env=bot_env).returncode == 0
    assert status(database) == "watching"


@pytest.mark.parametrize("simulator", [QUIET], indirect=True)
def test_quotes_of_a_clock_that_is_late_are_not_acted_on_but_fills_are_booked(
    simulator: Simulator, database: DatabaseSettings, bot: Bot, bot_env: dict[str, str]
) -> None:
    apply_sql(database, ASSET.encode())
    simulator.post("/sim/hold")
    bot.start()
    ordered = quoting(simulator, "100", lambda: simulator.get("/sim/record")["orders"])
    eventually(ordered, timeout=30)
    skew(simulator, -300)
    simulator.post("/sim/release")
    eventually(lambda: held(database), timeout=30)
    heard = quotes_heard(simulator)
    eventually(quoting(simulator, "98", lambda: quotes_heard(simulator) > heard + 100), timeout=90)
    assert len(simulator.get("/sim/record")["orders"]) == 1
    # it looks after each connect, and every minute
    simulator.post("/sim/faults", {"name": "drop_data_stream", "count": 1})
    logged = quoting(simulator, "98", lambda: "timedatectl" in bot.output)
    eventually(logged, timeout=90)
    simulator.post("/sim/faults", {"name": "clock_skew", "on": False})
    done = quoting(simulator, "98", lambda: len(simulator.get("/sim/record")["orders"]) == 2)
    eventually(done, timeout=30)
    settle(database, simulator)
    assert bot.end() == 0


@pytest.mark.parametrize("simulator", [QUIET], indirect=True)
@pytest.mark.parametrize("seconds", [-20, 20])
def test_with_an_exchange_whose_clock_is_a_little_off_the_cycle_is_traded(
    simulator: Simulator, database: DatabaseSettings, bot: Bot, seconds: int
) -> None:
    apply_sql(database, ASSET.encode())
    skew(simulator, seconds)
    bot.start()
    for count, (price, _) in enumerate(STEPS, start=1):
        eventually(quoting(simulator, price, filled(database, count)), timeout=30)
    settle(database, simulator)
    assert bot.end() == 0


@pytest.mark.parametrize("simulator", [QUIET], indirect=True)
@pytest.mark.parametrize("seconds", [-300, 300])
def test_with_an_exchange_whose_clock_is_far_off_nothing_is_ordered_until_it_agrees(
    simulator: Simulator, database: DatabaseSettings, bot: Bot, seconds: int
) -> None:
    apply_sql(database, ASSET.encode())
    skew(simulator, seconds)
    bot.start()
    logged = quoting(simulator, "100", lambda: "no order is placed" in bot.output)
    eventually(logged, timeout=30)
    heard = quotes_heard(simulator)
    eventually(quoting(simulator, "100", lambda: quotes_heard(simulator) > heard + 50), timeout=30)
    assert simulator.get("/sim/record")["orders"] == []
    assert rows(database, "SELECT * FROM dca_orders") == []
    assert bot.output.count("no order is placed") == 1
    simulator.post("/sim/faults", {"name": "clock_skew", "on": False})
    # the account is asked every half minute, and each answer tells the time
    ordered = quoting(simulator, "100", lambda: simulator.get("/sim/record")["orders"])
    eventually(ordered, timeout=60)
    assert bot.end() == 0


def skew(simulator: Simulator, seconds: int) -> None:
    simulator.post("/sim/faults", {"name": "clock_skew", "params": {"seconds": seconds}})
    struck("clocks differ", seconds=seconds)


def quotes_heard(simulator: Simulator) -> int:
    return sum(each["frames_sent"] for each in simulator.get("/sim/state")["streams"]["data"])


def status(database: DatabaseSettings) -> str:
    """Of the active cycle, if there is one."""
    found = rows(
        database, "SELECT status FROM dca_cycles WHERE status NOT IN ('complete', 'error')"
    )
    return str(found[0]["status"]) if found else ""


def held(database: DatabaseSettings) -> bool:
    return bool(rows(database, "SELECT id FROM dca_cycles WHERE quantity > 0"))


def filled(database: DatabaseSettings, count: int) -> Callable[[], bool]:
    sql = "SELECT id FROM dca_orders WHERE status = 'filled'"
    return lambda: len(rows(database, sql)) == count


def exchange_time(text: str) -> datetime:
    """As the columns have it: UTC, to the second, without saying so."""
    return datetime.fromisoformat(text[:19])


def time_passes(database: DatabaseSettings, time: timedelta) -> None:
    sql = "UPDATE dca_cycles SET completed_at = completed_at - INTERVAL {} SECOND"
    apply_sql(database, sql.format(int(time.total_seconds())).encode())
