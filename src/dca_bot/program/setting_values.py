"""How a setting's text becomes a checked value.

Rule: this file knows kinds of values (a URL, a whole number), never a setting's name.
"""

import re
import shlex
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from difflib import get_close_matches
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from dotenv.parser import parse_stream

from dca_bot.program.errors import SettingsError

COUNT_MAX = 1_000_000
PORT_MAX = 65_535
SECONDS_MAX = 365 * 24 * 60 * 60
SETTING_IN_EXAMPLE = re.compile(r"^(?:# )?([A-Z_]+)=", re.MULTILINE)
MISSING = "is missing"
ALIKE = 0.75  # of 1, as difflib counts


class Values:
    """Looks up values and collects what is wrong with them, instead of stopping at the first."""

    def __init__(self, environ: Mapping[str, str], env_file: Path) -> None:
        self.problems: list[str] = []
        self._env_file = env_file
        in_file = self._file_values()
        self._names_in_file = set(in_file)
        self._values = {**in_file, **environ}

    def _file_values(self) -> dict[str, str]:
        try:
            with self._env_file.open(encoding="utf-8-sig") as lines:
                bindings = list(parse_stream(lines))
        except FileNotFoundError:
            return {}
        except (OSError, UnicodeDecodeError) as error:
            self.problems.append(f"{self._env_file} cannot be read ({error})")
            return {}
        # Not dotenv_values(): it expands ${...} inside passwords, and skips what it cannot parse.
        self.problems += [
            f"{self._env_file} line {binding.original.line} is not NAME=value"
            for binding in bindings
            if binding.error
        ]
        return {b.key: b.value for b in bindings if b.key is not None and b.value is not None}

    def optional(self, name: str) -> str | None:
        """The value without surrounding blanks; None when unset or empty."""
        return self._values.get(name, "").strip() or None

    def required(self, name: str) -> str:
        """The value; a problem when unset or empty."""
        value = self.optional(name)
        if value is None:
            self.problems.append(f"{name} {MISSING}")
        return value or ""

    def password(self, name: str) -> str:
        """The value as it stands; it may be empty but must be there."""
        if name not in self._values:
            self.problems.append(f"{name} {MISSING} (it may be empty, but it must be there)")
        return self.as_it_stands(name)

    def as_it_stands(self, name: str) -> str:
        """The value with its blanks; "" when unset."""
        return self._values.get(name, "")

    def key(self, name: str) -> str:
        """A key as Alpaca issues them, which can be sent in an HTTP header."""
        value = self.required(name)
        if not (value.isascii() and value.isprintable()) or set(value) & set(" '\""):
            self.problems.append(f"{name} holds a space, a quote or a character no key has")
        return value

    def whole(self, name: str, default: int, *, maximum: int = SECONDS_MAX) -> int:
        """A whole number from 1 to `maximum`."""
        text = self.optional(name) or str(default)
        if text.isascii() and text.isdigit() and len(text) < 10 and 1 <= int(text) <= maximum:
            return int(text)
        # The text is not repeated: a password may have been pasted into the wrong line.
        self.problems.append(f"{name} must be a whole number from 1 to {maximum}")
        return default

    def whole_or_none(self, name: str) -> int | None:
        """A whole number from 1 on, or None when unset."""
        return self.whole(name, 1, maximum=COUNT_MAX) if self.optional(name) else None

    def amount_or_none(self, name: str) -> Decimal | None:
        """An amount of money above 0, or None when unset."""
        text = self.optional(name)
        if text is None:
            return None
        try:
            amount = Decimal(text)
        except InvalidOperation:
            amount = Decimal("NaN")
        if amount.is_finite() and amount > 0:
            return amount
        self.problems.append(f"{name} must be an amount above 0, as in 500")
        return None

    def url(self, name: str, default: str, schemes: tuple[str, str]) -> str:
        """A URL with one of the schemes and a host, without a trailing slash."""
        text = (self.optional(name) or default).rstrip("/")
        problem = _url_problem(text, schemes) or _eavesdropping(text, schemes)
        if problem:
            self.problems.append(f"{name} {problem}")
        return text

    def one_line(self, name: str) -> str:
        """A required value that can stand in the head of a mail."""
        value = self.required(name)
        if not value.isprintable():
            self.problems.append(f"{name} holds a line end or another character no address has")
        return value

    @property
    def _example(self) -> Path:
        return self._env_file.with_name(f"{self._env_file.name}.example")

    def misspelt(self) -> list[str]:
        """Names in the file that are no settings, but nearly; the example holds all settings."""
        try:
            example = self._example.read_text()
        except OSError:
            return []
        known = SETTING_IN_EXAMPLE.findall(example)
        return [
            f"{name} in {self._env_file.name} is no setting: did you mean {meant[0]}?"
            for name in sorted(self._names_in_file.difference(known))
            if (meant := get_close_matches(name, known, 1, ALIKE))
        ]

    def raise_problems(self) -> None:
        """Raise SettingsError with every problem found, if there is one."""
        if not self.problems:
            return
        hint = f"edit {self._env_file} or the environment (.env.example shows every setting)"
        is_missing = any(MISSING in problem for problem in self.problems)
        if is_missing and not self._env_file.exists():
            folder = shlex.quote(str(self._env_file.parent))
            hint = f"there is no .env: run cd {folder} && cp .env.example .env, and fill it in"
            if not self._example.exists():
                hint = f"there is no .env in {folder}: write one, or set them in the environment"
        raise SettingsError([*self.problems, *self.misspelt()], hint=hint)


def is_this_machine(host: str) -> bool:
    """Whether what is sent to the host can't be read on the way, since it never leaves."""
    if host.lower() == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def is_own_network(host: str) -> bool:
    """Whether a host is this machine or a neighbour: a private address, or a name without a dot."""
    try:
        return ip_address(host).is_private
    except ValueError:
        return "." not in host


def _eavesdropping(text: str, schemes: tuple[str, str]) -> str | None:
    plain, encrypted = schemes
    url = urlsplit(text)
    if url.scheme == encrypted or is_own_network(url.hostname or ""):
        return None
    return (
        f"must begin with {encrypted}://, since anybody on the way could read the keys "
        f"({plain}:// is for a simulated exchange on this machine or in your own network)"
    )


def _url_problem(text: str, schemes: tuple[str, str]) -> str | None:
    # The text itself is never repeated: a URL may carry a password.
    wanted = f"must look like {schemes[1]}://host, or {schemes[0]}:// and a local host and port"
    try:
        url: SplitResult = urlsplit(text)
        usable = url.scheme in schemes and bool(url.hostname) and url.port != 0
    except ValueError:
        return wanted
    if not usable or not text.isprintable() or " " in text:
        return wanted
    if "@" in url.netloc or url.query or url.fragment:
        return "must have no user, password or query"
    if url.path.endswith(("/v2", "/stream", "/v1beta3", "/crypto/us")):
        return f"must end before {url.path}: the bot adds the path itself"
    return None
