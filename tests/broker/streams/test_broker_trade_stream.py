"""The trade stream against a small server that misbehaves on demand."""

from __future__ import annotations

import asyncio
import gc
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from dca_bot.broker import translate
from dca_bot.broker.reconnect import Pace
from dca_bot.broker.streams import TradeStream
from tests.broker.streams.scripted_alpaca import (
    QUICK,
    CuttableWire,
    TradeServer,
    ended,
    eventually,
    settings_for,
)

UPDATE = {"stream": "trade_updates", "data": {"event": "new", "order": {"status": "new"}}}


class Owner:
    """What the owner of a stream heard from it."""

    def __init__(self) -> None:
        self.updates: list[dict[str, Any]] = []
        self.connected = 0
        self.troubles: list[str] = []

    def on_update(self, raw: dict[str, Any]) -> None:
        self.updates.append(raw)

    def on_connected(self) -> None:
        self.connected += 1

    def on_trouble(self, text: str) -> None:
        self.troubles.append(text)


@asynccontextmanager
async def listening(base_url: str, owner: Owner, pace: Pace = QUICK) -> AsyncIterator[TradeStream]:
    """A running stream; the end closes it."""
    stream = TradeStream(
        settings_for(base_url=base_url),
        on_update=owner.on_update,
        on_connected=owner.on_connected,
        on_trouble=owner.on_trouble,
        pace=pace,
    )
    running = asyncio.create_task(stream.run())
    try:
        yield stream
    finally:
        await ended(running)


async def test_it_authenticates_in_the_present_form_and_then_listens() -> None:
    owner = Owner()
    async with TradeServer() as server, listening(server.base_url, owner):
        await eventually(lambda: owner.connected)
        keys = {"key": "key-id-for-tests", "secret": "secret-for-tests"}
        assert server.heard == [
            {"action": "auth"} | keys,
            {"action": "listen", "data": {"streams": ["trade_updates"]}},
        ]


@pytest.mark.parametrize("codec", [json.dumps, lambda update: json.dumps(update).encode()])
async def test_updates_arrive_raw_in_text_and_in_binary_frames(codec: Any) -> None:
    owner = Owner()
    async with TradeServer() as server, listening(server.base_url, owner):
        await eventually(lambda: owner.connected)
        await server.say(codec(UPDATE))
        await eventually(lambda: owner.updates == [UPDATE])


@pytest.mark.parametrize("junk", ["no json", b"\xff\xfe", "[]", "null", "{}", '{"stream": 1}', ""])
async def test_junk_costs_neither_the_connection_nor_the_next_update(junk: str | bytes) -> None:
    owner = Owner()
    async with TradeServer() as server, listening(server.base_url, owner):
        await eventually(lambda: owner.connected)
        await server.say(junk)
        await server.say(json.dumps(UPDATE))
        await eventually(lambda: owner.updates and owner.updates[-1] == UPDATE)
        assert server.connects == 1


async def test_a_frame_that_cannot_be_read_is_handed_over_as_an_unreadable_update() -> None:
    owner = Owner()
    async with TradeServer() as server, listening(server.base_url, owner):
        await eventually(lambda: owner.connected)
        await server.say("{half an upd")
        raw = await eventually(lambda: owner.updates and owner.updates[0])
        with pytest.raises(translate.Unreadable):
            translate.trade_update(raw)


async def test_an_update_without_content_is_handed_over_and_means_no_order() -> None:
    owner = Owner()
    async with TradeServer() as server, listening(server.base_url, owner):
        await eventually(lambda: owner.connected)
        await server.say('{"stream": "trade_updates", "data": null}')
        raw = await eventually(lambda: owner.updates and owner.updates[0])
        assert translate.trade_update(raw) is None


