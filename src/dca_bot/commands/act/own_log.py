"""`LOG_DIR/dca.log`: what acting verbs were told to do, and what came of it.

Rule: a verb that only looks writes nothing there, and a log that can't be written stops no verb.
"""

from __future__ import annotations

import logging
from pathlib import Path

from dca_bot.program.errors import DcaError
from dca_bot.program.log_text import event
from dca_bot.program.logs import also_log_to
from dca_bot.program.settings import read_secrets

log = logging.getLogger(__name__)


def begin(log_dir: Path, level: str, call: str) -> None:
    """From now on the bot's own lines stand there too; the first names what was called."""
    path = log_dir / "dca.log"
    try:
        also_log_to(path, level, program="dca", secrets=read_secrets())
    except DcaError as error:
        log.warning("%s is not written, dca_events tells what is done: %s", path, error)
    log.info(event("asked for by hand", call=call))
