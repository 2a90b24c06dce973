"""The trade itself: quotes come in, cycles go round.

Rule: prices can't be set on the paper account, so a scenario moves the row instead of the market;
a row that was edited by hand is a legal state for the bot.
"""

from __future__ import annotations

from decimal import Decimal

from dca_integration.stage import ASK_ALPACA_SECONDS, FIRST, SECOND, Stage

# Ten percent: far enough for any trigger here, whatever the market does meanwhile.
DOWN, UP = Decimal("0.9"), Decimal("1.1")


def both_streams(stage: Stage) -> None:
    """main_app.py connects to both, hears quotes, is well, and ends when it is told to."""
    asset_id = stage.add_asset(FIRST)
    stage.add_cycle(asset_id, "cooldown")  # which wants quotes, and buys nothing
    bot = stage.start_bot()
    stage.bot_says("trade stream connected")
    stage.bot_says("quote stream connected")
    ages = ("quote_age_seconds", "trade_stream_age_seconds")
    stage.soon(
        f"{' and '.join(ages)} in the heartbeat file",
        lambda: [stage.programs.heartbeat().get(name) for name in ages],
        "numbers",
        lambda found: None not in found,
    )
    stage.run("watchdog.py", "--status")
    stage.claim("orders", stage.orders(asset_id), 0)
    stage.claim("exit status of main_app.py after SIGTERM", stage.programs.end_bot(bot), 0)


def full_cycle(stage: Stage) -> None:
    """Base order, take profit, cooldown, and the next base order."""
    asset_id = stage.add_asset(FIRST, take_profit_percent=Decimal(5), cooldown_period=1)
    stage.start_bot()
    bought = stage.bought(asset_id)
    stage.claim("its last_order_fill_price", bought.last_fill, bought.average)
    stage.books_match(asset_id, FIRST)
    stage.step("lower its average_purchase_price by 10 %, as if the price had risen")
    stage.books.write(
        "UPDATE dca_cycles SET average_purchase_price = average_purchase_price * %s", (DOWN,)
    )
    sold = stage.completes(asset_id)
    stage.claim_that(
        "its completed_at",
        sold.completed_at,
        holds=sold.completed_at is not None,
        expected="a time",
    )
    order = stage.account.order(sold.latest_order_id or "")
    stage.same_price("dca_assets.last_sell_price", stage.last_sell_price(asset_id), order.price)
    stage.nothing_held(FIRST)
    stage.claim("the next cycle", stage.cycle(asset_id).status, "cooldown")
    stage.step("let the cooldown of one second pass")
    stage.soon(
        "cooldown_manager.py",
        lambda: stage.programs.run("cooldown_manager.py").last_line,
        "ended=1",
        lambda line: "ended=1" in line,
    )
    stage.bought(asset_id)
    # what has filled in part may have been cleared away as well
    ((filled,),) = stage.books.rows(
        "SELECT COUNT(*) FROM dca_orders WHERE kind = 'base' AND filled_quantity > 0"
    )
    stage.claim("base orders filled", filled, 2)


def restart_by_price(stage: Stage) -> None:
    """A price far below the last sale ends the cooldown before its time."""
    asset_id = stage.add_asset(FIRST)
    stage.add_cycle(asset_id, "cooldown")
    stage.start_bot()
    stage.bot_says("quote stream connected")
    stage.claim("the cycle", stage.cycle(asset_id).status, "cooldown")
    price = stage.account.price(FIRST)
    stage.step(f"write a last_sell_price three times the market's, {3 * price:.2f}")
    stage.books.write("UPDATE dca_assets SET last_sell_price = %s", (3 * price,))
    stage.bot_says("cooldown cut short by the price")
    stage.bought(asset_id)


def safety_order(stage: Stage) -> None:
    """A fallen price buys one safety order, and not a second one beyond the maximum."""
    asset_id = stage.add_asset(SECOND, max_safety_orders=1)
    stage.start_bot()
    first = stage.bought(asset_id)
    stage.step("raise its last_order_fill_price by 10 %, as if the price had fallen")
    raise_it = "UPDATE dca_cycles SET last_order_fill_price = last_order_fill_price * %s"
    stage.books.write(raise_it, (UP,))
    second = stage.traded(
        asset_id,
        "cycle after its safety order",
        "watching, with one safety order",
        lambda cycle: cycle.safety_orders == 1 and cycle.status == "watching",
    )
    stage.claim_that(
        "its quantity",
        f"{second.quantity:f}",
        holds=Decimal("1.5") < second.quantity / first.quantity < Decimal("2.5"),
        expected=f"about twice {first.quantity:f}",
    )
    # one that the market has left behind may have been cleared away before
    ((price,),) = stage.books.rows(
        "SELECT filled_average_price FROM dca_orders WHERE kind = 'safety' AND filled_quantity > 0"
    )
    stage.claim("its last_order_fill_price", second.last_fill, price)
    prices = sorted([first.average, second.last_fill or Decimal(0)])
    stage.claim_that(
        "its average_purchase_price",
        second.average,
        holds=prices[0] <= second.average <= prices[1],
        expected=f"between {prices[0]} and {prices[1]}",
    )
    stage.books_match(asset_id, SECOND)
    placed = stage.orders(asset_id, kind="safety")
    stage.step("raise it again: the maximum is one")
    stage.books.write(raise_it, (UP,))
    # what the bot sees of the next row proves that it has seen this one
    other = stage.add_asset(FIRST)
    stage.bought(other)
    stage.claim("safety orders", stage.orders(asset_id, kind="safety"), placed)


def existing_position(stage: Stage) -> None:
    """Coins that the bot did not buy stop the base order, until they are gone."""
    stage.buy_by_hand(SECOND)
    asset_id = stage.add_asset(SECOND)
    stage.start_bot()
    stage.bot_says("that the bot did not buy")
    stage.claim("orders that the bot has written down", stage.orders(asset_id), 0)
    stage.claim("open orders at Alpaca", stage.account.open_orders(), [])
    stage.claim("the cycle", stage.cycle(asset_id).status, "watching")
    stage.step(f"sell {SECOND} by hand")
    since = stage.account.now()
    stage.account.sell_all(SECOND)
    # not "nothing is held": the bot may buy as soon as they are gone
    stage.soon(
        f"sales of {SECOND} at Alpaca",
        lambda: [
            each.status for each in stage.account.orders_of(SECOND, since) if each.side == "sell"
        ],
        "one, filled",
        lambda found: found == ["filled"],
        every=ASK_ALPACA_SECONDS,
    )
    stage.step("edit the row, which ends the pause")
    stage.books.write("UPDATE dca_assets SET cooldown_period = cooldown_period + 1")
    stage.bought(asset_id)
    stage.books_match(asset_id, SECOND)
