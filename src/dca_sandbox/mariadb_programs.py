"""Finds MariaDB's server programs, and as root installs them where they are missing.

Rule: only programs are installed, no service is started, nothing installed is removed.
"""

import logging
import os
import shutil
import subprocess
from dataclasses import dataclass

from dca_bot.program.errors import DcaError

log = logging.getLogger(__name__)

INSTALL_SECONDS = 600
SEARCH_PATH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin"])
# The server without its service: unlike `mariadb-server`, these packages only bring programs.
PACKAGES = ("mariadb-server-core", "mariadb-client-core")


@dataclass(frozen=True, slots=True)
class ServerPrograms:
    """Where the server and the program that makes its data directory are."""

    server: str
    install_db: str


def ensure_server_installed() -> ServerPrograms:
    """Find MariaDB's programs, as root install them; raise DcaError with the command to run."""
    programs = _find_programs()
    if programs is None and os.geteuid() == 0 and shutil.which("apt-get"):
        _apt_install()
        programs = _find_programs()
    if programs is None:
        raise DcaError(
            f"MariaDB's programs are missing: run `sudo apt-get install {' '.join(PACKAGES)}`"
        )
    return programs


def _find_programs() -> ServerPrograms | None:
    server = _which("mariadbd", "mysqld")
    install_db = _which("mariadb-install-db", "mysql_install_db")
    return ServerPrograms(server, install_db) if server and install_db else None


def _which(*names: str) -> str | None:
    found = (shutil.which(name, path=SEARCH_PATH) for name in names)
    return next((path for path in found if path), None)


def _apt_install() -> None:
    log.info("installing %s", " and ".join(PACKAGES))
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    # --no-remove: a machine that has MySQL keeps it, then this fails and says so
    options = ["-y", "-q", "--no-install-recommends", "--no-remove"]
    wait_for_others = ["-o", "DPkg::Lock::Timeout=300"]
    for command in (
        ["apt-get", *wait_for_others, "-q", "update"],
        ["apt-get", *wait_for_others, "install", *options, *PACKAGES],
    ):
        done = subprocess.run(  # noqa: S603 - a fixed command
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=INSTALL_SECONDS,
            check=False,
        )
    if done.returncode != 0:
        last = (done.stderr.strip() or done.stdout.strip() or "no message").splitlines()[-1]
        raise DcaError(
            f"apt-get could not install MariaDB ({last}): "
            f"run `apt-get install {' '.join(PACKAGES)}`"
        )
