"""How a setting's text becomes a checked value.

Rule: this file knows kinds of values (a URL, a whole number), never a setting's name.
"""

from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from dotenv.parser import parse_stream

from dca_bot.program.errors import SettingsError

SECONDS_MAX = 365 * 24 * 60 * 60


class Values:
    """Looks up values and collects what is wrong with them, instead of stopping at the first."""

    def __init__(self, environ: Mapping[str, str], env_file: Path) -> None:
        self.problems: list[str] = []
        self._env_file = env_file
        self._values = {**self._file_values(), **environ}

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
            self.problems.append(f"{name} is missing")
        return value or ""

    def password(self, name: str) -> str:
        """The value as it stands; it may be empty but must be there."""
        if name not in self._values:
            self.problems.append(f"{name} is missing (it may be empty, but it must be there)")
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

    def raise_problems(self) -> None:
        """Raise SettingsError with every problem found, if there is one."""
        if self.problems:
            hint = f"edit {self._env_file} or the environment (.env.example shows every setting)"
            raise SettingsError(self.problems, hint=hint)


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
