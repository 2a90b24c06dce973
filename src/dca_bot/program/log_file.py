"""The files of logs, opened with care: one that a program rotates, or one that it appends to."""

import io
import logging
import os
from logging.handlers import RotatingFileHandler
from pathlib import Path

from dca_bot.program.files import append_to, unusable_log_dir

FILE_BYTES_MAX = 10_000_000
FILES_KEPT = 5


def rotating_file(path: Path) -> RotatingFileHandler:
    """Appends to the file, which is made if need be.  Raises DcaError when it can't be."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return _Rotated(path, maxBytes=FILE_BYTES_MAX, backupCount=FILES_KEPT, encoding="utf-8")
    except OSError as error:
        raise unusable_log_dir(error) from error


def appended_file(path: Path) -> logging.FileHandler:
    """The same without rotation, since several processes may write it at once."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return _Appended(path, encoding="utf-8")
    except OSError as error:
        raise unusable_log_dir(error) from error


class _Appended(logging.FileHandler):
    def emit(self, record: logging.LogRecord) -> None:
        """To the file of this name, also after logrotate or a hand has moved or deleted it."""
        if self.stream is not None and not self._is_in_place(self.stream):
            self.stream.close()
            self.stream = None  # opened anew for this record
        super().emit(record)

    def _is_in_place(self, stream: io.TextIOWrapper) -> bool:
        try:
            there = os.stat(self.baseFilename, follow_symlinks=False)
            return os.path.samestat(os.fstat(stream.fileno()), there)
        except OSError:
            return False

    def _open(self) -> io.TextIOWrapper:
        fd = append_to(Path(self.baseFilename))
        return open(fd, "a", encoding=self.encoding, errors=self.errors)


class _Rotated(_Appended, RotatingFileHandler):
    pass
