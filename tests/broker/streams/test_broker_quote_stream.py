"""The quote stream against a small server that misbehaves on demand."""

from __future__ import annotations

import asyncio
import gc
import os
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from dca_bot.broker import translate
from dca_bot.broker.reconnect import Pace
from dca_bot.broker.streams import QuoteStream
from tests.broker.streams.scripted_alpaca import (
    QUICK,
    CuttableWire,
    DataServer,
    ended,
    eventually,
    felt_seconds,
    in_text,
    packed,
    quote_frame,
    settings_for,
)

MANY = [f"C{number:02}/USD" for number in range(50)]


class Owner:
    """What the owner of a stream heard from it."""

    def __init__(self) -> None:
        self.frames: list[list[dict[str, Any]]] = []
        self.connected = 0
        self.troubles: list[str] = []

    def on_quotes(self, frame: list[dict[str, Any]]) -> None:
        self.frames.append(frame)

    def on_connected(self) -> None:
        self.connected += 1

    def on_trouble(self, text: str) -> None:
        self.troubles.append(text)


@asynccontextmanager
async def watching(
    url: str,
    *symbols: str,
    pace: Pace = QUICK,
) -> AsyncIterator[tuple[QuoteStream, Owner]]:
    """A running stream and its owner; the end closes it."""
    owner = Owner()
    stream = QuoteStream(
        settings_for(stream_url=url),
        on_quotes=owner.on_quotes,
        on_connected=owner.on_connected,
        on_trouble=owner.on_trouble,
        pace=pace,
    )
    await stream.watch(symbols)
    running = asyncio.create_task(stream.run())
    try:
        yield stream, owner
    finally:
        await ended(running)


async def test_whole_frames_reach_the_owner_and_become_quotes() -> None:
    async with DataServer() as server, watching(server.url, "BTC/USD") as (_, owner):
        await eventually(lambda: owner.connected)
        await server.say(quote_frame(bid=0.00143, count=3))
        frame = await eventually(lambda: owner.frames and owner.frames[0])
        assert len(frame) == 3
        quote = translate.quote(frame[0])
        assert quote is not None
        assert quote.bid == Decimal("0.00143")
        assert quote.at == datetime(2024, 3, 12, 10, 29, 43, 111588, tzinfo=UTC)


async def test_a_server_that_was_not_told_to_use_msgpack_is_understood() -> None:
    raw = {"T": "q", "S": "BTC/USD", "bp": 0.00143, "bs": 1, "ap": 0.00145, "as": 2}
    server_in_json = DataServer(in_json=True)
    async with server_in_json as server, watching(server.url, "BTC/USD") as (stream, owner):
        await eventually(lambda: owner.connected)
        assert stream.subscribed == {"BTC/USD"}
        await server.say("no JSON")
        await server.say(in_text(raw | {"t": "2024-03-12T10:29:43.111588173Z"}))
        [frame] = await eventually(lambda: owner.frames)
        quote = translate.quote(frame[0])
        assert quote is not None
        assert quote.bid == Decimal("0.00143")
        assert quote.at == datetime(2024, 3, 12, 10, 29, 43, 111588, tzinfo=UTC)


async def test_connected_is_reported_only_when_the_subscription_stands() -> None:
    async with DataServer() as server, watching(server.url, "BTC/USD", "ETH/USD") as pair:
        stream, owner = pair
        await eventually(lambda: owner.connected)
        assert stream.subscribed == {"BTC/USD", "ETH/USD"}
        assert server.subscribed == ["BTC/USD", "ETH/USD"]


async def test_a_dropped_connection_is_made_again_with_the_same_subscription() -> None:
    async with DataServer() as server, watching(server.url, "BTC/USD") as (_, owner):
        await eventually(lambda: owner.connected == 1)
        server.drop()
        await eventually(lambda: owner.connected == 2)
        assert server.subscribed == ["BTC/USD"]
        assert len(owner.troubles) == 1


async def test_nothing_is_connected_and_no_cpu_burnt_while_no_symbol_is_wanted() -> None:
    async with DataServer() as server, watching(server.url) as (stream, owner):
        before = time.thread_time()  # of this thread: others may still be tidying up
        await asyncio.sleep(0.5)  # the very thing to be tested: what waiting costs
        assert time.thread_time() - before < 0.25
        assert server.connects == 0
        await stream.watch({"BTC/USD"})
        await eventually(lambda: owner.connected)


async def test_symbols_come_and_go_while_running_and_only_the_difference_is_sent() -> None:
    async with DataServer() as server, watching(server.url, "A/USD", "B/USD") as (stream, _):
        await eventually(lambda: len(server.subscribed) == 2)
        server.heard.clear()
        await stream.watch(["B/USD", "C/USD"])
        await eventually(lambda: server.subscribed == ["B/USD", "C/USD"])
        await stream.watch(["B/USD", "C/USD"])
        await eventually(lambda: stream.subscribed == {"B/USD", "C/USD"})
        assert server.heard == [
            {"action": "unsubscribe", "quotes": ["A/USD"]},
            {"action": "subscribe", "quotes": ["C/USD"]},
        ]


