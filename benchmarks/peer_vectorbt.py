"""The same strategy in vectorbt, run in an environment of its own by `backtest.py --peers`.

  peer_vectorbt.py CLOSES.npy SETS    prints JSON: seconds, buys and sells

One order function for all sets, compiled before it is measured; a set is a column.
"""

import json
import sys
import time

import numpy as np
import vectorbt as vbt
from numba import njit
from vectorbt.portfolio.enums import NoOrder
from vectorbt.portfolio.nb import order_nb

AMOUNT, RUNGS, FEE = 20.0, 5, 0.0025
COOLDOWN_POINTS, RESTART = 5, 0.02  # minutes


@njit
def prepare(c):
    """Of each set: average, last fill, rungs, last sale and its point, coins, cost."""
    columns = c.target_shape[1]
    return (np.zeros((columns, 7)),)


@njit
def order(c, state, deviations, profits):
    own, price = state[c.col], c.close[c.i, c.col]
    if own[5] > 0:
        if own[2] < RUNGS and price <= own[1] * (1 - deviations[c.col]):
            own[2] += 1
            return bought(own, price)
        if price >= own[0] * (1 + profits[c.col]):
            size = own[5]
            own[3], own[4], own[5], own[6], own[2] = price, c.i, 0.0, 0.0, 0.0
            return order_nb(-size, price, fees=FEE)
        return NoOrder
    waits = own[3] > 0 and c.i < own[4] + COOLDOWN_POINTS
    if waits and price > own[3] * (1 - RESTART):
        return NoOrder
    return bought(own, price)


@njit
def bought(own, price):
    coins = AMOUNT / price * (1 - FEE)  # the fee is taken in coin
    own[6] += coins * price
    own[5] += coins
    own[0], own[1] = own[6] / own[5], price
    return order_nb(coins, price, fees=FEE)


def run(closes, deviations, profits):
    table = np.repeat(closes[:, None], len(deviations), axis=1)
    return vbt.Portfolio.from_order_func(
        table,
        order,
        deviations,
        profits,
        pre_sim_func_nb=prepare,
        init_cash=1e9,
        max_orders=len(closes) * len(deviations) // 50,
    )


def main():
    closes, sets = np.load(sys.argv[1]), int(sys.argv[2])
    deviations = np.linspace(0.01, 0.029, sets) if sets > 1 else np.array([0.015])
    profits = np.linspace(0.008, 0.017, sets) if sets > 1 else np.array([0.01])
    run(closes[:1000], deviations, profits)
    wall, cpu = time.perf_counter(), time.process_time()
    portfolio = run(closes, deviations, profits)
    took = time.perf_counter() - wall, time.process_time() - cpu
    sides = portfolio.order_records["side"]
    print(
        json.dumps(
            {
                "wall": took[0],
                "cpu": took[1],
                "buys": int((sides == 0).sum()),
                "sells": int((sides == 1).sum()),
            }
        )
    )


if __name__ == "__main__":
    main()
