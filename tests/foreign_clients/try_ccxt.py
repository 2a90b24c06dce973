"""ccxt and ccxt.pro: their addresses are patched, as they have no environment for them."""

import asyncio
import os

import ccxt
import ccxt.pro
from checks import PATIENCE, complaint, holds, until

PAIR = "BTC/USD"
CREDENTIALS = {"apiKey": os.environ["APCA_API_KEY_ID"], "secret": os.environ["APCA_API_SECRET_KEY"]}


def reads_the_market(exchange) -> None:
    exchange.load_markets()
    assert PAIR in exchange.markets
    assert exchange.fetch_ticker(PAIR)["bid"] > 0
    assert len(exchange.fetch_order_book(PAIR)["asks"]) == 7
    assert len(exchange.fetch_ohlcv(PAIR, "1h", limit=24)) > 0
    # Without `since` the trades begin at midnight, which may be a minute ago; and an hour without
    # one is nothing unusual, since BTC/USD has about a hundred a day.
    two_days_ago = exchange.milliseconds() - 2 * 86_400_000
    assert len(exchange.fetch_trades(PAIR, since=two_days_ago, limit=10)) == 10
    holds("markets, ticker, order book, bars, trades")


def trades(exchange) -> None:
    order = exchange.create_order(PAIR, "market", "buy", 0.1 / 3)
    until(lambda: exchange.fetch_order(order["id"])["status"] == "closed", "a fill")
    resting = exchange.create_order(PAIR, "limit", "buy", 0.01, 30000)
    assert [one["id"] for one in exchange.fetch_open_orders(PAIR)] == [resting["id"]]
    exchange.cancel_order(resting["id"])
    until(lambda: exchange.fetch_open_orders(PAIR) == [], "a cancel")
    assert exchange.fetch_closed_orders(PAIR)
    refused = complaint(
        lambda: exchange.create_order(PAIR, "limit", "buy", 0.0001, 30000), ccxt.BaseError
    )
    assert "minimal amount of order 10" in str(refused), refused
    holds("market and limit orders, lists, cancels, the text of a refusal")


async def hears_both_streams() -> None:
    exchange = ccxt.pro.alpaca(CREDENTIALS)
    exchange.set_sandbox_mode(True)
    try:
        ticker = await asyncio.wait_for(exchange.watch_ticker(PAIR), PATIENCE)
        assert ticker["bid"] > 0
        waiting = asyncio.create_task(exchange.watch_orders(PAIR))
        async with asyncio.timeout(PATIENCE):
            while not waiting.done():
                await exchange.create_order(PAIR, "market", "buy", 0.001)
                await asyncio.wait([waiting], timeout=1)
        assert waiting.result()[0]["symbol"] == PAIR
    finally:
        await exchange.close()
    holds("ticker and orders of ccxt.pro's two streams")


def main() -> None:
    exchange = ccxt.alpaca(CREDENTIALS)
    exchange.set_sandbox_mode(True)
    reads_the_market(exchange)
    trades(exchange)
    asyncio.run(hears_both_streams())


if __name__ == "__main__":
    main()
