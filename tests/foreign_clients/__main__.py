"""Runs other people's clients against the simulator: `python -m tests.foreign_clients [NAME ...]`.

Each client has a virtual environment of its own (kept in a folder, so that a second run is quick),
in which its script beside this file runs under `alpaca-simulator run`. A script prints one line for
each thing that holds, and ends with a traceback for one that does not. Ends with 1 when any failed.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).parent
OLDER = ["pandas<3", "pytz", "websockets<14"]  # what these took for granted
# name of the script, and what is installed for it
CLIENTS = {
    "alpaca-py 0.30.1": ("try_alpaca_py.py", ["alpaca-py==0.30.1", *OLDER]),
    "alpaca-py 0.38.0": ("try_alpaca_py.py", ["alpaca-py==0.38.0", *OLDER]),
    "alpaca-py 0.44.0": ("try_alpaca_py.py", ["alpaca-py==0.44.0"]),
    "alpaca-trade-api 3.2.0": (
        "try_alpaca_trade_api.py",
        ["alpaca-trade-api==3.2.0", "setuptools<81"],
    ),
    "ccxt 4.5.90": ("try_ccxt.py", ["ccxt==4.5.90"]),
}
INSTALL_SECONDS, RUN_SECONDS = 240, 60


def main() -> int:
    """Prepares the environments, runs the clients, prints what held."""
    parser = argparse.ArgumentParser(prog="python -m tests.foreign_clients", description=__doc__)
    parser.add_argument("names", nargs="*", help="all of them by default")
    default = Path(tempfile.gettempdir()) / "foreign_clients"
    parser.add_argument("--environments", type=Path, default=default, help="where they are kept")
    given = parser.parse_args()
    chosen = {name: CLIENTS[name] for name in CLIENTS if not given.names or name in given.names}
    if not chosen:
        parser.error(f"no client of that name; there are {', '.join(CLIENTS)}")
    with ThreadPoolExecutor(2) as pool:
        pythons = dict(
            zip(
                chosen,
                pool.map(
                    lambda name: environment(given.environments / name, chosen[name][1]), chosen
                ),
                strict=True,
            )
        )
    failed = [name for name, (script, _) in chosen.items() if not run(name, pythons[name], script)]
    print(f"{len(chosen) - len(failed)} of {len(chosen)} clients hold")
    return 1 if failed else 0


def environment(folder: Path, packages: list[str]) -> Path:
    """Given where, returns the Python of an environment with the packages installed."""
    python, stamp = folder / "bin" / "python", folder / "installed.txt"
    if not stamp.exists() or stamp.read_text() != "\n".join(packages):
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
        command = [python, "-m", "pip", "install", "--quiet", *packages]
        subprocess.run(command, check=True, timeout=INSTALL_SECONDS)
        stamp.write_text("\n".join(packages))
    return python


def run(name: str, python: Path, script: str) -> bool:
    """Runs a client's script beside a simulator; prints what it printed, and whether it held."""
    begun = time.monotonic()
    command = [sys.executable, "-m", "alpaca_simulator", "run", "--lively", "--partial-fills", "0"]
    command += ["--rate-limit", "0", "--", str(python), str(HERE / script)]
    try:
        found = subprocess.run(
            command, capture_output=True, text=True, timeout=RUN_SECONDS, check=False
        )
    except subprocess.TimeoutExpired as e:
        print(f"FAILED {name}: nothing after {RUN_SECONDS} s, but {e.stdout!r}")
        return False
    held = [line for line in found.stdout.splitlines() if line.startswith("holds: ")]
    verdict = "ok    " if found.returncode == 0 and held else "FAILED"
    print(f"{verdict} {name} ({time.monotonic() - begun:.0f} s)")
    for line in held:
        print(f"       {line.removeprefix('holds: ')}")
    if found.returncode != 0:
        print(found.stdout[-2000:], found.stderr[-3000:], sep="\n")
    return found.returncode == 0 and bool(held)


if __name__ == "__main__":
    sys.exit(main())
