"""The list of sabotages as values.  Rule: an entry that no longer fits the code is an error."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

LIST = Path(__file__).with_name("sabotages.toml")


class DoesNotApply(Exception):
    """The code has moved on, and the entry must follow it."""


@dataclass(frozen=True, slots=True)
class Sabotage:
    """One mistake: `line` of `file` (or a part of it) becomes `sabotaged`.

    `cost` says in one sentence what is wrong then, and what that would cost a user.
    """

    name: str
    file: str
    line: str
    sabotaged: str
    cost: str
    caught_by: tuple[str, ...]

    def applied_to(self, text: str) -> str:
        """The file's text with the mistake in it; raise DoesNotApply."""
        found = text.count(self.line)
        if found != 1:
            raise DoesNotApply(f"{self.name}: {self.file} holds {self.line!r} {found} times")
        return text.replace(self.line, self.sabotaged)


def all_sabotages() -> list[Sabotage]:
    """The whole list, in the order in which it is written."""
    rows = tomllib.loads(LIST.read_text(encoding="utf-8"))["sabotage"]
    return [Sabotage(**row | {"caught_by": tuple(row["caught_by"])}) for row in rows]


def chosen(sabotages: list[Sabotage], wanted: list[str]) -> list[tuple[int, Sabotage]]:
    """Those with these names or numbers, numbered; all of them when nothing is wanted.

    Raises LookupError.
    """
    numbered = list(enumerate(sabotages, start=1))
    unknown = set(wanted) - {str(number) for number, _ in numbered} - {s.name for s in sabotages}
    if unknown:
        raise LookupError(f"no sabotage is called {', '.join(sorted(unknown))}: see --list")
    return [
        (number, each)
        for number, each in numbered
        if not wanted or each.name in wanted or str(number) in wanted
    ]
