"""Reading what the control API is sent; what is wrong with it is said in one sentence."""

import json
from decimal import Decimal
from typing import Any

from aiohttp import web

from alpaca_simulator.clock import parse_rfc3339
from alpaca_simulator.decimals import read_decimal

NUMBER_MOST = 10**18


class ControlError(Exception):
    """A request to the control API that makes no sense."""


async def read_body(request: web.Request) -> Any:
    """Given a request, reads its JSON; an empty body is an empty object."""
    text = (await request.read()).decode(errors="replace")
    try:
        return json.loads(text, parse_float=Decimal) if text.strip() else {}
    except (ValueError, RecursionError):
        raise ControlError("the body is not JSON") from None


async def read_object(request: web.Request) -> dict[str, Any]:
    """Given a request, reads its JSON object."""
    body = await read_body(request)
    if not isinstance(body, dict):
        raise ControlError("the body is not a JSON object")
    return body


def text_of(body: dict[str, Any], name: str, default: str | None = None) -> str:
    """Given an object, returns a text of it."""
    value = body.get(name, default)
    if not isinstance(value, str):
        raise ControlError(f"{name} is needed, as a text")
    if not value.isprintable():
        raise ControlError(f"{name} has characters that can't be printed")
    return value


def number_of(
    body: dict[str, Any],
    name: str,
    default: object = None,
    *,
    least: Decimal | int = -NUMBER_MOST,
    most: Decimal | int = NUMBER_MOST,
) -> Decimal:
    """Given an object, returns a number of it, exactly."""
    number = read_decimal(body.get(name, default))
    if number is None:
        raise ControlError(f"{name} is needed, as a number")
    if number < least or number > most:
        raise ControlError(f"{name} is not between {least} and {most}")
    return number


def optional_number(
    body: dict[str, Any], name: str, *, least: Decimal | int = -NUMBER_MOST
) -> Decimal | None:
    """Given an object, returns a number of it, or None when it isn't there."""
    return None if body.get(name) is None else number_of(body, name, least=least)


def flag_of(body: dict[str, Any], name: str, default: bool) -> bool:
    """Given an object, returns a true or false of it."""
    value = body.get(name, default)
    if not isinstance(value, bool):
        raise ControlError(f"{name} is true or false")
    return value


def time_of(body: dict[str, Any], name: str) -> int | None:
    """Given an object, returns a time of it: RFC 3339, or nanoseconds since the epoch."""
    value = body.get(name)
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    moment = parse_rfc3339(value) if isinstance(value, str) else None
    if moment is None:
        raise ControlError(f"{name} is a time, as RFC 3339 or in nanoseconds")
    return moment