async def test_the_connection_ends_with_the_last_symbol_and_comes_back_with_the_next() -> None:
    async with DataServer() as server, watching(server.url, "A/USD") as (stream, owner):
        await eventually(lambda: owner.connected)
        await stream.watch(())
        await eventually(lambda: not server.connections)
        await stream.watch(["B/USD"])
        await eventually(lambda: server.subscribed == ["B/USD"])
        assert owner.troubles == []


async def test_beyond_the_symbol_limit_the_first_ones_win_and_the_rest_is_named_once() -> None:
    async with DataServer(symbol_limit=30) as server, watching(server.url, *MANY) as pair:
        stream, owner = pair
        await eventually(lambda: owner.connected)
        assert stream.subscribed == set(MANY[:30])
        assert all(symbol in owner.troubles[0] for symbol in MANY[30:])
        assert MANY[29] not in owner.troubles[0]
        assert len(server.heard) <= 15
        server.drop()
        await eventually(lambda: owner.connected == 2)
        assert len([text for text in owner.troubles if MANY[40] in text]) == 1


async def test_room_that_becomes_free_goes_to_a_symbol_that_was_left_out() -> None:
    async with DataServer(symbol_limit=2) as server, watching(server.url, *MANY[:3]) as pair:
        stream, owner = pair
        await eventually(lambda: owner.connected)
        await stream.watch(MANY[1:3])
        await eventually(lambda: stream.subscribed == set(MANY[1:3]))
        assert server.subscribed == MANY[1:3]


async def test_one_symbol_that_alpaca_cannot_read_leaves_the_others_alone() -> None:
    server = DataServer(unreadable=("B?",))
    async with server, watching(server.url, "A/USD", "B?", "C/USD") as (stream, owner):
        await eventually(lambda: owner.connected)
        assert stream.subscribed == {"A/USD", "C/USD"}
        assert "B?" in owner.troubles[0]
        assert "A/USD" not in owner.troubles[0]


async def test_a_subscription_that_is_not_allowed_is_reported_and_tried_again() -> None:
    async with DataServer() as server:
        server.mishaps = ["subscription 409"] * 3
        async with watching(server.url, "A/USD") as (_, owner):
            await eventually(lambda: owner.connected)
            assert len(owner.troubles) == 1
            assert "insufficient subscription (409)" in owner.troubles[0]


@pytest.mark.parametrize(
    ("mishap", "words"),
    [
        ("auth 406", "another program uses these keys"),
        ("429", "another program uses these keys"),
        ("auth 402", "refuses the keys"),
        ("503", "HTTP 503"),
        ("silent", "no answer in time"),
    ],
)
async def test_whatever_hinders_the_connect_is_said_once_and_overcome(
    mishap: str, words: str
) -> None:
    async with DataServer() as server:
        server.mishaps = [mishap] * 3
        pace = replace(QUICK, open=0.2) if mishap == "silent" else QUICK
        async with watching(server.url, "A/USD", pace=pace) as (_, owner):
            await eventually(lambda: owner.connected)
            assert len(owner.troubles) == 1
            assert words in owner.troubles[0]
            assert "secret" not in owner.troubles[0]


async def test_a_subscribe_without_an_answer_does_not_park_the_stream() -> None:
    class DeafServer(DataServer):
        def _answer(self, message: dict[str, Any], mishap: str) -> dict[str, Any]:
            if mishap == "deaf" and message["action"] == "subscribe":
                return {"T": "success", "msg": "whatever"}
            return super()._answer(message, mishap)

    async with DeafServer() as server:
        server.mishaps = ["deaf"]
        pace = replace(QUICK, reply=0.1)
        async with watching(server.url, "A/USD", pace=pace) as (_, owner):
            await eventually(lambda: owner.connected)
            assert server.mishaps == []
            assert "no answer to subscribe" in owner.troubles[0]


async def test_a_stream_that_is_called_silent_connects_anew() -> None:
    async with DataServer() as server, watching(server.url, "A/USD") as (stream, owner):
        await eventually(lambda: owner.connected == 1)
        stream.call_silent("A/USD")
        await eventually(lambda: owner.connected == 2)
        assert len(server.connections) == 1
        assert "silent about A/USD" in owner.troubles[0]


async def test_silence_alone_is_no_reason_to_connect_anew() -> None:
    """A market may be quiet; only REST can tell whether the stream has missed something."""
    async with DataServer() as server, watching(server.url, "A/USD") as (stream, owner):
        await eventually(lambda: owner.connected)
        first = stream.last_sign_of_life
        for _ in range(5):  # pongs come, and nothing else
            await eventually(lambda first=first: stream.last_sign_of_life > first)
            first = stream.last_sign_of_life
        assert (server.connects, owner.troubles) == (1, [])


async def test_only_a_connection_that_brought_quotes_ends_an_incident() -> None:
    pace = replace(QUICK, proven=1e-6)
    async with DataServer() as server, watching(server.url, "A/USD", pace=pace) as pair:
        stream, owner = pair
        for count in range(1, 4):
            await eventually(lambda count=count: owner.connected == count)
            stream.call_silent("A/USD")
        await eventually(lambda: owner.connected == 4)
        assert len(owner.troubles) == 1
        await server.say(quote_frame("A/USD"))
        await eventually(lambda: owner.frames)
        stream.call_silent("A/USD")
        await eventually(lambda: owner.connected == 5)
        assert len(owner.troubles) == 2


