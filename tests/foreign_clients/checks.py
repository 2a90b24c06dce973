"""What the scripts of all clients share; each runs in its client's own environment."""

import time

PATIENCE = 30.0


def holds(what: str) -> None:
    print("holds:", what, flush=True)


def until(condition, what):
    end = time.monotonic() + PATIENCE
    while not (found := condition()):
        assert time.monotonic() < end, f"in vain: {what}"
        time.sleep(0.05)
    return found


def complaint(act, kind):
    try:
        act()
    except kind as e:
        return e
    raise AssertionError("nothing was refused")
