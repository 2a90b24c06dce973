"""What a log message says: a sentence and its facts, and whose line it is.

Rule: a `=` without blanks around stands in facts only, and facts are made by `event` alone: so
nothing that an exchange or a row says can pass for one.
"""

import json
import logging
from datetime import datetime
from decimal import Decimal

# What nobody may miss, whatever LOG_LEVEL is: whose money is traded with, and why a script ends.
always = logging.getLogger("dca_bot.always")
always.setLevel(logging.INFO)


class Event(str):
    """A message that knows where its facts begin."""

    sentence: str
    facts: str


def event(sentence: str, /, **facts: object) -> Event:
    """A log message: the sentence, then `key=value` with Decimals plain and blanks quoted."""
    written = "".join(f" {key}={_shown(value)}" for key, value in facts.items())
    message = Event(sentence + written)
    message.sentence, message.facts = sentence, written
    return message


def asset_log(
    log: logging.Logger, symbol: str, cycle_id: int | None = None
) -> logging.LoggerAdapter[logging.Logger]:
    """The same logger, whose lines begin with the asset and, if given, the cycle."""
    cycle = [] if cycle_id is None else [f"c{cycle_id}"]
    return logging.LoggerAdapter(log, {"subject": " ".join([_shown(symbol), *cycle])})


def printable(text: str) -> str:
    """The text as one line without control codes.

    Text from outside may hold line ends, escape codes, or marks that turn the direction.
    """
    line = " | ".join(part.strip() for part in text.splitlines() if part.strip())
    return line if line.isprintable() else "".join(c if c.isprintable() else "?" for c in line)


def _shown(value: object) -> str:
    if isinstance(value, Decimal):
        text = format(value, "f")
        return text.rstrip("0").rstrip(".") if "." in text else text
    if value is None:
        return "none"
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    text = str(value)
    is_plain = text.isprintable() and not set(text) & set(' "=')
    return text if text and is_plain else json.dumps(text, ensure_ascii=not text.isprintable())