async def test_a_black_hole_is_noticed_by_its_missing_pongs() -> None:
    async with DataServer() as server, CuttableWire(server.port) as wire:
        pace = replace(QUICK, pong=0.2)
        async with watching(wire.url, "A/USD", pace=pace) as (_, owner):
            await eventually(lambda: owner.connected == 1)
            wire.cut()
            await eventually(lambda: owner.connected == 2)
            await server.say(quote_frame("A/USD"))
            await eventually(lambda: owner.frames)


def test_the_real_times_notice_silence_and_a_black_hole_within_a_minute() -> None:
    pace = Pace()
    assert pace.ping + pace.pong + pace.close < 60
    assert pace.open <= 15


@pytest.mark.parametrize(
    "bad",
    [b"\xc1 not msgpack", b"", packed(), b"\x01", packed({"S": "A/USD"}), "text", b"\x91\xc0"],
)
async def test_a_bad_frame_loses_only_itself(bad: str | bytes) -> None:
    async with DataServer() as server, watching(server.url, "A/USD") as (_, owner):
        await eventually(lambda: owner.connected)
        await server.say(bad)
        await server.say(quote_frame("A/USD"))
        await eventually(lambda: owner.frames)
        assert (owner.connected, server.connects) == (1, 1)


async def test_an_owner_that_raises_loses_one_frame_and_not_the_stream() -> None:
    class Clumsy(Owner):
        def on_quotes(self, frame: list[dict[str, Any]]) -> None:
            super().on_quotes(frame)
            raise KeyError("ap")

    owner = Clumsy()
    async with DataServer() as server:
        stream = QuoteStream(
            settings_for(stream_url=server.url),
            on_quotes=owner.on_quotes,
            on_connected=owner.on_connected,
            on_trouble=owner.on_trouble,
            pace=QUICK,
        )
        await stream.watch(["A/USD"])
        running = asyncio.create_task(stream.run())
        await eventually(lambda: owner.connected)
        await server.say(quote_frame("A/USD"))
        await server.say(quote_frame("A/USD"))
        await eventually(lambda: len(owner.frames) == 2)
        await ended(running)
        assert server.connects == 1


async def test_an_error_in_the_middle_of_the_day_leads_to_a_new_connection() -> None:
    async with DataServer() as server, watching(server.url, "A/USD") as (_, owner):
        await eventually(lambda: owner.connected)
        await server.say(packed({"T": "error", "code": 407, "msg": "slow client"}))
        await eventually(lambda: owner.connected == 2)
        assert "slow client (407)" in owner.troubles[0]


async def test_a_hundred_reconnects_leave_one_socket_one_subscription_and_no_tasks() -> None:
    async with DataServer() as server, watching(server.url, "A/USD") as (_, owner):
        await eventually(lambda: owner.connected == 1)
        gc.collect()  # or what earlier tests left would be tidied up in between
        sockets, threads = len(os.listdir("/proc/self/fd")), threading.active_count()
        tasks_before = len(asyncio.all_tasks())
        for count in range(2, 102):
            server.drop()
            await eventually(lambda count=count: owner.connected == count)
        await eventually(lambda: len(asyncio.all_tasks()) <= tasks_before)
        await eventually(lambda: len(server.connections) == 1)
        await eventually(lambda: len(os.listdir("/proc/self/fd")) <= sockets)
        await eventually(lambda: threading.active_count() <= threads)
        assert server.subscribed == ["A/USD"]
        assert len(owner.troubles) == 1


@pytest.mark.parametrize("moment", ["handshake", "connected", "pause"])
async def test_cancelling_closes_the_socket_for_real(moment: str) -> None:
    async with DataServer() as server:
        server.mishaps = {"handshake": ["silent"], "connected": [], "pause": ["503"]}[moment]
        owner = Owner()
        stream = QuoteStream(
            settings_for(stream_url=server.url),
            on_quotes=owner.on_quotes,
            on_connected=owner.on_connected,
            on_trouble=owner.on_trouble,
            pace=replace(QUICK, pause_min=60, pause_max=60),
        )
        await stream.watch(["A/USD"])
        running = asyncio.create_task(stream.run())
        reached = {
            "handshake": lambda: server.connections,
            "connected": lambda: owner.connected,
            "pause": lambda: owner.troubles,
        }
        await eventually(reached[moment])
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        await eventually(lambda: not server.connections)


async def test_a_stop_in_a_black_hole_leaves_time_for_the_rest_of_it() -> None:
    async with DataServer() as server, CuttableWire(server.port) as wire:

        async def until_cut() -> None:
            async with watching(wire.url, "A/USD", pace=Pace()) as (_, owner):
                await eventually(lambda: owner.connected)
                wire.cut()
                stopping.set()

        stopping = asyncio.Event()
        watched = asyncio.create_task(until_cut())
        await stopping.wait()
        assert await felt_seconds(watched) < 3.5
