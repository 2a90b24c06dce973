"""Reads both sides for the auditor: the tables over SQL, the exchange over its control API."""

from __future__ import annotations

from contextlib import closing
from decimal import Decimal

from dca_bot.program.settings import DatabaseSettings
from tests.helpers import Simulator, sql_client
from tests.proofs.storms.auditor import Books, Row, always, complaints

__all__ = ["Books", "Row", "always", "complaints", "read_books", "rows"]


def read_books(database: DatabaseSettings, exchange: Simulator) -> Books:
    # not over /v2/positions: that one is lied about in a storm
    record = exchange.get("/sim/record")
    free, held = record["balances"]["free"], record["balances"]["held"]
    coins = {coin: Decimal(free[coin]) + Decimal(held.get(coin, 0)) for coin in free}
    return Books(
        assets=rows(database, "SELECT * FROM dca_assets ORDER BY id"),
        cycles=rows(database, "SELECT * FROM dca_cycles ORDER BY id"),
        orders=rows(database, "SELECT * FROM dca_orders ORDER BY id"),
        record=record,
        coins=coins,
    )


def rows(database: DatabaseSettings, sql: str) -> list[Row]:
    connection = sql_client(database)
    connection.time_zone = "+00:00"
    with closing(connection), closing(connection.cursor(dictionary=True)) as cursor:
        cursor.execute(sql)
        return list(cursor.fetchall())
