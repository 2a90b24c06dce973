"""Alpaca's words in our types: recorded payloads, and recorded payloads that were broken."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgpack import Timestamp

from dca_bot.broker import translate
from dca_bot.broker.translate import Unreadable
from dca_bot.core.model import Order, OrderKind, OrderStatus, Quote, Side
from tests.broker.recorded import (
    ACCOUNT,
    ASSET,
    POSITION,
    QUOTE,
    fill,
    load,
    needs_collection,
    order,
)
from tests.builders import an_order

AT = datetime(2024, 3, 12, 10, 29, 43, 111588, tzinfo=UTC)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text("01.-eE/Z ", max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab", max_size=3), inner),
    max_leaves=5,
)


def our_order(quantity: str, limit_price: str | None, kind: OrderKind = OrderKind.BASE) -> Order:
    return an_order(
        kind=kind, quantity=quantity, limit_price=limit_price, status=OrderStatus.INTENDED
    )


# -- quotes


def test_a_quotes_floats_become_the_decimals_that_they_show() -> None:
    assert translate.quote(QUOTE) == Quote("BAT/USD", Decimal("0.35718"), Decimal("0.3581"), AT)


@pytest.mark.parametrize(
    "at", [Timestamp(1_710_239_383, 111_588_173), AT, "2024-03-12T06:29:43.111588173-04:00"]
)
def test_a_quotes_time_is_utc_in_whichever_form_it_came(at: Any) -> None:
    quote = translate.quote(QUOTE | {"t": at})
    assert quote is not None
    assert (quote.at, quote.at.tzinfo) == (AT, UTC)


@pytest.mark.parametrize(
    "change",
    [
        {"bp": 0},
        {"bp": -1.0},
        {"ap": 0.35717},
        {"bp": None},
        {"ap": float("nan")},
        {"ap": float("inf")},
        {"bp": True},
        {"bp": "many"},
        {"bp": []},
        {"S": None},
        {"S": ""},
        {"t": None},
        {"t": "yesterday"},
        {"ap": 1e10},  # what no price column holds
        {"t": "2024-03-12T10:29:43"},
        {"t": 17},
        {"t": Timestamp(2**33 * 40, 0)},
    ],
)
def test_a_quote_that_nobody_should_act_upon_is_refused(change: dict[str, Any]) -> None:
    assert translate.quote(QUOTE | change) is None


@pytest.mark.parametrize("field", ["S", "bp", "ap", "t"])
def test_a_quote_without_a_field_is_refused(field: str) -> None:
    assert translate.quote({key: value for key, value in QUOTE.items() if key != field}) is None


def test_a_quote_with_equal_bid_and_ask_is_fine() -> None:
    assert translate.quote(QUOTE | {"bp": 0.3581}) is not None


@given(st.dictionaries(st.sampled_from(["T", "S", "bp", "ap", "t"]), ANYTHING))
def test_no_quote_at_all_makes_it_raise(raw: dict[str, Any]) -> None:
    quote = translate.quote(raw)
    assert quote is None or 0 < quote.bid <= quote.ask


def test_latest_quotes_leave_out_what_cannot_be_acted_upon() -> None:
    raw = {"quotes": {"BAT/USD": QUOTE, "A/USD": QUOTE | {"bp": 0}, "B/USD": None}}
    assert list(translate.latest_quotes(raw)) == ["BAT/USD"]


@pytest.mark.parametrize("raw", [None, [], {}, {"quotes": None}, "quotes"])
def test_an_answer_without_quotes_is_not_taken_for_no_quotes(raw: Any) -> None:
    with pytest.raises(Unreadable):
        translate.latest_quotes(raw)


# -- orders


def test_an_order_object_says_everything_that_the_books_need() -> None:
    update = translate.order_update(order())
    assert update.client_order_id == "dca-7-tp-1"
    assert update.alpaca_order_id == "b28e2b24-b1b2-40cc-8979-63f45e8edc02"
    assert (update.symbol, update.side) == ("DOGE/USD", Side.SELL)
    assert update.status is OrderStatus.FILLED
    assert update.filled_quantity == Decimal("129.7")
    assert update.filled_average_price == Decimal("0.0851119")
    assert update.created_at == datetime(2026, 9, 18, 13, 24, 50, 18261, tzinfo=UTC)


@pytest.mark.parametrize(
    ("word", "status"),
    [
        *((word, OrderStatus.OPEN) for word in translate.WORDS_FOR_OPEN),
        ("filled", OrderStatus.FILLED),
        ("canceled", OrderStatus.CANCELED),
        ("expired", OrderStatus.EXPIRED),
        ("rejected", OrderStatus.REJECTED),
    ],
)
def test_every_known_status_word_has_its_meaning(word: str, status: OrderStatus) -> None:
    assert translate.order_update(order(status=word)).status is status


def test_a_replaced_order_goes_on_in_its_successor() -> None:
    update = translate.order_update(order(status="replaced", replaced_by="b28e2b24"))
    assert (update.status, update.replaced_by) == (OrderStatus.OPEN, "b28e2b24")


def test_a_replaced_order_whose_successor_is_not_named_is_in_doubt() -> None:
    with pytest.raises(translate.Unreadable):
        translate.order_update(order(status="replaced", replaced_by=None))


def test_a_canceled_order_keeps_its_filled_part() -> None:
    update = translate.order_update(order(status="canceled", filled_qty="0.5"))
    assert update.filled_quantity == Decimal("0.5")


@pytest.mark.parametrize(
    "change",
    [
        {"status": "frobnicated"},
        {"status": None},
        {"status": ...},
        {"side": "hold"},
        {"side": ...},
        {"id": ...},
        {"id": 5},
        {"client_order_id": ""},
        {"symbol": None},
        {"filled_qty": ...},
        {"filled_qty": None},
        {"filled_qty": ""},
        {"filled_qty": "NaN"},
        {"filled_qty": "-1"},
        {"filled_qty": "0"},
        {"filled_qty": True},
        {"filled_avg_price": None},
        {"filled_avg_price": "0"},
        {"filled_avg_price": "Infinity"},
    ],
)
def test_a_doubt_about_state_identity_or_quantity_is_never_guessed_away(
    change: dict[str, Any],
) -> None:
    with pytest.raises(Unreadable):
        translate.order_update(order(**change))


def test_what_cannot_be_read_says_which_order_to_ask_for() -> None:
    with pytest.raises(Unreadable) as caught:
        translate.trade_update(fill(order(status="frobnicated")))
    assert (caught.value.client_order_id, caught.value.symbol) == ("dca-7-tp-1", "DOGE/USD")


def test_everything_else_may_be_new_missing_or_strange() -> None:
    strange = order(created_at="soon", qty=..., type="iceberg", asset_class=..., brand_new=[1])
    update = translate.order_update(strange)
    assert update.created_at is None
    assert update.status is OrderStatus.FILLED


@given(st.fixed_dictionaries({}, optional={name: ANYTHING for name in order()}))
def test_a_broken_order_raises_unreadable_and_nothing_else(changes: dict[str, Any]) -> None:
    try:
        update = translate.order_update(order() | changes)
    except Unreadable:
        return
    assert update.filled_quantity == 0 or update.filled_average_price


# -- the trade stream


def test_a_fill_tells_the_position_along_with_it() -> None:
    update = translate.trade_update(fill(position_qty="0.000018141"))
    assert update is not None
    assert update.position_quantity == Decimal("0.000018141")


@pytest.mark.parametrize(
    ("shown", "meant"),
    [
        ("0.20000000000000001", "0.2"),
        ("0.19949999999999999", "0.1995"),
        ("1234.5600000000001", "1234.5600000000001"),
        ("1e-17", "0"),
        ("70000", "70000"),
    ],
)
def test_a_quantity_with_the_noise_of_floats_is_the_nearest_that_a_column_holds(
    shown: str, meant: str
) -> None:
    position = POSITION | {"qty": shown, "qty_available": shown}
    read = translate.holding(position, "BTC")
    assert (read.quantity, read.available) == (Decimal(meant), Decimal(meant))
    assert str(read.quantity) == meant
    update = translate.trade_update(
        fill(order(filled_qty="0.20000000000000001"), position_qty=shown)
    )
    assert update is not None
    assert (update.filled_quantity, update.position_quantity) == (Decimal("0.2"), Decimal(meant))


@pytest.mark.parametrize("shown", ["1e15", "1e400"])
def test_a_quantity_that_no_column_holds_is_unreadable(shown: str) -> None:
    with pytest.raises(Unreadable):
        translate.holding(POSITION | {"qty": shown}, "BTC")
    with pytest.raises(Unreadable):
        translate.order_update(order(filled_qty=shown))


def test_other_events_have_no_position_to_tell() -> None:
    update = translate.trade_update(fill(event="canceled", position_qty="5"))
    assert update is not None
    assert update.position_quantity is None


@pytest.mark.parametrize("position", [None, "", "much", float("nan")])
def test_an_unreadable_position_does_not_cost_the_fill(position: Any) -> None:
    update = translate.trade_update(fill(position_qty=position))
    assert update is not None
    assert update.filled_quantity == Decimal("129.7")
    assert update.position_quantity is None


def test_an_event_that_nobody_listed_is_as_good_as_its_order() -> None:
    update = translate.trade_update(fill(event="frobnicated"))
    assert update is not None
    assert update.status is OrderStatus.FILLED


@pytest.mark.parametrize(
    "raw",
    [
        {"stream": "trade_updates", "data": None},
        {"stream": "listening", "data": {"streams": ["trade_updates"]}},
        {"stream": "authorization", "data": {"status": "authorized"}},
        {},
    ],
)
def test_messages_about_no_order_are_nothing(raw: dict[str, Any]) -> None:
    assert translate.trade_update(raw) is None


@pytest.mark.parametrize("data", [{}, [], "fill", 7, {"order": None}, {"order": []}])
def test_a_trade_update_without_an_order_is_unreadable(data: Any) -> None:
    with pytest.raises(Unreadable):
        translate.trade_update({"stream": "trade_updates", "data": data})


# -- account, positions, assets


def test_what_keeps_an_account_from_trading_is_said() -> None:
    assert translate.account(ACCOUNT).problem == ""
    assert translate.account(ACCOUNT).cash_available == Decimal("99990.5")
    for change in (
        {"status": "ONBOARDING"},
        {"crypto_status": "INACTIVE"},
        {"trading_blocked": True},
        {"account_blocked": True},
        {"trade_suspended_by_user": True},
    ):
        problem = translate.account(ACCOUNT | change).problem
        assert next(iter(change)).split("_")[0] in problem


def test_an_account_without_readable_cash_is_unreadable() -> None:
    with pytest.raises(Unreadable):
        translate.account(ACCOUNT | {"non_marginable_buying_power": "lots"})


def test_an_asset_is_found_under_each_of_its_names() -> None:
    names = translate.symbols_by_name([ASSET])
    assert set(names) == {"BTC/USD", "BTCUSD", ASSET["id"]}
    assert set(names.values()) == {"BTC/USD"}


def test_a_name_that_could_mean_two_assets_means_none() -> None:
    twins = [ASSET | {"symbol": "AB/CUSD", "id": "1"}, ASSET | {"symbol": "ABC/USD", "id": "2"}]
    names = translate.symbols_by_name(twins)
    assert "ABCUSD" not in names
    assert (names["1"], names["2"]) == ("AB/CUSD", "ABC/USD")


def test_a_position_has_its_whole_and_its_available_quantity() -> None:
    held = translate.holding(POSITION, "BTC/USD")
    assert (held.quantity, held.available) == (Decimal("2.61937"), Decimal("2.5"))
    assert held.average_entry_price == Decimal("19660.5738784516887649")


def test_a_position_that_says_nothing_of_what_is_available_is_available_as_a_whole() -> None:
    raw = {name: value for name, value in POSITION.items() if name != "qty_available"}
    assert translate.holding(raw, "BTC").available == Decimal("2.61937")


def test_each_step_is_read_from_its_own_field() -> None:
    raw = ASSET | {"min_trade_increment": "0.0001", "price_increment": "0.01"}
    rules = translate.asset_rules([raw])["BTC/USD"]
    assert rules.min_trade_increment == Decimal("0.0001")
    assert rules.price_increment == Decimal("0.01")


@pytest.mark.parametrize("field", ["min_trade_increment", "price_increment"])
def test_an_unreadable_step_leaves_the_asset_out(field: str) -> None:
    assert translate.asset_rules([ASSET | {field: "0"}]) == {}


@pytest.mark.parametrize("field", ["qty", "qty_available", "avg_entry_price"])
def test_a_position_with_an_unreadable_quantity_is_not_a_position_of_zero(field: str) -> None:
    with pytest.raises(Unreadable):
        translate.holding(POSITION | {field: "?"}, "BTC/USD")


def test_shares_and_options_are_none_of_our_business() -> None:
    rows = [POSITION, POSITION | {"asset_class": "us_equity", "symbol": "AAPL"}]
    assert translate.crypto_only(rows, "positions") == [POSITION]


@pytest.mark.parametrize(
    ("change", "tradable"),
    [({}, True), ({"tradable": False}, False), ({"status": "inactive"}, False)],
)
def test_an_asset_is_tradable_when_alpaca_says_so(change: dict[str, Any], tradable: bool) -> None:
    assert translate.asset_rules([ASSET | change])["BTC/USD"].tradable is tradable


def test_steps_that_are_left_out_are_the_finest_and_unreadable_ones_leave_the_asset_out() -> None:
    bare = {"symbol": "A/USD", "tradable": True}
    broken = ASSET | {"price_increment": "0"}
    rules = translate.asset_rules([bare, broken, {}, ASSET | {"symbol": 5}])
    assert list(rules) == ["A/USD"]
    assert rules["A/USD"].price_increment == Decimal("0.000000001")


@pytest.mark.parametrize("raw", [None, {}, "[]", [None], [[]]])
def test_an_answer_that_is_no_list_of_objects_is_not_an_empty_list(raw: Any) -> None:
    for read in (translate.asset_rules, translate.order_page, translate.symbols_by_name):
        with pytest.raises(Unreadable):
            read(raw)


# -- what we say


def test_an_order_is_sent_in_exact_decimals() -> None:
    assert translate.order_body(our_order("0.000311000", "64120.50"), "BTC/USD") == {
        "symbol": "BTC/USD",
        "side": "buy",
        "type": "limit",
        "time_in_force": "gtc",
        "qty": "0.000311",
        "limit_price": "64120.5",
        "client_order_id": "dca-1-base-1",
    }


def test_a_sell_is_a_market_order_without_a_price() -> None:
    body = translate.order_body(our_order("1E+3", None, OrderKind.TAKE_PROFIT), "SHIB/USD")
    assert (body["side"], body["type"], body["qty"]) == ("sell", "market", "1000")
    assert "limit_price" not in body


@given(st.decimals(min_value="1e-9", max_value="1e13", places=9))
def test_no_quantity_is_ever_changed_by_sending_it(quantity: Decimal) -> None:
    text = translate.order_body(our_order(str(quantity), None), "X/USD")["qty"]
    assert Decimal(text) == quantity
    assert "E" not in text.upper()


# -- the collection


@needs_collection
def test_the_recorded_sale_of_2026_is_read_event_by_event() -> None:
    messages = load("trade_updates_2026-09-18_doge_market_sell.json")["_received"]
    updates = [update for raw in messages if (update := translate.trade_update(raw))]
    assert [update.status for update in updates] == [
        OrderStatus.OPEN,
        OrderStatus.OPEN,
        OrderStatus.FILLED,
    ]
    assert updates[-1].position_quantity == 0


@needs_collection
def test_the_recorded_buys_of_2024_show_the_position_net_of_the_fee() -> None:
    updates = [translate.trade_update(raw) for raw in load("trade_updates_btc_fills_2024.json")]
    assert [(each.filled_quantity, each.position_quantity) for each in updates if each] == [
        (Decimal("0.000018187"), Decimal("0.000018141")),
        (Decimal("0.00001"), Decimal("0.000009975")),
        (Decimal("0.0001"), Decimal("0.00009975")),
    ]


@needs_collection
def test_the_recorded_lists_and_accounts_are_read() -> None:
    assets = load("assets_crypto_2026-09.json")
    assert len(translate.asset_rules(assets)) == 73
    assert len(set(translate.symbols_by_name(assets).values())) == 73
    for name in ("account_paper_2026-07.json", "account_live_cash_2024-12.json"):
        assert translate.account(load(name)).problem == ""
    assert translate.holding(load("position_crypto_docs_2022.json"), "BTC/USD").quantity
    old_fill = load("trading_ws_control.json")["docs_fill_2022"]
    update = translate.trade_update(old_fill)
    assert update is not None
    assert update.created_at == datetime(2022, 4, 19, 17, 45, 4, 981350, tzinfo=UTC)


@needs_collection
def test_the_recorded_orders_are_read() -> None:
    def orders(node: Any) -> list[Any]:
        if isinstance(node, dict):
            found = [node] if "client_order_id" in node and "filled_qty" in node else []
            return found + [each for value in node.values() for each in orders(value)]
        return [each for value in node for each in orders(value)] if isinstance(node, list) else []

    recorded = orders(load("orders_post_btc_2024.json"))
    assert recorded
    assert all(translate.order_update(each).client_order_id for each in recorded)


def test_an_order_that_has_ended_tells_when_and_an_open_one_does_not() -> None:
    ended = {"status": "canceled", "filled_at": None, "canceled_at": "2026-01-01T12:00:05Z"}
    update = translate.order_update(order() | ended)
    assert update.ended_at == datetime(2026, 1, 1, 12, 0, 5, tzinfo=UTC)
    assert translate.order_update(order() | ended | {"status": "new"}).ended_at is None


def test_a_reason_is_the_first_text_that_tells_one() -> None:
    texts = {"reason": 7, "reject_reason": "", "message": "too small"}
    assert translate.order_update(order() | texts).reason == "too small"


def test_the_next_page_of_orders_begins_where_this_one_ends() -> None:
    page = translate.order_page([order() | {"submitted_at": "2026-01-01T12:00:05Z"}])
    assert page.last_submitted_at == datetime(2026, 1, 1, 12, 0, 5, tzinfo=UTC)
    unclear = translate.order_page([order() | {"submitted_at": "soon"}])
    assert unclear.last_submitted_at is None


def test_a_price_of_less_than_a_dollar_is_a_price_and_none_at_all_is_not() -> None:
    update = translate.order_update(order(filled_avg_price="0.5"))
    assert update.filled_average_price == Decimal("0.5")
    assert translate.quote(QUOTE | {"bp": 0.5, "ap": 0.6}) is not None
    for price in ("0", "-0.5"):
        with pytest.raises(Unreadable):
            translate.order_update(order(filled_avg_price=price))


def test_only_pairs_have_names_whatever_else_the_list_holds() -> None:
    others = [{"symbol": "AAPL", "id": "1"}, {"symbol": None, "id": "2"}, {"id": "3"}]
    assert translate.symbols_by_name([*others, ASSET]) == translate.symbols_by_name([ASSET])
