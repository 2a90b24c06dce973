"""A copy of the project in which tests run against the copy's own code, and against no other.

Rule: whatever is started here lives in the copy's directory, and is gone when the copy is.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sysconfig
import tempfile
import time
import venv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
# What a tree without git's help must leave behind: what was made there, and secrets.
NOT_OURS = {"venv", ".git", ".env", ".demo", "logs", "results"}
CACHES = re.compile(r"__pycache__|.*\.egg-info|\.\w+_cache|\.hypothesis")
EDITABLE_INSTALL = "__editable__*.pth"  # names the directory of the original's code
FIRST_FAILURE = re.compile(r"^(?:FAILED|ERROR) (.+?)(?: - .*)?$", re.MULTILINE)
ALL_PASSED, SOME_FAILED, INTERRUPTED = 0, 1, 2  # exit statuses of pytest
# without further processes, which take longer than a few tests
QUICK = ("-o", "addopts=--import-mode=importlib")
# The list's own test notices every sabotage, and would hide the gaps.
WHOLE_SUITE = ("--proofs", "--ignore=tests/proofs/sabotage")
PATIENCE_SECONDS = 25 * 60.0  # for any number of tests
ENDING_SECONDS = 30.0
HUNG = "no end in time"


class Broken(Exception):
    """The tests could not be run, which says nothing about any sabotage."""


@dataclass(frozen=True, slots=True)
class Copy:
    """A copy of the project; `python` imports the code of the copy, whatever its environment."""

    root: Path
    python: Path

    def first_failure(self, tests: Sequence[str] = (), patience: float = PATIENCE_SECONDS) -> str:
        """The first of these tests that fails, "" if none does; without any, of the whole suite."""
        command = [str(self.python), "-m", "pytest", "-x", "-q", "--tb=no", "-rfE"]
        command += [*(QUICK if tests else WHOLE_SUITE), "-p", "no:cacheprovider"]
        command += [f"--basetemp={self.root.parent / 'tmp'}", *tests]
        status, output = _run(command, self.root, patience)
        if status is None:
            return HUNG
        if status == ALL_PASSED:
            return ""
        failure = FIRST_FAILURE.search(output)
        if status not in (SOME_FAILED, INTERRUPTED) or failure is None or "::" not in failure[1]:
            raise Broken(f"pytest ended with status {status}:\n{output}")
        return failure[1]


@contextmanager
def a_copy() -> Iterator[Copy]:
    """Copy the project as it is now, and remove the copy with all that was started in it."""
    with tempfile.TemporaryDirectory(prefix="sabotage-", ignore_cleanup_errors=True) as scratch:
        root = Path(scratch).resolve() / "project"
        try:
            for name in _files():
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, root / name)
            copy = Copy(root, _make_python(root))
            _check_whose_code_runs(copy)
            yield copy
        finally:
            _end_all_in(root.parent)


def _files() -> list[Path]:
    """What belongs to the project, by git's word, or without git all but what was made there."""
    if (ROOT / ".git").exists():
        # also what is new and not yet added: what is changed already may need it
        command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, text=True)
        files = [Path(name) for name in listed.stdout.split("\0") if name]
        return [file for file in files if (ROOT / file).is_file()]
    files = []
    for folder, folders, names in os.walk(ROOT):
        folders[:] = [each for each in folders if not (each in NOT_OURS or CACHES.fullmatch(each))]
        here = Path(folder).relative_to(ROOT)
        files += [here / name for name in names if name not in NOT_OURS]
    return files


def _make_python(root: Path) -> Path:
    """A venv in the copy: the libraries of the one that runs this, and the code of the copy.

    PYTHONPATH would not do: some tests start programs with an environment of their own, and others
    copies of the project, which must import their own code.
    """
    venv.create(root / "venv", symlinks=True)
    packages = next((root / "venv").glob("lib/python*/site-packages"))
    originals = Path(sysconfig.get_paths()["purelib"])
    ours = set(originals.glob(EDITABLE_INSTALL))
    for library in originals.iterdir():
        if library not in ours:
            (packages / library.name).symlink_to(library)
    (packages / "project.pth").write_text(f"{root / 'src'}\n")
    return root / "venv" / "bin" / "python"


def _check_whose_code_runs(copy: Copy) -> None:
    ask = "import alpaca_simulator, dca_bot; print(dca_bot.__file__, alpaca_simulator.__file__)"
    done = subprocess.run(
        [copy.python, "-c", ask], cwd="/", env={}, capture_output=True, check=True, text=True
    )
    foreign = [path for path in done.stdout.split() if not path.startswith(f"{copy.root}/src/")]
    assert not foreign, f"these would be tested instead of the copy: {foreign}"


def _run(command: list[str], folder: Path, patience: float) -> tuple[int | None, str]:
    """Exit status and output; no status when it did not end in time."""
    process = subprocess.Popen(
        command,
        cwd=folder,
        env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,  # Ctrl-C is for us, and we pass it on
    )
    try:
        output, _ = process.communicate(timeout=patience)
    except BaseException as error:
        _end(process)
        if isinstance(error, subprocess.TimeoutExpired):
            return None, ""
        raise
    return process.returncode, output


def _end(process: subprocess.Popen[str]) -> None:
    """As Ctrl-C would, so that the tests put their things away; then for good."""
    for number in (signal.SIGINT, signal.SIGKILL):
        os.killpg(process.pid, number)
        try:
            process.communicate(timeout=ENDING_SECONDS)
        except subprocess.TimeoutExpired:
            continue
        return


def _end_all_in(directory: Path) -> None:
    """End what a failed test has left running, also what has a session of its own."""
    give_up_at = time.monotonic() + ENDING_SECONDS
    while (left := list(_processes_in(directory))) and time.monotonic() < give_up_at:
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        time.sleep(0.05)


def _processes_in(directory: Path) -> Iterator[int]:
    """Every process that works in the directory or runs something of it."""
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            command = (entry / "cmdline").read_bytes().decode(errors="replace")
            folder = (entry / "cwd").readlink()
        except OSError:
            continue  # gone meanwhile, or not ours to look at
        if command and (f"{directory}/" in command or folder.is_relative_to(directory)):
            yield int(entry.name)
