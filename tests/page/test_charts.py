"""The curves add up."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from dca_bot.page.charts import capital_curve, earned_curve
from dca_bot.page.history import days_with
from dca_bot.report.cycles import CycleLine
from dca_bot.report.profit import Earned

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def line(number: int, net: str | None, *, hours: int = 1, invested: str = "20") -> CycleLine:
    began = NOON + timedelta(days=number)
    return CycleLine(
        id=number,
        symbol="BTC/USD",
        status="complete" if net else "watching",
        net=Decimal(net) if net else None,
        fees=Decimal(0),
        invested=Decimal(invested),
        safety_orders=0,
        began_at=began,
        completed_at=began + timedelta(hours=hours) if net else None,
    )


def day(number: int, net: str) -> Earned:
    name = (NOON + timedelta(days=number)).astimezone().date().isoformat()
    zero = Decimal(0)
    return Earned(name, 1, Decimal(net), zero, zero, zero, zero)


def test_the_curve_ends_at_what_was_earned() -> None:
    points = earned_curve([line(3, "-1"), line(2, "2")], Decimal("1"), [day(2, "2"), day(3, "-1")])
    assert [point["net"] for point in points] == [2, 1]


def test_what_is_older_than_the_newest_cycles_comes_by_the_day() -> None:
    days = [day(0, "4"), day(1, "3"), day(2, "2")]
    points = earned_curve([line(2, "2")], Decimal(9), days)
    assert [point["net"] for point in points] == [4, 7, 9]


def test_without_a_cycle_there_is_no_curve() -> None:
    assert earned_curve([], Decimal(0), []) == []


def test_money_in_cycles_rises_with_the_first_buy_and_falls_with_the_sale() -> None:
    long, short = line(0, "1", hours=30, invested="50"), line(1, "1", invested="20")
    points = capital_curve([short, long], NOON + timedelta(days=5))
    assert [point["invested"] for point in points] == [50, 70, 50, 0, 0]


def test_money_of_an_open_cycle_is_in_until_now() -> None:
    now = NOON + timedelta(days=5)
    points = capital_curve([line(0, None, invested="30")], now)
    assert [(point["at"], point["invested"]) for point in points] == [(NOON, 30), (now, 30)]


def test_a_cycle_completed_since_the_history_was_read_counts_in_its_day() -> None:
    new = [line(3, "5"), line(2, "-1"), line(2, None)]
    found = days_with([day(1, "3"), day(2, "2")], new)
    assert [(each.group, each.net, each.cycles) for each in found] == [
        (day(1, "3").group, 3, 1),
        (day(2, "2").group, 1, 2),
        (day(3, "5").group, 5, 1),
    ]
