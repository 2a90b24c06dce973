"""The parameters and bodies of the trading API, read as Alpaca reads them (docs/alpaca.md 2.3)."""

import json
from collections.abc import Mapping
from dataclasses import fields, replace
from datetime import date
from decimal import Decimal
from typing import Any

from aiohttp import web

from alpaca_simulator.answers.times import read_time
from alpaca_simulator.decimals import NINE_PLACES, round_down
from alpaca_simulator.exchange.account import Configuration
from alpaca_simulator.exchange.assets import Asset
from alpaca_simulator.exchange.drafts import (
    Draft,
    checked,
    read_client_order_id,
    read_positive,
)
from alpaca_simulator.exchange.order_store import OrderQuery
from alpaca_simulator.exchange.orders import Order, TimeInForce
from alpaca_simulator.exchange.rejections import invalid, unprocessable

LIST_LIMIT, LIST_MAXIMUM = 50, 500


def read_closing_qty(held: Decimal, query: Mapping[str, str], asset: Asset) -> Decimal:
    """Given the size of a position, returns how much of it to sell; raises Rejection."""
    if "qty" in query and "percentage" in query:
        raise invalid("only one of qty or percentage is accepted")
    if "qty" in query:
        return round_down(read_positive(query["qty"], "qty"), NINE_PLACES)
    if "percentage" in query:
        percentage = read_positive(query["percentage"], "percentage")
        if percentage > 100:
            raise invalid("percentage must be between 0 and 100")
        return round_down(held * percentage / 100, asset.min_trade_increment)
    return held


def read_json(text: str) -> object:
    """Given a request's text, reads it with exact numbers; raises Rejection when it is none."""
    try:
        return json.loads(text, parse_float=Decimal)
    except (ValueError, RecursionError):
        raise invalid("request body format is invalid") from None


async def read_object(request: web.Request) -> dict[str, Any]:
    """Given a request, reads its body as a JSON object; raises Rejection when it is none."""
    body = read_json((await request.read()).decode(errors="replace"))
    if not isinstance(body, dict):
        raise invalid("request body format is invalid")
    return body


def read_replacement(old: Order, body: Mapping[str, object], *, strict: bool) -> Draft:
    """Given an order and a PATCH body, returns the draft that is to take its place."""
    terms = old.terms
    draft = Draft(
        asset=terms.asset,
        side=terms.side,
        type=terms.type,
        time_in_force=terms.time_in_force,
        qty=old.remaining,
        notional=None,
        limit_price=terms.limit_price,
        stop_price=terms.stop_price,
        client_order_id=read_client_order_id(body),
    )
    if body.get("qty") is not None:
        draft = replace(draft, qty=read_positive(body["qty"], "qty"))
    if body.get("limit_price") is not None:
        draft = replace(draft, limit_price=read_positive(body["limit_price"], "limit price"))
    if body.get("stop_price") is not None:
        draft = replace(draft, stop_price=read_positive(body["stop_price"], "stop price"))
    if body.get("time_in_force") is not None:
        if body["time_in_force"] not in tuple(TimeInForce):
            raise unprocessable("invalid crypto time_in_force")
        draft = replace(draft, time_in_force=TimeInForce(str(body["time_in_force"])))
    return checked(draft, strict=strict)


def read_order_query(query: Mapping[str, str]) -> OrderQuery:
    """Given the parameters of GET /v2/orders, reads them; raises Rejection when they are off."""
    state = query.get("status", "open") or "open"
    if state not in ("open", "closed", "all"):
        raise invalid("invalid order status")
    limit = query.get("limit", str(LIST_LIMIT))
    if not limit.isascii() or not limit.isdecimal() or not int(limit[:9]):
        raise invalid(f"limit must be between 1 and {LIST_MAXIMUM}")
    direction = query.get("direction", "desc") or "desc"
    if direction not in ("asc", "desc"):
        raise invalid("direction must be asc or desc")
    symbols = frozenset(symbol for symbol in query.get("symbols", "").split(",") if symbol)
    crypto = query.get("asset_class", "crypto") in ("crypto", "all", "")
    return OrderQuery(
        state=state,
        limit=min(int(limit[:9]), LIST_MAXIMUM),  # more is answered with that many
        after=read_time(query, "after"),
        until=read_time(query, "until"),
        after_id=query.get("after_order_id"),
        before_id=query.get("before_order_id"),
        ascending=direction == "asc",
        symbols=symbols if crypto else frozenset({"none of another class"}),
        side=query.get("side"),
    )


def read_configuration(old: Configuration, body: Mapping[str, object]) -> Configuration:
    """Given the body of a PATCH, returns the settings that it leads to; raises Rejection."""
    known = {field.name: type(getattr(old, field.name)) for field in fields(old)}
    changes: dict[str, Any] = {name: body[name] for name in body if name in known}
    for name, value in changes.items():
        if type(value) is not known[name]:
            raise invalid(f"{name} is invalid")
    return replace(old, **changes)


def read_day(query: Mapping[str, str], name: str) -> date | None:
    """Given the parameters, reads a day; a time counts as its day. Raises Rejection."""
    text = query.get(name)
    if not text:
        return None
    try:
        return date.fromisoformat(text[:10])
    except ValueError:
        raise invalid(f"invalid {name}") from None
