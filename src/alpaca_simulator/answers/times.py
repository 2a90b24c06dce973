"""Times among the parameters of a request."""

from collections.abc import Mapping

from alpaca_simulator.clock import parse_rfc3339
from alpaca_simulator.exchange.rejections import invalid


def read_time(query: Mapping[str, str], name: str) -> int | None:
    """Given the parameters, reads a time, in nanoseconds; None: not given.  Raises Rejection."""
    text = query.get(name)
    if not text:
        return None
    # "+00:00" arrives as " 00:00" from clients that do not escape it.
    moment = parse_rfc3339(text.replace(" ", "+"))
    if moment is None:
        raise invalid(f"invalid {name}")
    return moment
