"""Who is let in to the page, and how guessing its password slows down."""

import base64

import pytest

from dca_bot.page.visitors import TRIES, WAIT_SECONDS_MAX, Door, is_this_machine, password_in

HERE = "192.0.2.7"


class Watch:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def basic(text: str) -> str:
    return "Basic " + base64.b64encode(text.encode()).decode()


def test_the_right_password_opens() -> None:
    assert Door("correct horse").opens_for(HERE, "correct horse")


@pytest.mark.parametrize("credentials", ["", "correct", "correct horse ", "Correct horse"])
def test_any_other_does_not(credentials: str) -> None:
    assert not Door("correct horse").opens_for(HERE, credentials)


def test_a_guesser_waits_longer_and_longer_and_others_do_not() -> None:
    watch = Watch()
    door = Door("secret", watch)
    waits = []
    for _ in range(TRIES + 12):
        door.opens_for(HERE, "guess")
        waits.append(door.seconds_to_wait(HERE))
        watch.now += waits[-1]
    assert waits[: TRIES - 1] == [0] * (TRIES - 1)
    assert waits[TRIES - 1 :] == sorted(waits[TRIES - 1 :])
    assert waits[-1] == WAIT_SECONDS_MAX
    assert door.seconds_to_wait("192.0.2.8") == 0


def test_who_has_waited_and_knows_it_starts_afresh() -> None:
    watch = Watch()
    door = Door("secret", watch)
    for _ in range(TRIES):
        door.opens_for(HERE, "guess")
    watch.now += door.seconds_to_wait(HERE)
    assert door.opens_for(HERE, "secret")
    door.opens_for(HERE, "guess")
    assert door.seconds_to_wait(HERE) == 0


def test_a_browser_that_asks_for_the_first_time_has_guessed_nothing() -> None:
    door = Door("secret")
    for _ in range(3 * TRIES):
        door.opens_for(HERE, "")
    assert door.seconds_to_wait(HERE) == 0


@pytest.mark.parametrize(
    ("header", "password"),
    [
        (basic("me:secret"), "secret"),
        (basic(":with:colons"), "with:colons"),
        (basic("nobody"), ""),
        ("Basic !!!", ""),
        ("Bearer secret", ""),
        ("", ""),
    ],
)
def test_the_password_is_read_from_the_header(header: str, password: str) -> None:
    assert password_in(header) == password


@pytest.mark.parametrize(
    ("host", "is_so"),
    [
        ("127.0.0.1", True),
        ("127.8.9.1", True),
        ("localhost", True),
        ("[::1]", True),
        ("192.168.1.4", False),
        ("localhost.example.com", False),
    ],
)
def test_only_the_loopback_is_this_machine(host: str, is_so: bool) -> None:
    assert is_this_machine(host) is is_so
