"""alpaca-py as its documentation shows it: no address anywhere, numbers as floats divide."""

import os
import threading
import time
from datetime import UTC, datetime, timedelta

from alpaca.common.exceptions import APIError
from alpaca.data.historical import CryptoHistoricalDataClient
from alpaca.data.live import CryptoDataStream
from alpaca.data.requests import (
    CryptoBarsRequest,
    CryptoLatestOrderbookRequest,
    CryptoLatestQuoteRequest,
    CryptoLatestTradeRequest,
    CryptoQuoteRequest,
    CryptoSnapshotRequest,
    CryptoTradesRequest,
)
from alpaca.data.timeframe import TimeFrame
from alpaca.trading.client import TradingClient
from alpaca.trading.enums import AssetClass, OrderSide, QueryOrderStatus, TimeInForce
from alpaca.trading.requests import (
    CreateWatchlistRequest,
    GetAssetsRequest,
    GetCalendarRequest,
    GetOrdersRequest,
    LimitOrderRequest,
    MarketOrderRequest,
)
from alpaca.trading.stream import TradingStream
from checks import complaint, holds, until

KEY, SECRET = os.environ["ALPACA_API_KEY"], os.environ["ALPACA_SECRET_KEY"]
PAIR = "BTC/USD"


def buys_and_sells(client: TradingClient) -> None:
    account = client.get_account()
    assert account.status == "ACTIVE"
    order = client.submit_order(
        MarketOrderRequest(
            symbol=PAIR, qty=0.1 / 3, side=OrderSide.BUY, time_in_force=TimeInForce.GTC
        )
    )
    assert order.qty == "0.033333333", order.qty
    until(lambda: client.get_order_by_id(order.id).status == "filled", "a fill")
    position = client.get_open_position("BTCUSD")
    assert float(position.qty) < 0.0333333
    closing = client.close_position("BTCUSD")
    until(lambda: client.get_order_by_id(closing.id).status == "filled", "a sale")
    assert client.get_all_positions() == []
    holds("account, market orders with unrounded quantities, positions, closing")


def rests_and_cancels(client: TradingClient) -> None:
    order = client.submit_order(
        LimitOrderRequest(
            symbol=PAIR,
            qty=0.01,
            limit_price=30_000 * 1.05,
            side=OrderSide.BUY,
            time_in_force=TimeInForce.GTC,
        )
    )
    listed = client.get_orders(GetOrdersRequest(status=QueryOrderStatus.OPEN, symbols=[PAIR]))
    assert [one.id for one in listed] == [order.id]
    client.cancel_order_by_id(order.id)
    until(lambda: client.get_order_by_id(order.id).status == "canceled", "a cancel")
    small = MarketOrderRequest(
        symbol=PAIR, notional=5, side=OrderSide.BUY, time_in_force=TimeInForce.GTC
    )
    refused = complaint(lambda: client.submit_order(small), APIError)
    assert "\\u003e= minimal amount of order 10" in str(refused), refused
    assert refused.code == 40310000
    holds("limit orders, lists, cancels, the text of a refusal")


def looks_around(client: TradingClient) -> None:
    assets = client.get_all_assets(GetAssetsRequest(asset_class=AssetClass.CRYPTO))
    assert len(assets) == 73
    assert client.get_asset("BTCUSD").symbol == PAIR
    assert client.get_clock().next_open > client.get_clock().timestamp
    assert client.get_calendar(GetCalendarRequest())
    configuration = client.get_account_configurations()
    assert client.set_account_configurations(configuration).suspend_trade is False
    made = client.create_watchlist(CreateWatchlistRequest(name="mine", symbols=[PAIR]))
    assert client.get_watchlist_by_id(made.id).assets[0].symbol == PAIR
    client.delete_watchlist_by_id(made.id)
    if hasattr(client, "get_portfolio_history"):
        assert client.get_portfolio_history().equity
    holds("73 assets, clock, calendar, configurations, watchlists, portfolio history")


def reads_the_market() -> None:
    data = CryptoHistoricalDataClient()
    year_ago = datetime.now(UTC) - timedelta(days=365)
    bars = data.get_crypto_bars(
        CryptoBarsRequest(symbol_or_symbols=[PAIR], timeframe=TimeFrame.Day, start=year_ago)
    )
    assert len(bars[PAIR]) >= 364
    assert min(bar.volume for bar in bars[PAIR]) > 0
    yesterday = {"start": datetime.now(UTC) - timedelta(days=1), "limit": 50}
    assert data.get_crypto_trades(CryptoTradesRequest(symbol_or_symbols=PAIR, **yesterday))[PAIR]
    if hasattr(data, "get_crypto_quotes"):
        asked = CryptoQuoteRequest(symbol_or_symbols=PAIR, **yesterday)
        assert data.get_crypto_quotes(asked)[PAIR]
    quote = data.get_crypto_latest_quote(CryptoLatestQuoteRequest(symbol_or_symbols=PAIR))[PAIR]
    assert quote.ask_price > quote.bid_price
    assert data.get_crypto_latest_trade(CryptoLatestTradeRequest(symbol_or_symbols=PAIR))[PAIR]
    asked = CryptoLatestOrderbookRequest(symbol_or_symbols=PAIR)
    assert len(data.get_crypto_latest_orderbook(asked)[PAIR].asks) == 7
    snapshot = data.get_crypto_snapshot(CryptoSnapshotRequest(symbol_or_symbols=PAIR))[PAIR]
    assert snapshot.latest_trade
    assert snapshot.previous_daily_bar
    holds("a year of bars with volume, trades and quotes of yesterday, book, snapshot")


def hears_both_streams(client: TradingClient) -> None:
    heard: list[str] = []
    trading, data = TradingStream(KEY, SECRET, paper=True), CryptoDataStream(KEY, SECRET)

    async def on_update(update) -> None:
        heard.append(str(update.event))

    async def on_quote(quote) -> None:
        heard.append("quote")

    trading.subscribe_trade_updates(on_update)
    data.subscribe_quotes(on_quote, PAIR)
    for stream in (trading, data):
        threading.Thread(target=stream.run, daemon=True).start()
    until(lambda: "quote" in heard, "quotes")

    def buys() -> bool:
        client.submit_order(
            MarketOrderRequest(
                symbol=PAIR, notional=20, side=OrderSide.BUY, time_in_force=TimeInForce.GTC
            )
        )
        time.sleep(0.5)
        return any("fill" in one for one in heard)

    until(buys, "a fill on the stream")
    holds("quotes and trade updates of both streams, its own reconnecting classes")


def main() -> None:
    client = TradingClient(KEY, SECRET, paper=True)
    buys_and_sells(client)
    rests_and_cancels(client)
    looks_around(client)
    reads_the_market()
    hears_both_streams(client)


if __name__ == "__main__":
    main()
    os._exit(0)  # the streams' threads would go on
