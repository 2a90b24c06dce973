"""What the page's process answers: the reports, to whom they are for, and nothing that changes."""

import csv
import io
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from dca_bot.program.settings import DatabaseSettings
from tests import warm
from tests.commands.test_see import Dca, trade_until
from tests.helpers import Simulator, apply_sql, eventually
from tests.page.served import page
from tests.proofs.whole.busy import LIVELY, Bot, add_assets

CHANGES_BY_ITSELF = {"at", "ages", "assets", "reasons", "health"}


@pytest.mark.parametrize("simulator", [(*LIVELY, "--partial-fills", "0.4")], indirect=True)
def test_it_shows_what_the_verbs_tell(
    database: DatabaseSettings,
    simulator: Simulator,
    bot: Bot,
    bot_env: dict[str, str],
    tmp_path: Path,
) -> None:
    add_assets(database)
    trade_until(database, simulator, bot, 4)
    dca = Dca(bot_env)
    with page(bot_env, tmp_path) as served:
        # prices stand still, but the bot writes down what it sees every few seconds only
        eventually(lambda: _fixed(served.data()["status"]) == _fixed(dca.json("status")))
        data, status, cycles = served.data(), dca.json("status"), dca.json("cycles")["cycles"]
        assert _assets(data["status"]) == _assets(status)
        finished = [cycle for cycle in cycles if cycle["completed_at"]]
        assert [cycle for cycle in data["cycles"] if cycle["completed_at"]] == finished
        net = Decimal(status["realised_net"])
        assert Decimal(data["charts"]["earned"][-1]["net"]) == net
        assert sum(Decimal(day["net"]) for day in data["charts"]["days"]) == net
        rows = list(csv.DictReader(io.StringIO(served.ask("/cycles.csv").text)))
        assert [row["id"] for row in rows] == [str(cycle["id"]) for cycle in finished]
        holding = [asset for asset in status["assets"] if Decimal(asset["quantity"]) > 0]
        for asset in holding:
            detail = served.ask("/asset.json", params={"symbol": asset["symbol"]}).json()
            assert [order["kind"] for order in detail["orders"]][:1] == ["base"]
            assert detail["events"]
            filled = [each for each in detail["orders"] if each["price"] is not None]
            bought = [each["price"] for each in filled if each["side"] == "buy"]
            drawn = [each["price"] for each in detail["trades"] if each["side"] == "buy"]
            assert drawn[-len(bought) :] == bought


def _fixed(status: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in status.items() if key not in CHANGES_BY_ITSELF}


def _assets(status: dict[str, Any]) -> dict[str, Any]:
    fixed = (
        "symbol",
        "quantity",
        "average_price",
        "safety_orders",
        "invested",
        "take_profit_price",
    )
    return {asset["symbol"]: [asset[key] for key in fixed] for asset in status["assets"]}


def test_an_empty_database_is_no_error(bot_env: dict[str, str], tmp_path: Path) -> None:
    with page(bot_env, tmp_path) as served:
        data = served.data()
    assert data["status"]["assets"] == []
    assert data["status"]["health"] == "BLIND"
    assert data["cycles"] == []


def test_nothing_can_be_changed_or_loaded_from_elsewhere(
    bot_env: dict[str, str], tmp_path: Path
) -> None:
    with page(bot_env, tmp_path) as served:
        for method in ("POST", "PUT", "PATCH", "DELETE"):
            for path in ("/", "/data.json", "/asset.json"):
                assert served.ask(path, method).status_code == 405
        answer = served.ask("/")
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "http" not in policy
        assert "//" not in answer.text.replace("<!doctype html>", "")


def test_a_name_that_was_bent_to_this_machine_is_refused(
    bot_env: dict[str, str], tmp_path: Path
) -> None:
    with page(bot_env, tmp_path) as served:
        assert served.ask("/data.json", headers={"Host": "evil.example.com"}).status_code == 403
        assert served.ask("/data.json", headers={"Host": "localhost:1"}).status_code == 200


def test_a_password_is_asked_for_and_guesses_are_slowed(
    bot_env: dict[str, str], tmp_path: Path
) -> None:
    with page({**bot_env, "PAGE_PASSWORD": "correct horse"}, tmp_path) as served:
        assert served.ask("/healthz").status_code == 200
        first = served.ask("/data.json")
        assert (first.status_code, first.headers["WWW-Authenticate"][:5]) == (401, "Basic")
        assert served.ask("/data.json", auth=("me", "correct horse")).status_code == 200
        answers = [served.ask("/", auth=("me", f"guess {n}")).status_code for n in range(8)]
        assert answers[-1] == 429


def test_another_address_needs_a_password(bot_env: dict[str, str]) -> None:
    done = Dca(bot_env).run("page", "--host", "0.0.0.0", "--port", "0")  # noqa: S104 - is refused
    assert done.returncode == 2
    assert "PAGE_PASSWORD" in done.stderr


def test_a_port_that_is_taken_is_said_so(bot_env: dict[str, str], tmp_path: Path) -> None:
    with page(bot_env, tmp_path) as served:
        taken = served.url.rpartition(":")[2]
        done = warm.run("-m", "dca_bot", "page", "--port", taken, env=bot_env)
    assert done.returncode == 1
    assert "--port" in done.stderr


def test_it_ends_when_it_is_told_to(bot_env: dict[str, str], tmp_path: Path) -> None:
    with page(bot_env, tmp_path) as served:
        served.data()
        assert served.end() == 0


def test_a_database_that_is_away_is_reported_and_its_return_too(
    database: DatabaseSettings, bot_env: dict[str, str], tmp_path: Path
) -> None:
    with page(bot_env, tmp_path) as served:
        served.data()
        apply_sql(database, b"RENAME TABLE dca_assets TO gone")
        away = served.ask("/data.json")
        while away.status_code == 200:  # one look serves everybody for a second
            away = served.ask("/data.json")
        assert away.status_code == 503
        assert away.json()["error"]
        apply_sql(database, b"RENAME TABLE gone TO dca_assets")
        assert served.data()["status"]["assets"] == []
