"""The file of a program's log, rotated by size."""

import io
from logging.handlers import RotatingFileHandler
from pathlib import Path

from dca_bot.program.files import append_to, unusable_log_dir

FILE_BYTES_MAX = 10_000_000
FILES_KEPT = 5


def rotating_file(path: Path) -> RotatingFileHandler:
    """Appends to the file, which is made if need be.  Raises DcaError when it can't be."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return _LogFile(path, maxBytes=FILE_BYTES_MAX, backupCount=FILES_KEPT, encoding="utf-8")
    except OSError as error:
        raise unusable_log_dir(error) from error


class _LogFile(RotatingFileHandler):
    def _open(self) -> io.TextIOWrapper:
        fd = append_to(Path(self.baseFilename))
        return open(fd, "a", encoding=self.encoding, errors=self.errors)
