"""Checks in order everything that the bot needs, each with what to do where something is wrong.

It asks Alpaca, and listens to both streams for five seconds unless main_app.py runs: an account has
one of each.  --send sends a test mail, and a message to each of ALERT_URLS.
Exit status: 0 nothing is wrong, 1 something is.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from dataclasses import asdict

from rich.console import Console
from rich.text import Text

from dca_bot.commands import output
from dca_bot.commands.see.check_machine import (
    check_bot,
    check_channels,
    check_cron,
    check_database,
    check_files,
    check_mail,
    check_python,
)
from dca_bot.commands.see.findings import Finding, Mark, bad, ok
from dca_bot.program.errors import SettingsError
from dca_bot.program.log_text import printable
from dca_bot.program.setting_groups import CommonSettings, Settings
from dca_bot.program.settings import read_common_settings, read_settings

STYLES = {Mark.OK: "green", Mark.NOTE: "yellow", Mark.BAD: "bold red"}


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--send", action="store_true", help="send a test mail, and a test message")


def run(arguments: Namespace) -> int:
    console = None if arguments.json else output.console()
    found = []
    for finding in _findings(send=arguments.send):
        found.append(finding)
        if console is not None:
            _print(console, finding)
    if console is None:
        output.print_json({"findings": [asdict(each) for each in found]})
    return 1 if any(each.mark is Mark.BAD for each in found) else 0


def _findings(*, send: bool) -> Iterator[Finding]:
    """Each as soon as it is known: the streams take their time."""
    yield from check_python()
    try:
        settings = read_settings()
        yield ok("settings", "all there")
    except SettingsError as error:
        settings = None
        for problem in error.problems:
            yield bad("settings", problem, "edit .env (.env.example shows every setting)")
    try:
        common = read_common_settings()
    except SettingsError:
        return  # named above: without LOG_DIR and limits there is nothing to look at
    yield from check_files(common)
    bot = list(check_bot(common))
    if settings is not None:
        yield from check_database(settings.database)
        yield from _alpaca(settings, bot_runs=all(each.mark is Mark.OK for each in bot))
    yield from bot
    yield from _cron_and_mail(common, send=send)


def _alpaca(settings: Settings, *, bot_runs: bool) -> Iterator[Finding]:
    # Imported here: Alpaca's SDK takes its time, and what is wrong before it should be seen first.
    from dca_bot.commands.see.check_alpaca import check_account, check_rows, check_streams

    account = list(check_account(settings.alpaca))
    yield from account
    if any(each.mark is Mark.BAD for each in account):
        return
    yield from check_rows(settings)
    if bot_runs:
        yield ok("streams", "main_app.py has them, and hears both")
    else:
        yield from check_streams(settings)


def _cron_and_mail(settings: CommonSettings, *, send: bool) -> Iterator[Finding]:
    yield from check_cron(settings)
    yield from check_mail(settings, send=send)
    yield from check_channels(settings, send=send)


def _print(console: Console, finding: Finding) -> None:
    line = Text.assemble(
        (f"{finding.mark:5}", STYLES[finding.mark]),
        (f"{printable(finding.about)}: ", "bold"),
        printable(finding.what),
    )
    if finding.do:
        line.append(f"; {printable(finding.do)}", "yellow")
    console.print(line)
