"""Keys and passwords go to nobody whose certificate can't be trusted."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from dca_bot.broker.rate_limit import RateLimiter
from dca_bot.broker.rest import AlpacaBroker, KeysRefused
from dca_bot.broker.streams import QuoteStream, TradeStream
from dca_bot.program.errors import BrokerUnavailable
from dca_bot.program.settings import AlertSettings, AlpacaSettings, read_common_settings
from dca_bot.store.connection import LOCK_WAIT_SECONDS, Session
from dca_bot.watchdog.mail import TLS_FROM_THE_START_PORT, send_mail
from dca_sandbox.private_mariadb import PrivateMariaDb
from tests.helpers import Simulator, eventually
from tests.proofs.security.tls_hosts import Authority, TlsHost, make_authority
from tests.proofs.whole.busy import Bot
from tests.tally import struck
from tests.watchdog.mail_server import MailServer

pytestmark = pytest.mark.skipif(
    not shutil.which("openssl"), reason="openssl makes the certificates"
)

NOT_LOOPBACK = "127.1"  # leads to this machine, but is no name of it that is taken on trust
# What is wrong with the certificate, and what the line says of it.
BAD = {
    "self-signed": "self-signed certificate",
    "for another host": "mismatch",
    "out of date": "expired",
}


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return make_authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(params=BAD)
def bad(
    request: pytest.FixtureRequest, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> str:
    """One thing that is wrong; apart from it the certificate is trusted here."""
    if request.param != "self-signed":
        monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority.file))
    return str(request.param)


def bad_certificate(bad: str, authority: Authority) -> Path:
    if bad == "for another host":
        return authority.certificate("DNS:elsewhere.example")
    return authority.certificate("IP:127.0.0.1", days=0 if bad == "out of date" else 2)


def keys_for(address: str) -> AlpacaSettings:
    https, wss = f"https://{address}", f"wss://{address}"
    return AlpacaSettings("KEY-ID-1234", "SECRET-5678", https, https, wss)


def ask_account(settings: AlpacaSettings) -> str:
    broker = AlpacaBroker(settings, RateLimiter(100))
    try:
        with pytest.raises(BrokerUnavailable) as raised:
            broker.account()
    finally:
        broker.close()
    return str(raised.value)


def first_trouble(make: Callable[..., QuoteStream | TradeStream], **handlers: object) -> str:
    async def listen() -> str:
        troubles: asyncio.Queue[str] = asyncio.Queue()
        stream = make(on_connected=lambda: None, on_trouble=troubles.put_nowait, **handlers)
        if isinstance(stream, QuoteStream):
            await stream.watch(["BTC/USD"])
        running = asyncio.create_task(stream.run())
        try:
            return await asyncio.wait_for(troubles.get(), 30)
        finally:
            running.cancel()
            await asyncio.wait([running])

    return asyncio.run(listen())


def listen_to_quotes(settings: AlpacaSettings) -> str:
    return first_trouble(
        lambda **rest: QuoteStream(settings, **rest), on_quotes=lambda quotes: None
    )


def listen_to_trades(settings: AlpacaSettings) -> str:
    return first_trouble(
        lambda **rest: TradeStream(settings, **rest), on_update=lambda update: None
    )


CALLS = {"REST": ask_account, "quotes": listen_to_quotes, "trades": listen_to_trades}


@pytest.mark.parametrize("call", CALLS)
def test_a_host_that_cannot_be_trusted_gets_no_keys(
    call: str, bad: str, authority: Authority
) -> None:
    with TlsHost(bad_certificate(bad, authority)) as host:
        message = CALLS[call](keys_for(host.address))
        assert host.connections >= 1
        struck("certificate that can't be trusted", kind=bad)
        assert host.heard == b""
    assert "certificate can't be trusted" in message
    assert "APCA_API_*_URL" in message
    assert bad == "self-signed" or BAD[bad] in message


@pytest.mark.parametrize("call", CALLS)
def test_a_private_authority_is_trusted_where_the_user_says_so(
    call: str, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority.file))
    with TlsHost(authority.certificate("IP:127.0.0.1")) as host:
        message = CALLS[call](keys_for(host.address))
        assert host.heard != b""
    assert (
        "refuses the keys" in message
        or KeysRefused.__name__ in message
        or "refuses the Alpaca" in message
    )


def test_the_bot_says_so_and_waits(
    bot_env: dict[str, str], authority: Authority, simulator: Simulator, tmp_path: Path
) -> None:
    with TlsHost(authority.certificate("IP:127.0.0.1")) as host:
        bot = Bot(bot_env | {"APCA_API_BASE_URL": f"https://{host.address}"}, tmp_path)
        bot.start()
        try:
            message = eventually(lambda: "certificate" in bot.output and bot.output, timeout=30)
        finally:
            bot.kill()
        assert host.heard == b""
    assert "waiting for Alpaca, asking every" in message


def test_a_connection_to_a_database_that_offers_tls_is_encrypted(
    authority: Authority, tmp_path: Path
) -> None:
    both = authority.certificate("DNS:localhost")
    options = [f"--ssl-cert={both}", f"--ssl-key={both}"]
    with PrivateMariaDb(tmp_path / "data", durable=False, options=options) as server:
        session = Session(server.create_database("d"), LOCK_WAIT_SECONDS)
        [(_, cipher)] = session.rows("SHOW STATUS LIKE 'Ssl_cipher'")
        session.close()
    assert cipher


def alerts(server: MailServer, host: str) -> AlertSettings:
    env = server.env() | {"ALERT_EMAIL_SMTP_SERVER": host}
    found = read_common_settings(env, Path("/nonexistent/.env")).alerts
    assert found is not None
    return found


def test_a_mail_server_elsewhere_that_cannot_be_trusted_gets_no_mail(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    server = MailServer(tmp_path, tls=True, login=True)
    try:
        assert not send_mail(alerts(server, NOT_LOOPBACK), "subject", "body")
    finally:
        server.stop()
    assert server.mails == []
    assert "certificate can't be trusted" in caplog.text


def test_a_password_is_not_sent_in_the_clear_to_a_mail_server_elsewhere(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    server = MailServer(tmp_path, login=True)
    try:
        assert not send_mail(alerts(server, NOT_LOOPBACK), "subject", "body")
    finally:
        server.stop()
    assert server.mails == []
    assert "no encryption" in caplog.text


def test_encrypted_from_the_start_only_the_right_host_hears_us(
    authority: Authority, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    address = ("bot@example.com", "me@example.com", NOT_LOOPBACK, TLS_FROM_THE_START_PORT)
    for name, is_trusted in (("elsewhere.example", False), (NOT_LOOPBACK, True)):
        caplog.clear()
        try:
            host = TlsHost(authority.certificate(f"DNS:{name}"), TLS_FROM_THE_START_PORT)
        except OSError as error:
            pytest.skip(f"port {TLS_FROM_THE_START_PORT} can't be used here: {error}")
        with host:
            # none of them speaks SMTP, so it is no mail in any case
            assert not send_mail(AlertSettings(*address, None, None), "subject", "body")
            assert host.connections == 1
        assert ("certificate can't be trusted" not in caplog.text) is is_trusted
