"""A terminal that shows text and nothing else: whatever a row says can't clear or colour it."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment


class CleanConsole(Console):
    """Symbols come from rows that anybody with SQL may write; rich lets their escape codes pass."""

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """As rich does it, its own control codes included."""
        for segment in super().render(renderable, options):
            is_clean = segment.control or segment.text.replace("\n", "").isprintable()
            yield segment if is_clean else segment._replace(text=_clean(segment.text))


def _clean(text: str) -> str:
    return "".join(each if each.isprintable() or each == "\n" else "?" for each in text)
