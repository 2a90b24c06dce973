"""The bot as a user has it: a project directory of its own, with .env, venv and logs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Mapping
from pathlib import Path

from dca_bot.program.settings import PROJECT_ROOT
from dca_bot.watchdog import heartbeat, process

PARTS = ("src", "sql", "requirements.txt", "pyproject.toml", "run_script_wrapper.sh")


def install(directory: Path, settings: Mapping[str, str]) -> Path:
    """Copy what a user would clone, and give it the libraries of the venv that runs the tests."""
    project = directory / "project"
    project.mkdir()
    for source in (*(PROJECT_ROOT / part for part in PARTS), *PROJECT_ROOT.glob("*.py")):
        if source.is_dir():
            ignored = shutil.ignore_patterns("*.egg-info")  # what is compiled stays valid
            shutil.copytree(source, project / source.name, ignore=ignored)
        else:
            shutil.copy2(source, project)
    (project / ".env").write_text("".join(f'{key}="{value}"\n' for key, value in settings.items()))
    _make_venv(project)
    return project


def bot_of(project: Path) -> int | None:
    """The number of the bot that runs in the project, once it is trading."""
    beat = heartbeat.read(project / "logs")
    runs = beat is not None and process.runs_script(beat.pid, project / "main_app.py")
    return beat.pid if beat is not None and runs else None


def processes_of(project: Path) -> dict[int, str]:
    """Every process that works in the project or runs something of it: number and command."""
    found = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            folder = (entry / "cwd").readlink()
        except OSError:
            continue  # gone meanwhile, or not ours to look at
        if command and (str(project) in command or folder.is_relative_to(project)):
            found[int(entry.name)] = command
    return found


def _make_venv(project: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "venv", "--without-pip", str(project / "venv")], check=True
    )
    packages = next((project / "venv" / "lib").glob("python*/site-packages"))
    paths = [str(project / "src"), sysconfig.get_paths()["purelib"]]
    (packages / "project.pth").write_text("\n".join(paths) + "\n")
    # What run_script_wrapper.sh writes once it has installed these requirements here.
    stamp = "cat requirements.txt | sha256sum; pwd -P; readlink -f venv/bin/python"
    done = subprocess.run(["sh", "-c", stamp], cwd=project, capture_output=True, check=True)
    (project / "venv" / ".installed-requirements.txt").write_bytes(done.stdout)
