"""The real store and the user's SQL client, on this test's own database."""

from collections.abc import Iterator

import pytest

from dca_bot.program.settings import DatabaseSettings
from dca_bot.store.mysql_store import MySqlStore
from tests.store.sql_helpers import MySqlWorld
from tests.store.store_contract import make_asset


@pytest.fixture
def mysql_world(database: DatabaseSettings) -> Iterator[MySqlWorld]:
    """An empty store, with a short wait for locks."""
    world = MySqlWorld(database)
    yield world
    world.close()


@pytest.fixture
def mysql_store(mysql_world: MySqlWorld) -> MySqlStore:
    """The world's store, with assets 1 and 2."""
    mysql_world.put_asset(make_asset(1))
    mysql_world.put_asset(make_asset(2))
    return mysql_world.store
