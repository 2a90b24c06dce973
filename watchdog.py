#!/usr/bin/env python3
"""Keeps main_app.py running: starts it when it is stopped, replaces it when it hangs, and mails.

Cron runs this every five minutes.  The bot is well while its heartbeat is younger than
HEARTBEAT_MAX_AGE_SECONDS and neither of its streams has been silent for five minutes.  A new bot
must be well within WATCHDOG_START_SECONDS, or it is ended again.  After five failed starts it is
left alone until an hour after the first of them, after a wrong setting until somebody has corrected
it.

  watchdog.py            look once, and do what is needed
  watchdog.py --status   say how the bot is, and do nothing
  watchdog.py --pause    leave the bot as it is from now on, stopped if it is stopped
  watchdog.py --resume   look after it again, and forget failed starts

Mail goes out once per incident (a restart; a start that failed) and when a failed one is over.
It also goes out about what a human must know once it has lasted PROBLEM_MAIL_SECONDS, again every
six hours, and once when it is over: the database does not answer; a due take profit or stop loss
can't be sold; MAX_ACTIVE_CYCLES or MAX_INVESTED keeps a BUY back; a row is unusable while its cycle
holds coins; a caretaker does not succeed any more.  Stop losses, sales by hand and a reached
DAILY_LOSS_LIMIT are mailed once; trades and a digest where ALERT_ON_TRADES and ALERT_DIGEST ask for
them.  Every message also goes to ALERT_URLS.

Exit status: 0 the bot is well, 1 it is not (with --status also: something needs a human), 2 a
setting is wrong.
"""

import argparse
import logging
import sys
from datetime import datetime, timedelta

from dca_bot.program.channel_settings import read_channel_settings
from dca_bot.program.clock import utc_now
from dca_bot.program.errors import DcaError, SettingsError
from dca_bot.program.log_text import event
from dca_bot.program.logs import set_up_logging
from dca_bot.program.script import argument_parser, deadline, only_once, run
from dca_bot.program.settings import read_common_settings, read_secrets, read_settings
from dca_bot.watchdog.bot_process import BotProcess
from dca_bot.watchdog.channels import Channels
from dca_bot.watchdog.health import ProcessHealth, Verdict
from dca_bot.watchdog.incidents import Incidents
from dca_bot.watchdog.process import seconds_since_boot
from dca_bot.watchdog.status import say_status

NAME = "watchdog"
STOP_AND_MAIL_SECONDS = 95  # the old bot, a new one that is not well, a digest, and the mail
SETTINGS_ARE_WRONG = 2  # exit status of main_app.py

log = logging.getLogger(NAME)


def main() -> int:
    """Do what the arguments say; without any, look once."""
    arguments = parse_arguments()
    settings = read_common_settings()
    channels = read_channel_settings()
    secrets = read_secrets()
    is_asked = arguments.status or arguments.pause or arguments.resume
    set_up_logging(settings.log, program=NAME, secrets=secrets, is_asked=is_asked)
    limits = settings.limits
    bot = BotProcess(settings.log.dir, beat_age_max=limits.heartbeat_max_age_seconds, clock=utc_now)
    if other := bot.user_elsewhere():
        raise DcaError(
            f"main_app.py runs here as user {other}: run watchdog.py as that user, "
            f"sudo -u {other} and the same command"
        )
    if arguments.status:
        return say_status(bot, utc_now(), booted_at())
    seconds = limits.watchdog_start_seconds + STOP_AND_MAIL_SECONDS
    with (
        only_once(NAME, settings.log.dir),
        deadline(seconds),
        Incidents(
            settings.log.dir,
            settings.alerts,
            utc_now(),
            secrets,
            mail_after=timedelta(seconds=limits.problem_mail_seconds),
            channels=Channels(settings.log.dir, channels.urls, utc_now()),
        ) as incidents,
    ):
        if arguments.pause or arguments.resume:
            incidents.pause(on=arguments.pause)
            return 0
        of_bot, not_looked_at = bot.problems()
        incidents.see(of_bot, not_looked_at=not_looked_at, booted_at=booted_at())
        status = look(bot, incidents, limits.watchdog_start_seconds)
        if settings.alerts or channels.urls:
            # needs the database, which nothing else here does
            from dca_bot.report.alerts import send_alerts

            send_alerts(incidents, channels, settings)
        return status


