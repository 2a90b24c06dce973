"""Where code can be changed so that it still runs: operators, boundaries, conditions, statements.

Rule: what only speaks (log lines, docstrings, texts) and what only types need is left alone.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

OTHER_COMPARISON: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
OTHER_OPERATOR: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
}
SPEAKING = (
    "log",
    "log_lines",
    "prefix",
    "asset_log",
    "sentence",
    "message",
    "reason",
    "why",
    "event",
    "_say",
)
NEVER_RUN = "assert_never("
UNTOUCHED = (ast.JoinedStr, ast.Assert, ast.Import, ast.ImportFrom)


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change: the `number`-th that `file` allows, at `line`."""

    file: Path
    number: int
    line: int
    what: str

    def source(self) -> str:
        """The file with the change in it; its comments are lost, its meaning is not."""
        tree = ast.parse(self.file.read_text())
        for number, (_, _, change) in enumerate(_changes(tree)):
            if number == self.number:
                change()
                return ast.unparse(ast.fix_missing_locations(tree))
        raise AssertionError(f"{self.file} allows no change {self.number}")

    def __str__(self) -> str:
        return f"{self.file.name}:{self.line} {self.what}"


def mutants(file: Path) -> list[Mutant]:
    """Every change that a file allows, in the order of its text."""
    changes = _changes(ast.parse(file.read_text()))
    return [Mutant(file, number, line, what) for number, (line, what, _) in enumerate(changes)]


Change = tuple[int, str, Callable[[], None]]


def _changes(tree: ast.Module) -> list[Change]:
    return [change for node in _nodes(tree) for change in _of_node(node)]


def _nodes(node: ast.AST) -> Iterator[ast.AST]:
    """Everything but annotations, decorators, and what only speaks."""
    yield node
    for name, field in ast.iter_fields(node):
        if name in ("annotation", "returns", "decorator_list"):
            continue
        for child in field if isinstance(field, list) else [field]:
            if isinstance(child, ast.AST) and not _is_left_alone(child):
                yield from _nodes(child)


def _is_left_alone(node: ast.AST) -> bool:
    if isinstance(node, UNTOUCHED):
        return True
    if isinstance(node, ast.ClassDef):
        return any(ast.unparse(base) == "Protocol" for base in node.bases)
    if isinstance(node, ast.Expr):
        text = ast.unparse(node.value).removeprefix("self.")
        return isinstance(node.value, ast.Constant) or text.startswith((*SPEAKING, NEVER_RUN))
    return False


def _of_node(node: ast.AST) -> Iterator[Change]:
    match node:
        case ast.Compare():
            yield from _comparisons(node)
        case ast.BinOp() if (other := OTHER_OPERATOR.get(type(node.op))) is not None:
            yield _set(node, "op", other())
        case ast.BoolOp():
            yield _set(node, "op", ast.Or() if isinstance(node.op, ast.And) else ast.And())
        case ast.Constant(value=bool() as value):
            yield _set(node, "value", not value)
        case ast.Constant(value=int() as value):
            yield _set(node, "value", value + 1)
        case ast.If() | ast.IfExp():
            yield _set(node, "test", ast.UnaryOp(ast.Not(), node.test))
    yield from _removals(node)


def _set(node: ast.expr | ast.If, name: str, value: object) -> Change:
    def change() -> None:
        setattr(node, name, value)

    text = ast.unparse(node.test if isinstance(node, ast.If) else node)
    told = {"op": f"{type(value).__name__}", "value": f"{value}", "test": "not"}[name]
    return node.lineno, f"`{text}`: {told}", change


def _comparisons(node: ast.Compare) -> Iterator[Change]:
    for place, op in enumerate(node.ops):
        other = OTHER_COMPARISON[type(op)]()

        def change(place: int = place, other: ast.cmpop = other) -> None:
            node.ops[place] = other

        yield node.lineno, f"`{ast.unparse(node)}`: {type(other).__name__}", change


def _removals(node: ast.AST) -> Iterator[Change]:
    """A call for its effect, an attribute that is set, a `continue`: gone."""
    body = getattr(node, "body", None)
    if not isinstance(body, list):
        return
    for place, statement in enumerate(body):
        is_call = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call)
        is_set = isinstance(statement, ast.Assign | ast.AugAssign) and isinstance(
            statement.targets[0] if isinstance(statement, ast.Assign) else statement.target,
            ast.Attribute,
        )
        if (is_call or is_set or isinstance(statement, ast.Continue)) and not _is_left_alone(
            statement
        ):

            def change(place: int = place) -> None:
                body[place] = ast.Pass()

            yield statement.lineno, f"`{ast.unparse(statement)}` removed", change
