"""alpaca-trade-api, the older SDK: addresses from the environment, old paths and old streams."""

import os
import threading
import time
from datetime import UTC, datetime, timedelta

import alpaca_trade_api as tradeapi
from checks import complaint, holds, until

PAIR = "BTC/USD"


def trades(api) -> None:
    assert api.get_account().status == "ACTIVE"
    order = api.submit_order(
        symbol=PAIR, qty=0.1 / 3, side="buy", type="market", time_in_force="gtc"
    )
    until(lambda: api.get_order(order.id).status == "filled", "a fill")
    assert float(api.get_position("BTCUSD").qty) > 0.0332
    api.close_position("BTCUSD")
    until(lambda: api.list_positions() == [], "a sale")
    resting = api.submit_order(
        symbol=PAIR, qty=0.01, side="buy", type="limit", time_in_force="gtc", limit_price=30000
    )
    assert [one.id for one in api.list_orders()] == [resting.id]
    api.cancel_all_orders()
    until(lambda: api.list_orders() == [], "a cancel")
    small = {"symbol": PAIR, "notional": 5, "side": "buy", "type": "market", "time_in_force": "gtc"}
    refused = complaint(lambda: api.submit_order(**small), tradeapi.rest.APIError)
    assert "minimal amount of order 10" in str(refused), refused
    holds("account, market and limit orders, positions, closing, the text of a refusal")


def looks_around(api) -> None:
    assert len(api.list_assets(asset_class="crypto")) == 73
    assert api.get_clock().next_open
    assert api.get_calendar(start="2026-11-02", end="2026-11-06")
    assert api.get_portfolio_history(period="1D", timeframe="5Min").equity
    assert api.get_activities(activity_types="FILL")
    made = api.create_watchlist("mine", symbols=[PAIR])
    api.delete_watchlist(made.id)
    holds("assets, clock, calendar, portfolio history, activities, watchlists")


def reads_the_market(api) -> None:
    day = datetime.now(UTC) - timedelta(days=30)
    bars = api.get_crypto_bars(PAIR, tradeapi.TimeFrame.Day, start=f"{day:%Y-%m-%d}")
    assert len(bars) >= 29
    assert api.get_latest_crypto_quotes([PAIR])[PAIR].ap > 0
    assert api.get_crypto_snapshots([PAIR])[PAIR].latest_trade.p > 0
    holds("bars, latest quotes, snapshots")


def hears_both_streams(api) -> None:
    heard: list[str] = []
    stream = tradeapi.stream.Stream(raw_data=True)

    async def on_quote(_quote) -> None:
        heard.append("quote")

    async def on_update(update) -> None:
        heard.append(update.get("data", update)["event"])

    stream.subscribe_crypto_quotes(on_quote, PAIR)
    stream.subscribe_trade_updates(on_update)
    threading.Thread(target=stream.run, daemon=True).start()
    until(lambda: "quote" in heard, "quotes")

    def buys() -> bool:
        api.submit_order(symbol=PAIR, notional=20, side="buy", type="market", time_in_force="gtc")
        time.sleep(0.5)
        return "fill" in heard

    until(buys, "a fill on the stream")
    holds("quotes and trade updates of both streams")


def main() -> None:
    api = tradeapi.REST()
    trades(api)
    looks_around(api)
    reads_the_market(api)
    hears_both_streams(api)


if __name__ == "__main__":
    main()
    os._exit(0)  # the streams' threads would go on