def booted_at() -> datetime:
    """When this machine was switched on."""
    return utc_now() - timedelta(seconds=seconds_since_boot())


def parse_arguments() -> argparse.Namespace:
    """None of them, or one."""
    parser = argument_parser(__doc__)
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--status", action="store_true", help="say how the bot is, and do nothing")
    what.add_argument("--pause", action="store_true", help="leave the bot as it is from now on")
    what.add_argument("--resume", action="store_true", help="look after it again")
    return parser.parse_args()


def look(bot: BotProcess, incidents: Incidents, start_seconds: float) -> int:
    """Look how the bot is and do what that asks for; return the exit status."""
    verdict = bot.verdict()
    if incidents.is_paused:
        log.info("paused, main_app.py is %s; watchdog.py --resume ends that", verdict.health)
        return 0
    if verdict.health is ProcessHealth.WELL:
        log.info(event(f"main_app.py is well: {verdict.why}", pid=bot.pid()))
        incidents.well()
        return 0
    if verdict.health is ProcessHealth.STARTING:
        log.info("main_app.py is starting: %s", verdict.why)
        return 0
    if reason := incidents.reason_to_wait(verdict.health):
        log.error("main_app.py is %s: %s; %s", verdict.health, verdict.why, reason)
        return 1
    return restart(bot, incidents, verdict, start_seconds)


def restart(bot: BotProcess, incidents: Incidents, verdict: Verdict, start_seconds: float) -> int:
    """Stop what hangs, start anew, wait until it is well; return the exit status."""
    is_first = verdict.health is ProcessHealth.STOPPED and not bot.has_left_traces
    found = "it has never run here" if is_first else verdict.why
    lines_before = bot.last_lines()
    level = logging.INFO if is_first else logging.WARNING
    deed = "starting it" if verdict.health is ProcessHealth.STOPPED else "replacing it"
    log.log(level, "main_app.py is %s: %s; %s", verdict.health, found, deed)
    incidents.restarts(verdict.health)
    try:
        read_settings()
    except SettingsError as error:
        incidents.not_startable(found, str(error), is_stopped=bot.pid() is None)
        raise
    if problem := stop_and_start(bot, start_seconds):
        log.error("main_app.py could not be started: %s; see main_app.log for why", problem)
        needs_a_human = bot.exit_status == SETTINGS_ARE_WRONG
        incidents.start_failed(
            found,
            problem,
            bot.last_lines(),
            needs_a_human=needs_a_human,
            is_stopped=bot.pid() is None,
        )
        return 1
    waits_for = bot.waits_for()
    if waits_for:
        log.info(event(f"main_app.py is started but it waits for {waits_for}", pid=bot.pid()))
    else:
        log.info(event("main_app.py is started and well", pid=bot.pid()))
    incidents.started(found, lines_before, is_first=is_first, waits_for=waits_for)
    return 0


def stop_and_start(bot: BotProcess, start_seconds: float) -> str:
    """End the old bot, start a new one, and see it well; "" or what went wrong.

    One that does not become well is ended, or the next run would start another one beside it.
    """
    if not bot.stop():
        return "the old process does not end, not even by SIGKILL"
    bot.start()
    problem = bot.wait_until_well(start_seconds)
    if not problem or bot.exit_status is not None:
        return problem
    how_it_ended = ", so it was ended" if bot.end_started() else " and does not end either"
    return problem + how_it_ended


if __name__ == "__main__":
    sys.exit(run(main))
