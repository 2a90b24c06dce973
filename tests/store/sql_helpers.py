"""What the tests of the real store share: the user's SQL client, and the world on MariaDB."""

from collections.abc import Sequence

from dca_bot.core.model import Asset
from dca_bot.program.settings import DatabaseSettings
from dca_bot.store.assets import ASSETS
from dca_bot.store.connection import Session
from dca_bot.store.failures import Failure
from dca_bot.store.mysql_store import MySqlStore
from dca_bot.store.values import Row, Value

INSERT_ASSET = f"""
INSERT INTO dca_assets ({ASSETS.all()}) VALUES ({ASSETS.places()})
"""  # noqa: S608 - names of columns

NO_SUCH_CONNECTION = 1094


class SqlClient:
    """A user's own connection, whose statements are committed at once."""

    def __init__(self, database: DatabaseSettings) -> None:
        self._session = Session(database, 5)

    def run(self, sql: str, *params: Value) -> None:
        self._session.write(sql, params)
        self._session.commit()

    def rows(self, sql: str, *params: Value) -> list[Row]:
        rows = self._session.rows(sql, params)
        self._session.commit()
        return rows

    def value(self, sql: str, *params: Value) -> Value:
        return self.rows(sql, *params)[0][0]

    def connections(self) -> list[Value]:
        """The numbers of all other connections to this database."""
        return [
            row[0]
            for row in self.rows(
                "SELECT id FROM information_schema.processlist"
                " WHERE db = DATABASE() AND id <> CONNECTION_ID()"
            )
        ]

    def kill(self, connections: Sequence[Value]) -> None:
        for connection in connections:
            try:
                self.run("KILL %s", connection)
            except Failure as failure:  # an earlier client's, which has gone by itself meanwhile
                if failure.number != NO_SUCH_CONNECTION:
                    raise

    def create_user(self, name: str, password: str, database: str, *privileges: str) -> None:
        """A user with these privileges ("SELECT") in one database."""
        self.run("CREATE USER %s IDENTIFIED BY %s", name, password)
        self.grant(name, database, *privileges)

    def grant(self, name: str, database: str, *privileges: str) -> None:
        """More privileges for a user."""
        self.run(f"GRANT {', '.join(privileges)} ON `{database}`.* TO %s", name)

    def drop_user(self, name: str) -> None:
        self.run("DROP USER %s", name)

    def close(self) -> None:
        self._session.close()


class MySqlWorld:
    def __init__(self, database: DatabaseSettings) -> None:
        self.store = MySqlStore(database, lock_wait_seconds=1)
        self.sql = SqlClient(database)

    def put_asset(self, asset: Asset) -> None:
        if self.sql.rows("SELECT id FROM dca_assets WHERE id = %s", asset.asset_id):
            self.sql.run(
                "UPDATE dca_assets SET asset_symbol = %s, is_enabled = %s,"
                " take_profit_percent = %s WHERE id = %s",
                asset.symbol,
                asset.is_enabled,
                asset.take_profit_pct,
                asset.asset_id,
            )
        else:
            self.sql.run(INSERT_ASSET, *ASSETS.values(asset))

    def delete_asset(self, asset_id: int) -> None:
        self.sql.run("DELETE FROM dca_assets WHERE id = %s", asset_id)

    def events(self) -> list[tuple[Value, ...]]:
        return [tuple(row) for row in self.sql.rows("SELECT symbol, told FROM dca_events")]

    def results(self) -> list[tuple[Value, ...]]:
        return [tuple(row) for row in self.sql.rows("SELECT cycle_id, fees, net FROM dca_results")]

    def close(self) -> None:
        self.store.close()
        self.sql.close()
