"""One connection at a time, and a lost one keeps its place for a while (docs/alpaca.md 3.1, 4)."""

import time


class Slot:
    """The one place that an endpoint has."""

    def __init__(self, stale_seconds: float) -> None:
        self.stale_seconds = stale_seconds
        self._holder: object | None = None
        self._stale_until = 0.0

    def take(self, who: object) -> bool:
        """Takes the place, if it is neither taken nor still thought to be."""
        if self._holder is not None or time.monotonic() < self._stale_until:
            return False
        self._holder = who
        return True

    def leave(self, who: object, *, clean: bool) -> None:
        """Gives the place back; after an unclean end the server takes its time to notice."""
        if self._holder is not who:
            return
        self._holder = None
        self._stale_until = 0.0 if clean else time.monotonic() + self.stale_seconds

    def free(self) -> None:
        """Forgets that a lost connection may still be there."""
        self._stale_until = 0.0
