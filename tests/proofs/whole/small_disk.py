"""A disk of a megabyte or a few, which a test can fill.  Only root may mount one."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

BALLAST = "ballast"

# the disk goes when the test lets go of the keeper's input, also by being killed
KEEPER = """
mount -t tmpfs -o "size=$2m" none "$1" || exit
echo mounted
read -r _
umount --lazy "$1"
"""


@contextmanager
def small_disk(directory: Path, megabytes: int) -> Iterator[Path]:
    """The directory as a disk of its own; skips the test where that is not allowed."""
    directory.mkdir(parents=True)
    with subprocess.Popen(
        ["sh", "-c", KEEPER, "keeper", str(directory), str(megabytes)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as keeper:
        assert keeper.stdin is not None
        assert keeper.stdout is not None
        assert keeper.stderr is not None
        if not keeper.stdout.readline():
            pytest.skip(f"no disk can be mounted here: {keeper.stderr.read().strip()}")
        try:
            yield directory
        finally:
            keeper.stdin.close()
            assert keeper.wait() == 0, keeper.stderr.read()


def fill(disk: Path) -> None:
    """Until not a byte is left."""
    with (disk / BALLAST).open("ab", buffering=0) as ballast:
        for size in (65_536, 1):
            try:
                while ballast.write(b"x" * size):
                    pass
            except OSError:
                continue


def kept_full(disk: Path, condition: Callable[[], bool]) -> Callable[[], bool]:
    """The condition, and the disk filled each time it is asked for.

    Others may give room back, as by replacing a file at the moment in which the disk was filled.
    """

    def look() -> bool:
        fill(disk)
        return condition()

    return look


def make_room(disk: Path) -> None:
    (disk / BALLAST).unlink()
