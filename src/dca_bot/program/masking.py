"""What must never be shown, found in every spelling in which it may come back.

Rule: whatever leaves the process as text (log, mail, stderr) goes through a Mask, whole: a text
that was cut before could end in the beginning of a secret.
"""

from __future__ import annotations

import html
import json
import re
from base64 import b64encode
from collections.abc import Iterable, Iterator
from urllib.parse import quote, quote_plus

# Shorter "secrets" are words of ordinary lines; masking them would garble what people read.
SECRET_LENGTH_MIN = 6
MASK = "***"
PERCENT_CODE = re.compile(r"%[0-9A-F]{2}")


class Mask:
    """Replaces the secrets in a text."""

    def __init__(self, secrets: Iterable[str]) -> None:
        given = [secret for secret in secrets if secret]
        self.too_short = sum(len(secret) < SECRET_LENGTH_MIN for secret in given)
        forms = {
            form
            for secret in given
            if len(secret) >= SECRET_LENGTH_MIN
            for form in (*_spellings(secret), *_in_base64(secret.encode()))
        }
        self._forms = sorted(forms, key=len, reverse=True)

    def __call__(self, text: str) -> str:
        """The text as everybody may read it."""
        for form in self._forms:
            text = text.replace(form, MASK)
        return text


def _spellings(secret: str) -> Iterator[str]:
    """Plain, in a URL, a web page or a Python text, and each of them in JSON, or in JSON twice."""
    encoded = quote(secret, safe="")
    once = {
        secret,
        " ".join(secret.split()),  # as in a text that was folded
        encoded,
        quote_plus(secret),
        PERCENT_CODE.sub(lambda code: code[0].lower(), encoded),
        html.escape(secret),
        repr(secret)[1:-1],
        repr(secret.encode())[2:-1],
    }
    for form in once:
        yield form
        for ensure_ascii in (True, False):
            quoted = json.dumps(form, ensure_ascii=ensure_ascii)[1:-1]
            yield quoted
            yield json.dumps(quoted, ensure_ascii=ensure_ascii)[1:-1]


def _in_base64(secret: bytes) -> Iterator[str]:
    """The part that is the same whatever stands before and after it, as in user:password."""
    for bytes_before in range(3):
        coded = b64encode(bytes(bytes_before) + secret).decode()
        first_whole = -(-bytes_before * 8 // 6)
        last_whole = (bytes_before + len(secret)) * 8 // 6
        core = coded[first_whole:last_whole]
        yield core
        yield core.replace("+", "-").replace("/", "_")
