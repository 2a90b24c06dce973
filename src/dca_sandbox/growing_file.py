"""A file that somebody else appends to.  Rule: whole lines only; half a line waits for its end."""

from pathlib import Path


class GrowingFile:
    """Remembers how far it was read; begins at the end of what is there already."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read_to = path.stat().st_size if path.exists() else 0

    def new_lines(self) -> list[str]:
        """The lines that were added since the last call."""
        try:
            with self._path.open("rb") as file:
                if file.seek(0, 2) < self._read_to:
                    self._read_to = 0  # rotated: the rest of the old file is given up
                file.seek(self._read_to)
                added = file.read()
        except FileNotFoundError:
            return []
        whole = added[: added.rfind(b"\n") + 1]
        self._read_to += len(whole)
        return whole.decode(errors="replace").splitlines()
