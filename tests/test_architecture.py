"""The shape of the code, as docs and style promise it.  A failure names the place to look at."""

import ast
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from dca_bot.program.settings import PROJECT_ROOT

SOURCE = PROJECT_ROOT / "src"
OURS = {"dca_bot", "dca_sandbox", "dca_demo", "dca_integration"}
MODULE_LINES_MAX = 300
FUNCTION_LINES_MAX = 60

# Imports point downwards.  A part may import from its own tier and from those above it here; the
# scripts at the top may import anything.
TIERS: list[set[str]] = [
    {"dca_bot.program"},
    {"dca_bot.core"},
    {"dca_bot.store", "dca_bot.broker"},
    {"dca_bot.trading", "dca_bot.watchdog", "dca_bot.report", "dca_bot.backtest"},
    {"dca_bot.live", "dca_bot.caretakers", "dca_bot.page"},
    {"dca_bot.commands"},
    {"dca_sandbox"},
    {"dca_demo", "dca_integration"},
]
# Strangers to each other: whoever needs both is handed them through trading/ports.py.
APART = {
    "dca_bot.store": {"dca_bot.broker"},
    "dca_bot.broker": {"dca_bot.store"},
    "dca_bot.trading": {"dca_bot.store", "dca_bot.broker", "dca_bot.watchdog"},
    "dca_bot.watchdog": {"dca_bot.trading", "dca_bot.report", "dca_bot.backtest"},
    # they can't place an order
    "dca_bot.report": {"dca_bot.trading", "dca_bot.broker", "dca_bot.backtest"},
    "dca_bot.page": {"dca_bot.trading", "dca_bot.broker", "dca_bot.live", "dca_bot.caretakers"},
    "dca_bot.backtest": {"dca_bot.trading", "dca_bot.broker", "dca_bot.store", "dca_bot.report"},
    "dca_bot.live": {"dca_bot.caretakers", "dca_bot.report", "dca_bot.page"},
    "dca_bot.caretakers": {"dca_bot.live", "dca_bot.report", "dca_bot.page"},
    "dca_demo": {"dca_integration"},
    "dca_integration": {"dca_demo"},
}
# Every library is imported in one part, so that replacing it is one part's work.
HOMES = {
    # the end-to-end test looks at the account for itself, not through the bot
    "alpaca": {"dca_bot.broker", "dca_integration"},
    "distributed": {"dca_bot.backtest"},
    "dotenv": {"dca_bot.program"},
    "msgpack": {"dca_bot.broker"},
    "mysql": {"dca_bot.store", "dca_sandbox"},
    "numba": {"dca_bot.backtest"},
    "apprise": {"dca_bot.watchdog"},
    "numpy": {"dca_bot.backtest"},
    "plotly": {"dca_bot.backtest"},
    "requests": {"dca_bot.broker"},
    "aiohttp": {"dca_bot.page", "dca_bot.commands"},
    "rich": {"dca_demo", "dca_bot.commands"},
    "urllib3": {"dca_bot.broker"},
    "websockets": {"dca_bot.broker"},
}
CHAIN_MAX = 8
FOLDER_FILES_MAX = 15


def python_files(*folders: Path) -> Iterator[Path]:
    for folder in folders:
        yield from sorted(folder.rglob("*.py"))


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), str(path))


@cache
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


def part_of(name: str) -> str:
    """`dca_bot.core` for dca_bot.core.money, `dca_demo` for dca_demo.view."""
    words = name.split(".")
    return ".".join(words[: 2 if words[0] == "dca_bot" else 1])


def name_of(path: Path) -> str:
    """`dca_bot.core.money` for src/dca_bot/core/money.py."""
    return ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__")


def our_imports(path: Path) -> set[str]:
    return {name for name in imports(path) if name.split(".")[0] in OURS and "." in name}


def tier(part: str) -> int:
    return next(n for n, parts in enumerate(TIERS) if part in parts)


def called(node: ast.AST) -> str:
    return ast.unparse(node.func) if isinstance(node, ast.Call) else ""


def bot_files() -> Iterator[Path]:
    """Every module that belongs to a part; what is loose in dca_bot/ belongs to none."""
    return (
        path
        for path in python_files(*(SOURCE / package for package in sorted(OURS)))
        if path.parent != SOURCE / "dca_bot"
    )


def test_every_module_of_the_bot_has_a_folder() -> None:
    loose = {path.name for path in (SOURCE / "dca_bot").glob("*.py")}
    assert loose <= {"__init__.py", "__main__.py"}


def test_layers_point_downwards_only() -> None:
    upwards = [
        f"{path}: imports {name}"
        for path in bot_files()
        for name in our_imports(path)
        if tier(part_of(name)) > tier(part_of(name_of(path)))
        or part_of(name) in APART.get(part_of(name_of(path)), ())
    ]
    assert upwards == []


@pytest.mark.parametrize("packages", [OURS, {"alpaca_simulator"}])
def test_no_chain_of_imports_is_long(packages: set[str]) -> None:
    """Chains of modules that import each other, from the scripts' imports down."""
    modules = {name_of(path): path for path in python_files(*(SOURCE / part for part in packages))}

    @cache
    def chain(name: str) -> tuple[str, ...]:
        wanted = imports(modules[name])
        next_ones = {each for each in wanted if each in modules}
        next_ones |= {each.rpartition(".")[0] for each in wanted} & modules.keys()
        below = [chain(each) for each in next_ones if each != name]
        return (name, *max(below, key=len, default=()))

    longest = max((chain(name) for name in modules), key=len)
    assert len(longest) <= CHAIN_MAX, " -> ".join(longest)


def test_no_folder_is_full() -> None:
    folders = {path.parent for path in python_files(SOURCE, PROJECT_ROOT / "tests")}
    full = [
        str(folder)
        for folder in folders
        if len([path for path in folder.glob("*.py") if path.name != "__init__.py"])
        > FOLDER_FILES_MAX
    ]
    assert full == []


def test_the_core_knows_only_itself_and_the_standard_library() -> None:
    allowed = sys.stdlib_module_names - {"logging", "asyncio", "time", "os", "socket", "threading"}
    foreign = [
        f"{path}: imports {name}"
        for path in python_files(SOURCE / "dca_bot" / "core")
        for name in imports(path)
        if name.split(".")[0] not in allowed
        and not name.startswith(("dca_bot.core", "dca_bot.program.errors"))
    ]
    assert foreign == []


def test_every_library_has_one_home() -> None:
    ours_or_pythons = sys.stdlib_module_names | OURS
    strays = [
        f"{path}: imports {name}"
        for path in bot_files()
        for name in {full.split(".")[0] for full in imports(path)} - ours_or_pythons
        if part_of(name_of(path)) not in HOMES.get(name, ())
    ]
    assert strays == []


def test_the_bot_and_the_simulated_exchange_are_strangers() -> None:
    shared = [
        f"{path}: imports {name}"
        for package, strangers in (
            *((package, {"alpaca_simulator"}) for package in sorted(OURS)),
            ("alpaca_simulator", OURS),
        )
        for path in python_files(SOURCE / package)
        for name in imports(path)
        if name.split(".")[0] in strangers
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
