"""When to connect again, without any time passing."""

from __future__ import annotations

import pytest
from websockets.exceptions import WebSocketException

from dca_bot.broker.reconnect import Incident, Pace, Refusal, Trouble, TroubleKind, explained

FIVE_MINUTES = 300


def pauses(kind: TroubleKind, count: int, jitter: float = 0.0, lived: float = 0.0) -> list[float]:
    incident = Incident(Pace(), jitter=lambda: jitter)
    return [incident.next_pause(Trouble("", kind), lived)[0] for _ in range(count)]


@pytest.mark.parametrize("kind", [TroubleKind.CROWDED, TroubleKind.REFUSED])
@pytest.mark.parametrize("jitter", [0.0, 1.0])
def test_a_taken_slot_is_tried_less_than_ten_times_in_five_minutes(
    kind: TroubleKind, jitter: float
) -> None:
    connects, at = 1, 0.0
    for pause in pauses(kind, 100, jitter):
        at += pause
        connects += at <= FIVE_MINUTES
    assert connects < 10


def test_a_slot_that_is_released_after_ninety_seconds_is_taken_soon_after() -> None:
    at, tries = 0.0, []
    for pause in pauses(TroubleKind.CROWDED, 5):
        at += pause
        tries.append(at)
    assert any(90 <= each <= 100 for each in tries)


def test_lost_connections_wait_longer_each_time_up_to_half_a_minute() -> None:
    waited = pauses(TroubleKind.LOST, 1100, jitter=1.0)
    assert waited[:6] == [1, 2, 4, 8, 16, 30]
    assert waited[-1] == 30


def test_a_connection_that_lived_long_begins_again_with_a_short_wait() -> None:
    assert pauses(TroubleKind.LOST, 5, jitter=1.0, lived=31.0) == [1, 1, 1, 1, 1]


def test_a_server_that_drops_at_once_is_not_called_every_second() -> None:
    assert sum(pauses(TroubleKind.LOST, 20, lived=2.0)) > FIVE_MINUTES / 2


def test_each_kind_of_trouble_is_news_once_until_a_connection_has_lived() -> None:
    incident = Incident(Pace())
    kinds = [TroubleKind.LOST, TroubleKind.CROWDED, TroubleKind.CROWDED, TroubleKind.LOST]
    assert [incident.next_pause(Trouble("", kind), 1.0)[1] for kind in kinds] == [
        True,
        True,
        False,
        False,
    ]
    assert incident.next_pause(Trouble("", TroubleKind.LOST), 60.0)[1]


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (Refusal("connection limit exceeded"), TroubleKind.CROWDED),
        (
            Refusal(
                "your connection is rejected while another connection is open under the "
                "same account"
            ),
            TroubleKind.CROWDED,
        ),
        (Refusal("auth failed"), TroubleKind.REFUSED),
        (Refusal("unauthorized: code=401, message=Unauthorized"), TroubleKind.REFUSED),
        (ConnectionRefusedError(111, "Connection refused"), TroubleKind.LOST),
        (TimeoutError(), TroubleKind.LOST),
        (KeyError("T"), TroubleKind.LOST),
        (WebSocketException("whatever"), TroubleKind.LOST),
    ],
)
def test_the_reason_decides_how_to_go_on(error: Exception, kind: TroubleKind) -> None:
    assert explained(error).kind is kind
