"""The ledger: double entry, whatever is moved."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alpaca_simulator.exchange.ledger import OWN, Ledger, OverdrawnError, Place
from tests.builders import CHECKED

amounts = st.decimals(min_value=0, max_value=10**9, places=9)
moves = st.lists(
    st.tuples(
        st.sampled_from(["USD", "BTC"]),
        amounts,
        st.sampled_from(list(Place)),
        st.sampled_from(list(Place)),
    ),
    max_size=40,
)


@CHECKED
@given(moves)
def test_every_currency_adds_up_to_zero_and_nothing_of_ours_is_negative(
    wanted: list[tuple[str, Decimal, Place, Place]],
) -> None:
    ledger = Ledger()
    for currency, amount, source, target in wanted:
        before = ledger.balances()
        try:
            ledger.move(currency, amount, source, target)
        except OverdrawnError:
            known = {p: {c: b for c, b in bs.items() if b} for p, bs in before.items()}
            after = ledger.balances()
            assert {p: {c: b for c, b in bs.items() if b} for p, bs in after.items()} == known
        balances = ledger.balances()
        for one in ledger.currencies():
            assert sum(balances[place][one] for place in Place) == 0
            assert all(balances[place][one] >= 0 for place in OWN)


def test_a_move_has_a_direction_and_not_a_sign() -> None:
    with pytest.raises(ValueError, match="direction"):
        Ledger().move("USD", Decimal(-1), Place.OUTSIDE, Place.FREE)
