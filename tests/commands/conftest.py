"""The desk that the tests of acting verbs sit at."""

import pytest

from dca_bot.program.settings import DatabaseSettings
from tests.commands.act.small_exchange import Desk
from tests.helpers import Simulator
from tests.proofs.whole.busy import Bot


@pytest.fixture
def desk(
    database: DatabaseSettings, simulator: Simulator, bot_env: dict[str, str], bot: Bot
) -> Desk:
    return Desk(database, simulator, bot_env, bot)
