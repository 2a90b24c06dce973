"""The shape of the code, as docs and style promise it.  A failure names the place to look at."""

import ast
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from dca_bot.settings import PROJECT_ROOT

SOURCE = PROJECT_ROOT / "src"
MODULE_LINES_MAX = 300
FUNCTION_LINES_MAX = 60

# Imports point downwards.  What is not named here stands on top: nothing below may import it.
TIERS: list[set[str]] = [
    {"errors", "clock", "core", "own_files", "masking"},
    {"setting_values", "settings", "logs", "cli", "alerts", "heartbeat", "ports", "narrate"},
    {"store", "broker"},
    {"cash", "trader", "recovery"},
    {"live"},
]
# Strangers to each other: whoever needs both is handed them through ports.py.
APART = {
    "store": {"broker"},
    "broker": {"store"},
    "trader": {"store", "broker"},
    "recovery": {"store", "broker"},
}
# Every library is imported in one layer, so that replacing it is one layer's work.
HOMES = {
    # its test looks at the account for itself, not through the bot
    "alpaca": {"broker", "integration"},
    "dotenv": {"setting_values"},
    "msgpack": {"broker"},
    "mysql": {"store", "demo"},
    "requests": {"broker"},
    "rich": {"demo"},
    "urllib3": {"broker"},
    "websockets": {"broker"},
}


def python_files(*folders: Path) -> Iterator[Path]:
    for folder in folders:
        yield from sorted(folder.rglob("*.py"))


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), str(path))


def imports(path: Path) -> set[str]:
    """Full names of what a file imports; `from a import b` counts as `a.b`."""
    names: set[str] = set()
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def part_of(path: Path) -> str:
    """`core` for dca_bot/core/money.py, `trader` for dca_bot/trader.py."""
    return path.relative_to(SOURCE / "dca_bot").with_suffix("").parts[0]


def our_imports(path: Path) -> set[str]:
    return {name.split(".")[1] for name in imports(path) if name.startswith("dca_bot.")}


def tier(part: str) -> int:
    return next((n for n, parts in enumerate(TIERS) if part in parts), len(TIERS))


def called(node: ast.AST) -> str:
    return ast.unparse(node.func) if isinstance(node, ast.Call) else ""


def bot_files() -> Iterator[Path]:
    return python_files(SOURCE / "dca_bot")


def test_layers_point_downwards_only() -> None:
    upwards = [
        f"{path}: imports {part}"
        for path in bot_files()
        for part in our_imports(path)
        if tier(part) > tier(part_of(path)) or part in APART.get(part_of(path), ())
    ]
    assert upwards == []


def test_the_core_knows_only_itself_and_the_standard_library() -> None:
    allowed = sys.stdlib_module_names - {"logging", "asyncio", "time", "os", "socket", "threading"}
    foreign = [
        f"{path}: imports {name}"
        for path in python_files(SOURCE / "dca_bot" / "core")
        for name in imports(path)
        if name.split(".")[0] not in allowed
        and not name.startswith(("dca_bot.core", "dca_bot.errors"))
    ]
    assert foreign == []


def test_every_library_has_one_home() -> None:
    ours_or_pythons = sys.stdlib_module_names | {"dca_bot"}
    strays = [
        f"{path}: imports {name}"
        for path in bot_files()
        for name in {full.split(".")[0] for full in imports(path)} - ours_or_pythons
        if part_of(path) not in HOMES.get(name, ())
    ]
    assert strays == []


def test_the_bot_and_the_simulated_exchange_are_strangers() -> None:
    shared = [
        f"{path}: imports {name}"
        for package, stranger in (("dca_bot", "alpaca_simulator"), ("alpaca_simulator", "dca_bot"))
        for path in python_files(SOURCE / package)
        for name in imports(path)
        if name.split(".")[0] == stranger
    ]
    assert shared == []


def test_only_the_clock_reads_the_wall_clock() -> None:
    clocks = ("datetime.now", "datetime.utcnow", "datetime.today", "date.today", "time.time")
    readers = [
        f"{path}:{node.lineno}"
        for path in bot_files()
        if path.name != "clock.py"
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.Call) and called(node).endswith(clocks)
    ]
    assert readers == []


def test_no_decimal_is_made_from_a_float() -> None:
    floats = [
        f"{path}:{node.lineno}"
        for path in python_files(SOURCE)
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.Call) and called(node).endswith("Decimal") and node.args
        if isinstance(node.args[0], ast.Constant)
        and isinstance(node.args[0].value, float)
        or called(node.args[0]) == "float"
    ]
    assert floats == []


def test_modules_and_functions_stay_small() -> None:
    large = []
    for path in [*python_files(SOURCE), *sorted(PROJECT_ROOT.glob("*.py"))]:
        lines = len(path.read_text().splitlines())
        if lines > MODULE_LINES_MAX:
            large.append(f"{path}: {lines} lines")
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                if length > FUNCTION_LINES_MAX:
                    large.append(f"{path}:{node.lineno}: {node.name} has {length} lines")
    assert large == []


def test_every_module_says_what_belongs_in_it() -> None:
    silent = [
        str(path)
        for path in python_files(SOURCE)
        if path.read_text() and not ast.get_docstring(parsed(path))
    ]
    assert silent == []
