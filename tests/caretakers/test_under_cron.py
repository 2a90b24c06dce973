"""The whole installation under Debian's own cron, with nothing but the documented lines."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from dca_bot.program.settings import PROJECT_ROOT, DatabaseSettings
from tests.caretakers.installation import bot_of, install, processes_of
from tests.helpers import Simulator, add_samples, apply_sql, eventually
from tests.proofs.whole.auditor import rows

pytestmark = pytest.mark.proof

PROGRAMS = ("watchdog", "order_manager", "cooldown_manager", "consistency_checker", "main_app")
ONE_ROUND = 130  # seconds: the next minute, and what a start takes on a busy machine
CRON_PID_FILE = Path("/var/run/crond.pid")
COOLDOWN = b"""
INSERT INTO dca_cycles (asset_id, status, completed_at)
VALUES (2, 'complete', UTC_TIMESTAMP() - INTERVAL 301 SECOND), (2, 'cooldown', NULL);
"""
ORPHAN = {
    "symbol": "BTC/USD",
    "side": "buy",
    "type": "limit",
    "time_in_force": "gtc",
    "qty": "1",
    "limit_price": "100",
}


@pytest.fixture(scope="module")
def cron() -> Iterator[None]:
    """A running cron daemon, and no crontab of this user's that could be lost."""
    if os.geteuid() != 0:
        pytest.skip("only root may start cron")
    if shutil.which("cron") is None:
        _install_cron()
    if subprocess.run(["crontab", "-l"], capture_output=True, check=False).returncode == 0:
        pytest.skip("this user has a crontab, which the test would replace")
    daemon = None
    if not _is_running():
        daemon = subprocess.Popen(["cron", "-f"], stdin=subprocess.DEVNULL)
        eventually(_is_running)
    yield
    subprocess.run(["crontab", "-r"], check=False, capture_output=True)
    if daemon is not None:
        daemon.terminate()
        daemon.wait(10)


@pytest.fixture
def project(
    cron: None,
    database: DatabaseSettings,
    simulator: Simulator,
    bot_env: dict[str, str],
    tmp_path: Path,
) -> Iterator[Path]:
    """An installation whose settings stand in its .env; whatever runs there ends with the test."""
    settings = {name: bot_env[name] for name in bot_env if name not in ("PATH", "LOG_DIR")}
    project = install(tmp_path, settings | {"ORPHAN_ORDER_SECONDS": "5"})
    yield project
    for pid in processes_of(project):
        os.kill(pid, signal.SIGKILL)


# the test itself asks more often than Alpaca would answer
@pytest.mark.parametrize("simulator", [("--rate-limit", "0")], indirect=True)
def test_cron_keeps_everything_going(
    project: Path, database: DatabaseSettings, simulator: Simulator
) -> None:
    add_samples(database, "BTC/USD", "ETH/USD")
    apply_sql(database, b"UPDATE dca_assets SET is_enabled = FALSE WHERE asset_symbol = 'ETH/USD'")
    use_crontab(project)
    first = eventually(lambda: bot_of(project), ONE_ROUND)

    os.kill(first, signal.SIGKILL)
    apply_sql(database, COOLDOWN)
    orphan = simulator.post("/v2/orders", ORPHAN)["id"]

    eventually(lambda: bot_of(project) not in (None, first), ONE_ROUND)
    eventually(lambda: simulator.get(f"/v2/orders/{orphan}")["status"] == "canceled", ONE_ROUND)
    eventually(lambda: ether_status(database) == "watching", ONE_ROUND)
    logs = {name: (project / "logs" / f"{name}.log") for name in PROGRAMS}
    eventually(lambda: all(log.exists() and log.stat().st_size for log in logs.values()))
    for name, log in logs.items():
        assert "Traceback" not in log.read_text(), name

    subprocess.run(["crontab", "-r"], check=True)
    eventually(lambda: set(processes_of(project)) == {bot_of(project)}, 60)
    bot = bot_of(project)
    assert bot is not None
    os.kill(bot, signal.SIGTERM)
    eventually(lambda: not processes_of(project), 30)


def use_crontab(project: Path) -> None:
    """The documented lines, every minute, and nothing else: cron's bare environment."""
    lines = (PROJECT_ROOT / "docs" / "crontab.example").read_text()
    lines = lines.replace("/path_to_project", str(project)).replace("*/5 ", "* ")
    subprocess.run(["crontab", "-"], input=lines.encode(), check=True)


def ether_status(database: DatabaseSettings) -> str:
    [cycle] = rows(
        database, "SELECT status FROM dca_cycles WHERE asset_id = 2 AND status <> 'complete'"
    )
    return str(cycle["status"])


def _is_running() -> bool:
    try:
        pid = int(CRON_PID_FILE.read_text())
        # not the whole command: that of a test of cron names it too
        return Path(f"/proc/{pid}/comm").read_text() == "cron\n"
    except (OSError, ValueError):
        return False


def _install_cron() -> None:
    apt = ["apt-get", "-qq", "-o", "DPkg::Lock::Timeout=120"]
    quietly = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for arguments in (["update"], ["install", "-y", "--no-install-recommends", "cron"]):
        done = subprocess.run([*apt, *arguments], env=quietly, capture_output=True, check=False)
        if done.returncode != 0:
            pytest.skip(f"cron can't be installed here: {done.stderr.decode()[-200:]}")
