"""The situations of consistency_checker.py: wherever database and Alpaca may have come apart.

Rule: main_app.py does not run, so whatever changes is the caretaker's doing.
"""

from __future__ import annotations

from decimal import Decimal

from dca_integration.stage import FIRST, FOREIGN, SECOND, Stage

SCRIPT = "consistency_checker.py"
UNKNOWN_ORDER = "00000000-0000-4000-8000-000000000000"


def order_ended_unseen(stage: Stage) -> None:
    """A `buying` cycle whose order is filled, and one whose order Alpaca doesn't know."""
    bought = stage.buy_by_hand(FIRST)
    filled, unknown = stage.add_asset(FIRST), stage.add_asset(SECOND)
    stage.add_cycle(filled, "buying", latest_order_id=bought.order_id)
    stage.add_cycle(unknown, "selling", latest_order_id=UNKNOWN_ORDER)
    before = stage.books.everything()
    stage.run(SCRIPT, "--dry-run")
    stage.claim("the database after the dry run", stage.books.everything() == before, True)
    stage.run(SCRIPT)
    cycle = stage.cycle(filled)
    stage.claim("the cycle with the filled order", cycle.status, "watching")
    stage.same_price("its last_order_fill_price", cycle.last_fill, bought.price)
    stage.books_match(filled, FIRST)
    cycle = stage.cycle(unknown)
    stage.claim(
        "the cycle with the unknown order",
        (cycle.status, cycle.latest_order_id),
        ("watching", None),
    )


def position_differs(stage: Stage) -> None:
    """Coins that are gone end the cycle; a quantity that differs becomes Alpaca's."""
    bought = stage.buy_by_hand(FIRST)
    differs, gone = stage.add_asset(FIRST), stage.add_asset(SECOND)
    watching = {"average_purchase_price": Decimal(1), "last_order_fill_price": Decimal(1)}
    stage.add_cycle(differs, "watching", quantity=Decimal(1), **watching)
    stage.add_cycle(gone, "watching", quantity=Decimal(1), **watching)

    def quantity_after_a_run() -> Decimal:
        stage.programs.run(SCRIPT)
        return stage.cycle(differs).quantity

    stage.soon(
        f"{SCRIPT}, once the order by hand has ended a minute ago",
        quantity_after_a_run,
        "another quantity than 1",
        lambda quantity: quantity != 1,
    )
    corrected = stage.cycle(differs)
    stage.books_match(differs, FIRST)
    stage.same_price("its average_purchase_price", corrected.average, bought.price)
    old, new = stage.books.cycles(gone)
    stage.claim("the cycle whose coins are gone", old.status, "error")
    stage.claim_that(
        "its completed_at", old.completed_at, holds=old.completed_at is not None, expected="a time"
    )
    stage.claim("the next one", (new.status, new.quantity), ("watching", 0))


def consistent_state(stage: Stage) -> None:
    """An enabled asset gets a cycle, a disabled one doesn't, and what agrees stays as it is."""
    bought = stage.buy_by_hand(FIRST)
    holds = stage.add_asset(FIRST)
    stage.add_cycle(
        holds,
        "watching",
        quantity=stage.account.held(FIRST),
        # where the quantity agrees, nobody corrects the price
        average_purchase_price=(bought.price or Decimal(0)) * Decimal("0.99"),
        last_order_fill_price=bought.price,
    )
    enabled = stage.add_asset(SECOND)
    disabled = stage.add_asset(FOREIGN, is_enabled=False)
    agrees = stage.cycle(holds)
    stage.run(SCRIPT)
    stage.claim("the cycle that agrees", stage.cycle(holds), agrees)
    stage.claim("the enabled asset's cycle", stage.cycle(enabled).status, "watching")
    stage.claim("the disabled asset's cycles", stage.books.cycles(disabled), [])
    stage.step("make every updated_at old, so that a write would show")
    for table in ("dca_assets", "dca_cycles"):
        stage.books.write(f"UPDATE {table} SET updated_at = '2020-01-01'")  # noqa: S608
    before = stage.books.everything()
    for script in (SCRIPT, "order_manager.py", "cooldown_manager.py"):
        stage.run(script)
    stage.claim("every byte as before", stage.books.everything() == before, True)
