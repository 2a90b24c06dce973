"""Days of trading take the memory of hours: what is over is forgotten, oldest first."""

from dataclasses import replace

from alpaca_simulator.answers.activities import PAGE, ROWS_KEPT, Activities
from alpaca_simulator.exchange.account import HOLDINGS_KEPT
from alpaca_simulator.exchange.order_store import FINISHED_KEPT, OrderStore
from alpaca_simulator.exchange.orders import Order, Status
from alpaca_simulator.exchange.updates import EXECUTIONS_KEPT, Executions
from alpaca_simulator.exchange.venue import AGENDA_SPARE
from tests.simulator.sim_builders import Bench, market


def traded() -> Bench:
    made = Bench()
    made.quote("99", "100")
    made.done(qty="1", limit_price="101")
    return made


def numbered(order: Order, number: int) -> Order:
    terms = replace(order.terms, id=f"order-{number}", client_order_id=f"mine-{number}")
    return replace(order, terms=terms)


def test_the_latest_orders_that_are_over_are_kept_and_names_are_never_free_again() -> None:
    made, store = traded(), OrderStore()
    over = made.exchange.orders.all()[0]
    resting = replace(numbered(over, 0), status=Status.NEW)
    store.put(resting)
    for number in range(1, FINISHED_KEPT + 11):
        order = numbered(over, number)
        store.put(replace(order, status=Status.NEW))
        store.put(order)
    assert len(store.all()) == FINISHED_KEPT + 1
    assert store.get("order-0") == resting  # open orders stay, however old
    assert store.get("order-10") is None
    assert store.get("order-11") is not None
    assert store.is_taken("mine-1")


def test_the_latest_executions_are_kept_and_all_are_counted() -> None:
    execution = traded().exchange.executions[0]
    kept = Executions()
    for _ in range(EXECUTIONS_KEPT + 5):
        kept.append(execution)
    assert (len(kept), kept.total) == (EXECUTIONS_KEPT, EXECUTIONS_KEPT + 5)
    assert len(list(kept.since(EXECUTIONS_KEPT))) == 5


def test_what_an_order_left_behind_goes_with_it() -> None:
    made = traded()
    for _ in range(AGENDA_SPARE // 2):
        for side in ("buy", "sell"):
            made.send(side=side, **market(qty="0.2"))
            made.wait()
    assert made.free("USD") < 100_000
    assert len(made.exchange.agenda) <= AGENDA_SPARE + 4
    assert not made.exchange._plans
    assert len(made.exchange.account._holdings["BTC"]) <= 2 * HOLDINGS_KEPT


def test_activities_are_kept_in_pages_that_cost_the_same_however_many_there_are() -> None:
    made = traded()
    activities = Activities(made.exchange)
    execution = made.exchange.executions[0]
    for _ in range(ROWS_KEPT + ROWS_KEPT // 5):
        made.exchange.executions.append(execution)
        if made.exchange.executions.total % 1000 == 0:
            activities.page("FILL", {}, delay=0)
    page = activities.page("FILL", {}, delay=0)
    assert len(page) == PAGE
    assert len(activities._rows) <= ROWS_KEPT * 11 // 10
    older = activities.page("FILL", {"page_token": page[-1]["id"]}, delay=0)
    assert not {row["id"] for row in older} & {row["id"] for row in page}
