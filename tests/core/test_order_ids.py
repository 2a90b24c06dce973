"""The names that we give to orders."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dca_bot.core.model import OrderKind
from dca_bot.core.order_ids import client_order_id, is_ours
from tests.builders import CHECKED, NOW

INTENTS = st.tuples(
    st.integers(1, 2**31 - 1),
    st.sampled_from(
        [(OrderKind.BASE, 0), (OrderKind.TAKE_PROFIT, 0)]
        + [(OrderKind.SAFETY, rung) for rung in range(1, 40)]
    ),
    st.integers(0, 10**12),
)


def named(intent: tuple[int, tuple[OrderKind, int], int]) -> str:
    cycle_id, (kind, rung), millis = intent
    return client_order_id(cycle_id, kind, rung, NOW + timedelta(milliseconds=millis))


@pytest.mark.parametrize(
    ("kind", "rung", "expected"),
    [
        (OrderKind.BASE, 0, "dca-42-base-mjvfam7k"),
        (OrderKind.SAFETY, 2, "dca-42-so2-mjvfam7k"),
        (OrderKind.TAKE_PROFIT, 0, "dca-42-tp-mjvfam7k"),
    ],
)
def test_an_id_says_cycle_purpose_and_time(kind: OrderKind, rung: int, expected: str) -> None:
    at = datetime(2026, 1, 1, 12, 30, 15, 536000, tzinfo=UTC)
    assert client_order_id(42, kind, rung, at) == expected


@given(one=INTENTS, other=INTENTS)
@CHECKED
def test_two_intents_never_share_an_id(
    one: tuple[int, tuple[OrderKind, int], int], other: tuple[int, tuple[OrderKind, int], int]
) -> None:
    assert (named(one) == named(other)) is (one == other)


@given(intent=INTENTS)
@CHECKED
def test_an_id_is_ours_short_and_plain(intent: tuple[int, tuple[OrderKind, int], int]) -> None:
    name = named(intent)
    assert is_ours(name)
    assert re.fullmatch(r"[a-z0-9-]{1,48}", name)  # Alpaca's own limit is 128


@pytest.mark.parametrize("name", ["", "1dca-2", "DCA-1-base-1", "someone-elses", "dca"])
def test_other_names_are_not_ours(name: str) -> None:
    assert not is_ours(name)
