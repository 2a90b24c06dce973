"""What goes over the wire, byte by byte."""

from decimal import Decimal

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alpaca_simulator.clock import parse_rfc3339, rfc3339
from alpaca_simulator.decimals import wire
from alpaca_simulator.prices.quotes import Quote
from alpaca_simulator.streams.frames import encode_quotes
from alpaca_simulator.streams.outbox import websocket_frame
from tests.builders import CHECKED

prices = st.decimals(min_value=0, max_value=10**9, places=9)
moments = st.integers(min_value=0, max_value=2**34 * 10**9 - 1)
symbols = st.sampled_from(["BTC/USD", "X/Y", "A" * 40 + "/USD"])
quotes = st.builds(Quote, symbols, prices, prices, prices, prices, moments, moments)


@CHECKED
@given(st.lists(quotes, max_size=40))
def test_quotes_are_packed_as_the_library_would_unpack_them(some: list[Quote]) -> None:
    packed = encode_quotes(some, packed=True)
    assert isinstance(packed, bytes)
    found = msgpack.unpackb(packed)
    assert [one.pop("t").to_unix_nano() for one in found] == [quote.at for quote in some]
    assert found == [
        {
            "T": "q",
            "S": quote.symbol,
            "bp": float(quote.bid),
            "bs": float(quote.bid_size),
            "ap": float(quote.ask),
            "as": float(quote.ask_size),
        }
        for quote in some
    ]


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65_535, 65_536])
def test_a_frame_says_its_length(size: int) -> None:
    frame = websocket_frame(b"x" * size)
    head = len(frame) - size
    assert head == (2 if size < 126 else 4 if size < 65_536 else 10)
    length = frame[1] if head == 2 else int.from_bytes(frame[2:head], "big")
    assert (frame[0], length) == (0x82, size)
    assert websocket_frame("é")[:2] == b"\x81\x02"


@CHECKED
@given(moments)
def test_a_time_is_read_as_it_was_written(moment: int) -> None:
    assert parse_rfc3339(rfc3339(moment)) == moment


@CHECKED
@given(st.decimals(min_value=0, max_value=10**12, places=9))
def test_a_decimal_is_written_without_exponent_and_trailing_zeros(value: object) -> None:
    text = wire(Decimal(str(value)))
    assert Decimal(text) == value
    assert "E" not in text.upper()
    assert "." not in text or text[-1] not in ".0"
