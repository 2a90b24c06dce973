"""Mail to a human.  Rule: it is sent within seconds or not at all, and never stops the sender."""

from __future__ import annotations

import logging
import smtplib
import socket
import ssl
from email.errors import MessageError
from email.message import EmailMessage
from email.utils import formatdate, make_msgid

from dca_bot.program.log_text import printable
from dca_bot.program.setting_groups import AlertSettings
from dca_bot.program.setting_values import is_this_machine

log = logging.getLogger(__name__)

SMTP_SECONDS = 10.0  # for each answer of the server
TLS_FROM_THE_START_PORT = 465


def send_mail(settings: AlertSettings | None, subject: str, body: str) -> bool:
    """Send one mail; whether the server has taken it.  What is wrong is logged."""
    if settings is None:
        log.info("no mail sent, none is configured: ALERT_EMAIL_SENDER and the like in .env")
        return True
    try:
        with _connect(settings) as server:
            if settings.smtp_user is not None:
                _log_in(server, settings.smtp_user, settings)
            server.send_message(_message(settings, subject, body))
    except (OSError, ValueError, smtplib.SMTPException, MessageError) as error:
        log.error(
            "no mail sent, the next run tries again: %s:%d: %s; check ALERT_EMAIL_SMTP_* in .env",
            settings.smtp_server,
            settings.smtp_port,
            _why(error),
        )
        return False
    log.info("mail sent to %s: %s", settings.receiver, subject)
    return True


def _connect(settings: AlertSettings) -> smtplib.SMTP:
    """A connection, encrypted where the server offers it."""
    host, port = settings.smtp_server, settings.smtp_port
    own_name = socket.gethostname()  # looking up our full name may take longer than the mail
    if port == TLS_FROM_THE_START_PORT:
        return smtplib.SMTP_SSL(host, port, own_name, timeout=SMTP_SECONDS, context=_trust(host))
    server = smtplib.SMTP(host, port, own_name, timeout=SMTP_SECONDS)
    try:
        server.ehlo()
        if server.has_extn("starttls"):
            server.starttls(context=_trust(host))
            server.ehlo()
    except BaseException:
        server.close()
        raise
    return server


def _trust(host: str) -> ssl.SSLContext:
    """Whose certificates count; made only where it is needed, since reading them all takes time."""
    context = ssl.create_default_context()
    if is_this_machine(host):
        # A mail server here has a certificate that it made itself, and nobody is in between.
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _log_in(server: smtplib.SMTP, user: str, settings: AlertSettings) -> None:
    if not (isinstance(server.sock, ssl.SSLSocket) or is_this_machine(settings.smtp_server)):
        raise smtplib.SMTPNotSupportedError("it offers no encryption, so the password stays here")
    server.login(user, settings.smtp_password or "")


def _message(settings: AlertSettings, subject: str, body: str) -> EmailMessage:
    message = EmailMessage()
    message["From"] = settings.sender
    message["To"] = settings.receiver
    message["Subject"] = printable(subject)
    message["Date"] = formatdate()
    message["Message-ID"] = make_msgid(domain="dca-bot.local")
    message.set_content(body.encode(errors="replace").decode())
    return message


def _why(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate can't be trusted ({error.verify_message})"
    if isinstance(error, UnicodeEncodeError):
        return "the login or an address holds a letter that can't be sent"
    if isinstance(error, smtplib.SMTPResponseException):
        text = error.smtp_error
        said = text.decode(errors="replace") if isinstance(text, bytes) else str(text)
        return f"{error.smtp_code} {said}"
    return str(error) or type(error).__name__