async def test_an_owner_that_raises_loses_one_update_and_not_the_stream() -> None:
    class Clumsy(Owner):
        def on_update(self, raw: dict[str, Any]) -> None:
            super().on_update(raw)
            raise KeyError("order")

    owner = Clumsy()
    async with TradeServer() as server, listening(server.base_url, owner):
        await eventually(lambda: owner.connected)
        await server.say(json.dumps(UPDATE))
        await server.say(json.dumps(UPDATE))
        await eventually(lambda: len(owner.updates) == 2)
        assert server.connects == 1


async def test_each_drop_leads_to_a_new_connection_and_the_owner_is_told_to_ask() -> None:
    owner = Owner()
    async with TradeServer() as server, listening(server.base_url, owner):
        for count in range(1, 4):
            await eventually(lambda count=count: owner.connected == count)
            server.drop()
        await eventually(lambda: owner.connected == 4)
        assert len(owner.troubles) == 1


@pytest.mark.parametrize(
    ("mishap", "words"),
    [
        ("429", "another program uses these keys"),
        ("unauthorized", "refuses the keys"),
        ("silent", "no answer in time"),
        ("deaf", "no answer in time"),
    ],
)
async def test_whatever_hinders_the_connect_is_said_once_and_overcome(
    mishap: str, words: str
) -> None:
    owner = Owner()
    pace = replace(QUICK, open=0.2) if words.startswith("no answer") else QUICK
    async with TradeServer() as server:
        server.mishaps = [mishap] * 3
        async with listening(server.base_url, owner, pace):
            await eventually(lambda: owner.connected)
            assert len(owner.troubles) == 1
            assert words in owner.troubles[0]
            assert "secret" not in owner.troubles[0]


async def test_a_refused_port_is_tried_again_until_somebody_listens() -> None:
    owner = Owner()
    async with listening("http://127.0.0.1:9", owner):
        await eventually(lambda: owner.troubles)
        assert "can't connect" in owner.troubles[0]


async def test_pongs_alone_are_a_sign_of_life_on_a_quiet_account() -> None:
    owner = Owner()
    async with TradeServer() as server, listening(server.base_url, owner) as stream:
        await eventually(lambda: owner.connected)
        first = stream.last_sign_of_life
        await eventually(lambda: stream.last_sign_of_life > first)
        assert owner.updates == []


async def test_a_black_hole_is_noticed_by_its_missing_pongs() -> None:
    owner = Owner()
    async with TradeServer() as server, CuttableWire(server.port) as wire:
        base_url = wire.url.replace("ws", "http", 1)
        async with listening(base_url, owner, replace(QUICK, pong=0.2)):
            await eventually(lambda: owner.connected == 1)
            wire.cut()
            await eventually(lambda: owner.connected == 2)
            assert "no sign of life" in owner.troubles[0]


async def test_a_hundred_reconnects_leave_one_socket_and_no_tasks() -> None:
    owner = Owner()
    async with TradeServer() as server, listening(server.base_url, owner):
        await eventually(lambda: owner.connected == 1)
        gc.collect()  # or what earlier tests left would be tidied up in between
        sockets, tasks = len(os.listdir("/proc/self/fd")), len(asyncio.all_tasks())
        for count in range(2, 102):
            server.drop()
            await eventually(lambda count=count: owner.connected == count)
        await eventually(lambda: len(asyncio.all_tasks()) <= tasks)
        await eventually(lambda: len(os.listdir("/proc/self/fd")) <= sockets)


@pytest.mark.parametrize("mishap", ["silent", "deaf", ""])
async def test_cancelling_closes_the_socket_for_real(mishap: str) -> None:
    owner = Owner()
    async with TradeServer() as server:
        server.mishaps = [mishap] if mishap else []
        stream = TradeStream(
            settings_for(base_url=server.base_url),
            on_update=owner.on_update,
            on_connected=owner.on_connected,
            on_trouble=owner.on_trouble,
            pace=QUICK,
        )
        running = asyncio.create_task(stream.run())
        await eventually(lambda: server.connections if mishap else owner.connected)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        await eventually(lambda: not server.connections)
