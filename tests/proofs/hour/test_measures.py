"""What the hour measures by, on a few figures of our own."""

from __future__ import annotations

from pathlib import Path

from tests.proofs.hour.measures import Requests, lines_by_meaning


def request(
    number: int, at: float, path: str = "/v2/orders", status: int = 200
) -> dict[str, object]:
    return {"number": number, "arrived_monotonic": at, "path": path, "status": status}


def test_the_busiest_minute_is_any_sixty_seconds_of_one_kind() -> None:
    requests = Requests()
    moments = (0.0, 30.0, 59.9, 60.0, 89.9, 300.0)
    requests.gather({"requests": [request(n, at) for n, at in enumerate(moments)]})
    requests.gather({"requests": [request(0, 0.0), request(9, 60.0, "/v1beta3/crypto/us/bars")]})
    assert requests.most_in_a_minute() == {"data": 1, "trading": 4}
    assert len(requests) == 7


def test_lines_that_differ_in_numbers_alone_say_the_same(tmp_path: Path) -> None:
    log = tmp_path / "main_app.log"
    log.write_text(
        "2026-01-01T00:00:00.000Z INFO BTC/USD c7 base order placed ask=1.5 id=dca-7-base-x\n"
        "2026-01-01T00:00:09.000Z INFO BTC/USD c8 base order placed ask=1.7 id=dca-8-base-y\n"
        "2026-01-01T00:00:10.000Z INFO ETH/USD c8 base order placed ask=1.7 id=dca-8-base-y\n"
    )
    assert sorted(lines_by_meaning(log).values()) == [1, 2]
