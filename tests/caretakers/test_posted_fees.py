"""Estimated fees of SELLs give way to what Alpaca's own records show, and to nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from dca_bot.caretakers.posted_fees import fees_by_order, take_over
from dca_bot.caretakers.run import Run
from dca_bot.core.model import Cycle, CycleStatus, Order, OrderKind, OrderStatus, Side
from dca_bot.core.records import FeeActivity, FillActivity
from dca_bot.store.memory_store import MemoryStore
from tests.builders import BTC, NOW, TestClock, an_asset, an_order

HOUR = timedelta(hours=1)


def sale(order_id: str, worth: str, hours: float = 0) -> FillActivity:
    at = NOW + hours * HOUR
    return FillActivity(at, order_id, BTC, Side.SELL, Decimal(worth) / 100, Decimal(100))


def posted(amount: str, hours: float = 12) -> FeeActivity:
    return FeeActivity(NOW + hours * HOUR, "USD", Decimal(amount))


def fees(fills: Sequence[FillActivity], *rows: FeeActivity) -> dict[str, Decimal]:
    return {order_id: fee for order_id, (_, fee) in fees_by_order(fills, rows).items()}


def test_a_row_is_the_fee_of_the_fill_that_costs_so_much() -> None:
    fills = [sale("one", "20"), sale("two", "60", 1)]
    # a batch comes in any order
    found = fees(fills, posted("0.15"), posted("0.05"))
    assert found == {"one": Decimal("0.05"), "two": Decimal("0.15")}


def test_a_fill_without_a_row_waits_for_it() -> None:
    assert fees([sale("one", "20"), sale("two", "60", 1)], posted("0.05")) == {
        "one": Decimal("0.05")
    }


def test_another_rate_than_the_usual_is_what_alpaca_says() -> None:
    fills = [sale("one", "20"), sale("two", "30", 1), sale("three", "50", 2)]
    found = fees(fills, posted("0.05"), posted("0.08"), posted("0.08"))
    # 0.0015 of 50 instead of 0.0025
    assert found == {"one": Decimal("0.05"), "two": Decimal("0.08"), "three": Decimal("0.08")}


def test_the_parts_of_an_order_are_reported_together() -> None:
    parts = [sale("one", "20"), sale("one", "60", 1)]
    fees = fees_by_order(parts, [posted("0.05"), posted("0.15")])
    assert fees == {"one": (Decimal("0.8"), Decimal("0.20"))}


def test_a_sum_of_a_day_tells_the_fees_that_it_is_made_of() -> None:
    fills = [sale("one", "20"), sale("two", "60", 1), sale("three", "100", 2)]
    assert fees(fills, posted("0.45")) == {
        "one": Decimal("0.05"),
        "two": Decimal("0.15"),
        "three": Decimal("0.25"),
    }


def test_a_sum_that_is_no_sum_of_usual_fees_is_not_shared_out() -> None:
    assert fees([sale("one", "20"), sale("two", "60", 1)], posted("0.17")) == {}


def test_a_sum_that_explains_nothing_leaves_the_fills_to_the_next_row() -> None:
    fills = [sale("one", "20"), sale("two", "60", 1), sale("three", "100", 2)]
    assert fees(fills, posted("0.17"), posted("0.45", 13)) == {
        "one": Decimal("0.05"),
        "two": Decimal("0.15"),
        "three": Decimal("0.25"),
    }


def test_a_row_that_came_before_the_fill_or_days_after_it_is_not_its_own() -> None:
    assert fees([sale("one", "20", 48)], posted("0.05", 12)) == {}
    assert fees([sale("one", "20")], posted("0.05", 72)) == {}


def test_a_fee_in_another_coin_is_no_fee_in_dollars() -> None:
    row = replace(posted("0.05"), currency="USDC")
    assert fees([sale("one", "20")], row) == {}


class Records:
    """What Alpaca tells; `asked` counts how often."""

    def __init__(self, fills: list[FillActivity], rows: list[FeeActivity]) -> None:
        self._fills, self._rows, self.asked = fills, rows, 0

    def fills(self, since: datetime, until: datetime) -> list[FillActivity]:
        self.asked += 1
        return [fill for fill in self._fills if since <= fill.at <= until]

    def fees(self, since: datetime, until: datetime) -> list[FeeActivity]:
        self.asked += 1
        return [row for row in self._rows if since <= row.at <= until]


class Books:
    """One cycle that is complete: 0.5 bought at 100 for 50, sold at 120 for 60."""

    def __init__(self, **sold: object) -> None:
        self.store = MemoryStore([an_asset()], clock=TestClock(NOW))
        buy = an_order(
            client_order_id="dca-1-base-1",
            status=OrderStatus.FILLED,
            quantity="0.5",
            filled_quantity="0.5",
            filled_average_price="100",
            received_quantity="0.5",
        )
        self.sell = replace(
            an_order(
                client_order_id="dca-1-tp-1",
                alpaca_order_id="sell",
                kind=OrderKind.TAKE_PROFIT,
                status=OrderStatus.FILLED,
                quantity="0.5",
                filled_quantity="0.5",
                filled_average_price="120",
            ),
            fee=Decimal("0.15"),
            **sold,
        )
        with self.store.transaction(1) as tx:
            cycle = tx.add_cycle(Cycle(0, 1, CycleStatus.WATCHING))
            tx.add_order(replace(buy, cycle_id=cycle.cycle_id))
            tx.add_order(replace(self.sell, cycle_id=cycle.cycle_id))
            done = replace(cycle, status=CycleStatus.COMPLETE, completed_at=NOW + HOUR)
            tx.save_cycle(cycle, done)

    def take_over(self, records: Records, *, dry_run: bool = False) -> Order:
        take_over(self.store, records, Run(dry_run=dry_run), NOW + 24 * HOUR)
        order = self.store.order("dca-1-tp-1")
        assert order is not None
        return order


SOLD = FillActivity(NOW, "sell", BTC, Side.SELL, Decimal("0.5"), Decimal(120))


@pytest.mark.parametrize(("amount", "net"), [("0.15", "9.85"), ("0.09", "9.91")])
def test_the_order_and_the_profit_of_its_cycle_follow_alpacas_records(
    amount: str, net: str
) -> None:
    books = Books()
    order = books.take_over(Records([SOLD], [posted(amount)]))
    assert (order.fee, order.fee_is_known) == (Decimal(amount), True)
    (result,) = books.store.results.values()
    assert (result.net, result.fees) == (Decimal(net), Decimal(amount))
    assert result.fees_are_known


def test_a_fee_of_a_part_of_the_order_leaves_the_estimate() -> None:
    part = replace(SOLD, quantity=Decimal("0.25"))
    order = Books().take_over(Records([part, part], [posted("0.08")]))
    assert (order.fee, order.fee_is_known) == (Decimal("0.15"), False)


def test_a_dry_run_writes_nothing() -> None:
    books = Books()
    assert not books.take_over(Records([SOLD], [posted("0.09")]), dry_run=True).fee_is_known
    assert books.store.results == {}


def test_alpaca_is_not_asked_where_no_sell_waits() -> None:
    records = Records([SOLD], [posted("0.15")])
    Books(fee_is_known=True).take_over(records)
    assert records.asked == 0


@pytest.mark.parametrize(("hours", "is_its_own"), [(1, True), (48, True), (48.1, False)])
def test_a_row_belongs_to_a_fill_of_the_same_day_or_of_two_days_before(
    hours: float, is_its_own: bool
) -> None:
    assert bool(fees([sale("one", "20")], posted("0.05", hours))) is is_its_own


def test_a_row_that_tells_its_day_alone_is_of_a_fill_of_that_day() -> None:
    assert fees([sale("one", "20")], posted("0.05", -12)) != {}
    assert fees([sale("one", "20")], posted("0.05", -13)) == {}


def test_a_sum_is_not_made_of_fills_of_after_it() -> None:
    fills = [sale("one", "20"), sale("two", "60", 13)]
    assert fees(fills, posted("0.20", 1)) == {}


def test_a_sum_is_found_among_fills_that_others_have_taken() -> None:
    fills = [sale("one", "20"), sale("two", "60", 1), sale("three", "60", 2), sale("four", "40", 3)]
    found = fees(fills, posted("0.20"), posted("0.25"))
    assert found == {
        "one": Decimal("0.05"),
        "two": Decimal("0.15"),
        "three": Decimal("0.15"),
        "four": Decimal("0.10"),
    }


def test_records_are_read_so_far_back_that_no_row_lacks_its_fill() -> None:
    class Listening(Records):
        def fills(self, since: datetime, until: datetime) -> list[FillActivity]:
            asked.append((since, until))
            return super().fills(since, until)

        def fees(self, since: datetime, until: datetime) -> list[FeeActivity]:
            asked.append((since, until))
            return super().fees(since, until)

    asked: list[tuple[datetime, datetime]] = []
    Books().take_over(Listening([SOLD], []))
    (fills, now), (rows, tomorrow) = asked
    assert rows - fills == timedelta(days=2)  # so long after its fill a row may come
    assert (now - rows, tomorrow - now) == (timedelta(days=4), timedelta(days=1))


def test_a_sell_of_before_all_that_is_read_stays_an_estimate() -> None:
    books, records = Books(), Records([SOLD], [posted("0.15")])
    take_over(books.store, records, Run(), NOW + timedelta(days=6, seconds=1))
    assert records.asked == 0


def test_the_fee_of_a_cycle_that_goes_on_is_taken_over_without_a_result() -> None:
    books = Books()
    with books.store.transaction(1) as tx:
        done = tx.cycle_by_id(books.sell.cycle_id)
        assert done is not None
        tx.save_cycle(done, replace(done, status=CycleStatus.WATCHING, completed_at=None))
    order = books.take_over(Records([SOLD], [posted("0.09")]))
    assert (order.fee, order.fee_is_known) == (Decimal("0.09"), True)
    assert books.store.results == {}


@pytest.mark.parametrize(
    ("amount", "fees"),
    [
        ("0.15", ["fees of SELLs taken from Alpaca's records known=1 of=1"]),
        (
            "0.09",
            [
                "Alpaca's records show another fee than was estimated "
                "fee=0.09 estimated=0.15 client_id=dca-1-tp-1",
                "fees of SELLs taken from Alpaca's records known=1 of=1",
            ],
        ),
        ("0.77", []),
    ],
)
def test_a_fee_that_differs_is_reported_and_how_many_are_known(
    amount: str, fees: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    Books().take_over(Records([SOLD], [posted(amount)]))
    assert [each.getMessage() for each in caplog.records] == fees
