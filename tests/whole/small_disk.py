"""A disk of a megabyte or a few, which a test can fill.  Only root may mount one."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

BALLAST = "ballast"


@contextmanager
def small_disk(directory: Path, megabytes: int) -> Iterator[Path]:
    """The directory as a disk of its own; skips the test where that is not allowed."""
    directory.mkdir(parents=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "none", str(directory)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"no disk can be mounted here: {done.stderr.strip()}")
    try:
        yield directory
    finally:
        subprocess.run(["umount", "--lazy", str(directory)], check=True)


def fill(disk: Path) -> None:
    """Until not a byte is left."""
    with (disk / BALLAST).open("ab", buffering=0) as ballast:
        for size in (65_536, 1):
            try:
                while ballast.write(b"x" * size):
                    pass
            except OSError:
                continue


def make_room(disk: Path) -> None:
    (disk / BALLAST).unlink()
