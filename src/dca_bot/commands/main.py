"""The frame of `dca`: finds the verb, reads its arguments, and turns its end into a status.

Rule: status 0 done, 1 something is wrong and a line says what, 2 the call or a setting is wrong.
"""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Sequence
from difflib import get_close_matches

from dca_bot.commands.verbs import VERBS, load
from dca_bot.program.logs import warn_on_stderr
from dca_bot.program.script import folded, run

WRONG_CALL = 2
OVERVIEW = """\
usage: dca VERB [arguments]

Shows what the bot does, why, and what it earned; and does by hand what it does
by itself.

{verbs}

`dca VERB --help` explains one.  Exit status: 0 done, 1 something is wrong,
2 the call or a setting is wrong.
"""


def main() -> int:
    """The console script: what follows `dca` on the command line."""
    warn_on_stderr("dca")
    return run(lambda: call(sys.argv[1:]))


def call(words: Sequence[str]) -> int:
    """Given the words after `dca`, do what they say; the exit status."""
    if not words:
        return _refuse("name a verb, as in: dca status")
    name, *rest = words
    if name in ("-h", "--help", "help"):
        return _say(overview())
    if name in ("-V", "--version"):
        return _say(f"dca {_version()}\n")
    if name not in VERBS:
        near = get_close_matches(name, VERBS, 1)
        hint = f"did you mean `dca {near[0]}`?" if near else "`dca --help` lists the verbs"
        return _refuse(f"there is no verb {name!r}: {hint}")
    verb = load(name)
    parser = ArgumentParser(
        prog=f"dca {name}",
        description=folded(verb.__doc__),
        formatter_class=RawDescriptionHelpFormatter,
    )
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    verb.add_arguments(parser)
    return verb.run(parser.parse_args(rest, Namespace(call=" ".join(words))))


def overview() -> str:
    """What `dca --help` says."""
    width = max(map(len, VERBS))
    verbs = "\n".join(f"  {name:{width}}  {sentence}" for name, (_, sentence) in VERBS.items())
    return OVERVIEW.format(verbs=verbs)


def _version() -> str:
    from importlib.metadata import version  # slow to load, and nobody else needs it

    return version("dca-bot")


def _say(text: str) -> int:
    sys.stdout.write(text)
    return 0


def _refuse(why: str) -> int:
    sys.stderr.write(f"dca: {why}\n")
    return WRONG_CALL
