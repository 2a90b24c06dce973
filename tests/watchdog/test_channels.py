"""Messages beside the mail, at real local servers: each once, and nothing of an address shown."""

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from dca_bot.program.channel_settings import read_channel_settings, secrets_of
from dca_bot.program.errors import SettingsError
from dca_bot.program.masking import Mask
from dca_bot.watchdog.channels import Channels, failing, load
from tests.helpers import eventually

# apprise's own libraries, on a Python that is new to them
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

NOW = datetime(2026, 3, 2, 7, tzinfo=UTC)
TOKEN = "s3cretTopic42"


class Service:
    """A web service that takes JSON, or refuses it."""

    def __init__(self) -> None:
        self.got: list[dict[str, object]] = []
        self.status = 200
        service = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if service.status == 200:
                    service.got.append(json.loads(body))
                self.send_response(service.status)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.url = f"json://127.0.0.1:{self._server.server_port}/{TOKEN}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def received(self) -> list[object]:
        return [each["title"] for each in self.got]


@pytest.fixture
def services() -> Iterator[tuple[Service, Service]]:
    made = (Service(), Service())
    yield made
    for each in made:
        each.close()


def run_of_the_watchdog(directory: Path, urls: list[str], *subjects: str) -> None:
    channels = Channels(directory, urls, NOW)
    for subject in subjects:
        channels.tell(subject, "a story")
    channels.flush()


def test_every_channel_gets_each_message_once(
    services: tuple[Service, Service], tmp_path: Path
) -> None:
    one, other = services
    urls = [one.url, other.url]
    run_of_the_watchdog(tmp_path, urls, "first", "second")
    run_of_the_watchdog(tmp_path, urls)
    assert one.received == other.received == ["first", "second"]
    assert one.got[0]["message"] == "a story"


def test_a_channel_that_fails_delays_no_other_and_is_tried_again(
    services: tuple[Service, Service], tmp_path: Path
) -> None:
    one, other = services
    urls = [one.url, other.url]
    one.status = 500
    run_of_the_watchdog(tmp_path, urls, "first")
    assert (one.received, other.received) == ([], ["first"])
    [message] = failing(tmp_path)
    assert message.startswith("channel 1 (json) of ALERT_URLS takes no messages since 2026-03-02")
    one.status = 200
    run_of_the_watchdog(tmp_path, urls, "second")
    assert one.received == other.received == ["first", "second"]
    assert failing(tmp_path) == []


def test_what_a_late_channel_sends_after_all_is_not_sent_again(tmp_path: Path) -> None:
    goes_on, sent = threading.Event(), []

    def late(_url: str, subject: str, _body: str) -> str:
        goes_on.wait(60)
        sent.append(subject)
        return ""

    channels = Channels(tmp_path, ["json://127.0.0.1"], NOW, late)
    channels.tell("first", "a story")
    channels.tell("second", "a story")
    channels.flush(seconds=0.0)
    assert sent == []

    def waiting() -> list[str]:
        [channel] = load(tmp_path).values()
        return [subject for subject, _ in channel.waiting]

    assert waiting() == ["first", "second"]
    goes_on.set()
    eventually(lambda: waiting() == ["second"])
    assert sent == ["first"]


def test_nothing_of_an_address_is_written_down(
    services: tuple[Service, Service], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    one, _ = services
    one.status = 403
    run_of_the_watchdog(tmp_path, [one.url, "nonsense://" + TOKEN], "first")
    written = "".join(path.read_text() for path in tmp_path.iterdir())
    assert TOKEN not in written + caplog.text
    assert len(failing(tmp_path)) == 2


def test_the_tokens_of_an_address_are_masked_everywhere() -> None:
    text = "tgram://123456:ABCdef/987654, discord://4174216298/JHMHI8qBe7bk2ZwO5U711o3dV_js"
    mask = Mask(secrets_of(text))
    shown = mask(f"failed: {text} JHMHI8qBe7bk2ZwO5U711o3dV_js 123456:ABCdef")
    for secret in ("ABCdef", "JHMHI8", "987654"):
        assert secret not in shown


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ALERT_URLS", "no-address"),
        ("ALERT_ON_TRADES", "often"),
        ("ALERT_DIGEST", "daily 25:00"),
        ("ALERT_DIGEST", "hourly"),
    ],
)
def test_a_wrong_setting_is_named(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=name):
        read_channel_settings({name: value}, Path("/nowhere/.env"))


def test_settings_are_read() -> None:
    found = read_channel_settings(
        {
            "ALERT_URLS": "ntfy://topic, mailto://a:b@example.com?to=c@d.e",
            "ALERT_ON_TRADES": "3",
            "ALERT_DIGEST": "weekly 07:30",
        },
        Path("/nowhere/.env"),
    )
    assert found.urls == ("ntfy://topic", "mailto://a:b@example.com?to=c@d.e")
    assert found.trades_from == 3
    assert found.digest is not None
    assert (found.digest.is_weekly, found.digest.at.hour) == (True, 7)
