"""The files in LOG_DIR: opened, read and replaced with care.

Rule: others may be able to write there.  So no symbolic link is followed (it could lead to a file
that must not be overwritten), nothing is waited for (a FIFO), and what another user has written is
not believed.
"""

from __future__ import annotations

import errno
import os
import shlex
import stat
from pathlib import Path
from typing import BinaryIO

from dca_bot.program.errors import DcaError, SettingsError

# However generous the user's umask is, nobody else may write into what we create.
NOT_FOR_OTHERS = 0o022
MODE = 0o644
OTHERS_MAY_READ = stat.S_IRGRP | stat.S_IROTH
CAREFULLY = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def keep_others_from_writing() -> None:
    """From now on what this process creates, or one that it starts, can be changed by us alone."""
    os.umask(os.umask(NOT_FOR_OTHERS) | NOT_FOR_OTHERS)


def exposed(env_file: Path, log_dir: Path) -> list[str]:
    """What others may do with the user's files that they had better not, and the remedy."""
    found = []
    if _mode(env_file) & OTHERS_MAY_READ:
        found.append(
            f"other users of this machine can read {env_file}, where the keys are: "
            f"run chmod 600 {shlex.quote(str(env_file))}"
        )
    if _mode(log_dir) & stat.S_IWOTH:
        found.append(
            f"every user of this machine can write to LOG_DIR {log_dir}: "
            f"run chmod o-w {shlex.quote(str(log_dir))}"
        )
    return found


def unusable_log_dir(error: OSError) -> DcaError:
    """What to say, and to end with, when LOG_DIR can't be written."""
    if error.errno == errno.ENOSPC:
        return DcaError(f"LOG_DIR does not work: {error}; make room on its disk")
    return SettingsError(
        f"LOG_DIR does not work: {error}; make it a directory that this user can write"
    )


def append_to(path: Path) -> int:
    """A file descriptor that appends to the file, made if need be; raises OSError."""
    return _open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)


def open_own(path: Path) -> BinaryIO:
    """The file, to be read; raises OSError, also when it belongs to another user."""
    file = _open_any(path)
    if os.fstat(file.fileno()).st_uid != os.geteuid():
        file.close()
        raise PermissionError(errno.EPERM, "belongs to another user", str(path))
    return file


def read_own(path: Path, bytes_max: int) -> str:
    """What stands in the file; raises OSError, and ValueError when it is too long or no text."""
    with open_own(path) as file:
        return _text(file, bytes_max)


def read_text(path: Path, bytes_max: int) -> str:
    """The same, whoever has written it."""
    with _open_any(path) as file:
        return _text(file, bytes_max)


def tail(path: Path, bytes_max: int) -> str:
    """The end of the file, whoever has written it; raises OSError."""
    with _open_any(path) as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - bytes_max))
        return file.read(bytes_max).decode(errors="replace")


def replace_own(path: Path, text: str) -> None:
    """Replace the file as a whole: a reader sees the old one or the new one, never half of it.

    A directory that was removed is made again.  Raises OSError.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f"{path.name}.new")
    # What lies there is left over or planted: it is removed, and never written into.
    fresh.unlink(missing_ok=True)
    fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | CAREFULLY, MODE)
    with os.fdopen(fd, "w", encoding="utf-8") as file:
        file.write(text)
    fresh.replace(path)


def _open_any(path: Path) -> BinaryIO:
    return os.fdopen(_open(path, os.O_RDONLY), "rb")


def _text(file: BinaryIO, bytes_max: int) -> str:
    content = file.read(bytes_max + 1)
    if len(content) > bytes_max:
        raise ValueError(f"{file.name} has more than {bytes_max} bytes")
    return content.decode()


def _mode(path: Path) -> int:
    try:
        return path.stat().st_mode
    except OSError:
        return 0


def _open(path: Path, flags: int) -> int:
    try:
        fd = os.open(path, flags | CAREFULLY, MODE)
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
        raise OSError(error.errno, "is a symbolic link: remove it", str(path)) from error
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise OSError(errno.EINVAL, "is not a regular file: remove it", str(path))
    return fd
