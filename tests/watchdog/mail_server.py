"""A real SMTP server in a process of its own: what it took, how, and from whom.

Run as a script it listens on a free port, prints it, and appends each mail to a file as JSON.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import subprocess
import sys
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from tests.helpers import eventually
from tests.warm import WarmProcess

USER, PASSWORD = "postmaster", "letmein-5f3a"


class MailServer:
    """The server as a test sees it."""

    def __init__(self, directory: Path, *, tls: bool = False, login: bool = False) -> None:
        self._box = directory / "mails.jsonl"
        self._box.touch()
        certificate = _self_signed(directory) if tls else None
        output = directory / "mail_server.out"
        self._process = WarmProcess(
            *(__file__, str(self._box), str(certificate or ""), str(int(login))),
            env={"PATH": "/usr/bin:/bin"},
            output=output,
        )
        self.port = int(eventually(lambda: "\n" in output.read_text() and output.read_text(), 30))
        self.uses_tls, self.uses_login = tls, login

    def env(self) -> dict[str, str]:
        """The ALERT_* settings for our scripts."""
        settings = {
            "ALERT_EMAIL_SENDER": "bot@example.com",
            "ALERT_EMAIL_RECEIVER": "me@example.com",
            "ALERT_EMAIL_SMTP_SERVER": "127.0.0.1",
            "ALERT_EMAIL_SMTP_PORT": str(self.port),
        }
        if self.uses_login:
            settings |= {
                "ALERT_EMAIL_SMTP_USER": USER,
                "ALERT_EMAIL_SMTP_PASSWORD": PASSWORD,
            }
        return settings

    @property
    def mails(self) -> list[dict[str, Any]]:
        """Everything that it took so far."""
        return [json.loads(line) for line in self._box.read_text().splitlines()]

    def first_mail(self) -> dict[str, Any]:
        return eventually(lambda: self.mails)[0]

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()


def _self_signed(directory: Path) -> Path:
    certificate = directory / "mail.pem"
    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    subprocess.run(
        ["openssl", "req", "-x509", *key, "-subj", "/CN=mail.local"]
        + ["-keyout", str(certificate), "-out", str(directory / "cert.pem")],
        check=True,
        capture_output=True,
    )
    certificate.write_text(certificate.read_text() + (directory / "cert.pem").read_text())
    return certificate


class _Box:
    """Writes down every mail."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def handle_DATA(self, _: SMTP, session: Session, envelope: Envelope) -> str:
        mail = {
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "text": bytes(envelope.content or b"").decode(),
            "is_encrypted": session.ssl is not None,
            "is_logged_in": bool(session.authenticated),
        }
        with self._path.open("a") as box:
            box.write(json.dumps(mail) + "\n")
        return "250 OK"


def _authenticate(*arguments: Any) -> AuthResult:
    given = arguments[-1]
    is_right = given == LoginPassword(USER.encode(), PASSWORD.encode())
    return AuthResult(success=is_right, handled=is_right)


async def _serve(box: Path, certificate: str, login: bool) -> None:
    options: dict[str, Any] = {}
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        options |= {"tls_context": context, "require_starttls": True}
    if login:
        options |= {"authenticator": _authenticate, "auth_required": True}
        options |= {"auth_require_tls": bool(certificate)}
    server = await asyncio.get_running_loop().create_server(
        lambda: SMTP(_Box(box), hostname="mail.local", **options), "127.0.0.1", 0
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve(Path(sys.argv[1]), sys.argv[2], sys.argv[3] == "1"))
