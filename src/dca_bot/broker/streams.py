"""The two websockets: quotes in, trade updates in.

Rule: a stream only hands over what it hears, as it heard it; a missed message is no loss as long
as `on_connected` and `on_trouble` make the owner ask over REST.  What keeps the connection alive
stands in reconnect.py.  Everything here runs on the event loop.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Callable, Coroutine, Iterable, Set
from typing import Any

from dca_bot.broker.encoding import AS_MSGPACK, encoding_of
from dca_bot.broker.reconnect import Pace, Refusal, Stream, Trouble, TroubleKind
from dca_bot.program.setting_groups import AlpacaSettings

log = logging.getLogger(__name__)

Message = dict[str, Any]

SYMBOL_LIMIT_EXCEEDED = 405
INVALID_SYNTAX = 400


class QuoteStream(Stream):
    """Quotes of the watched symbols.

    `on_quotes` gets whole frames: lists of raw quotes, as `translate.quote` reads them.  It must
    not raise.  `on_connected` is called when the subscription stands, after every connect.
    `on_trouble` is called once per incident, and once for symbols that can't be subscribed.
    """

    def __init__(
        self,
        settings: AlpacaSettings,
        *,
        on_quotes: Callable[[list[Message]], None],
        on_connected: Callable[[], None],
        on_trouble: Callable[[str], None],
        pace: Pace | None = None,
    ) -> None:
        super().__init__(
            "quote stream",
            settings.quote_stream_url,
            pace or Pace(),
            on_connected=on_connected,
            on_trouble=on_trouble,
            headers=AS_MSGPACK,
        )
        self._keys = {"key": settings.key_id, "secret": settings.secret_key}
        self._on_quotes = on_quotes
        self._wanted: list[str] = []
        self._wishes_changed = asyncio.Event()
        self._missed: asyncio.Queue[str] = asyncio.Queue()
        self._subscribed: set[str] = set()
        self._replies: asyncio.Queue[Message] = asyncio.Queue()
        self._is_asking = False
        self._logged_left_out: set[str] = set()

    async def watch(self, symbols: Iterable[str]) -> None:
        """Want the quotes of exactly these symbols from now on, connected or not.

        If the plan allows fewer, the first ones win; a set is taken in alphabetical order.
        """
        wanted = list(dict.fromkeys(sorted(symbols) if isinstance(symbols, Set) else symbols))
        if wanted != self._wanted:
            self._wanted = wanted
            self._wishes_changed.set()

    @property
    def subscribed(self) -> frozenset[str]:
        """The symbols whose quotes come, as Alpaca confirmed them."""
        return frozenset(self._subscribed)

    def call_silent(self, what: str) -> None:
        """Connect anew, since Alpaca had `what` to send and this connection did not bring it."""
        self._missed.put_nowait(what)

    async def _until_wanted(self) -> None:
        while not self._wanted:
            self._wishes_changed.clear()
            await self._wishes_changed.wait()

    async def _open(self) -> None:
        self._subscribed, self._replies, self._missed = set(), asyncio.Queue(), asyncio.Queue()
        self._has_complained = False
        greeting = await self._ws.recv()
        self._encoding = encoding_of(greeting)
        await self._wait_for("connected", greeting)
        await self._ws.send(self._encoding.write({"action": "auth"} | self._keys))
        await self._wait_for("authenticated", await self._ws.recv())

    async def _wait_for(self, word: str, frame: bytes | str) -> None:
        """Until `word` is said, in this frame or in one of the next."""
        while True:
            try:
                messages = self._encoding.read(frame)
                words = [(each.get("T"), each.get("msg"), each.get("code")) for each in messages]
            except (ValueError, TypeError, AttributeError, RecursionError):
                raise Trouble("an answer that can't be read") from None
            for kind, said, code in words:
                if kind == "error":
                    raise Refusal(f"{said} ({code})")
                if said == word:
                    return
            frame = await self._ws.recv()

    def _work(self) -> list[Coroutine[Any, Any, object]]:
        return [self._listen(), self._follow_wishes(), self._until_silent()]

    async def _listen(self) -> None:
        """The hot path: no timeout and no coroutine per frame, and no look at single quotes."""
        receive, read, hand_over = self._ws.recv, self._encoding.read, self._on_quotes
        while True:
            frame = await receive()
            try:
                messages = read(frame)
                if messages[0]["T"] == "q":
                    self._is_useful = True
                    hand_over(messages)
                    continue
            except Exception as error:  # noqa: BLE001 - a bad frame must lose only itself
                self._complain(error)
                continue
            self._hear(messages)

    def _complain(self, error: Exception) -> None:
        """Once per connection: whatever makes one frame unusable will meet thousands more."""
        if not self._has_complained:
            self._has_complained = True
            log.error("quote stream: a frame could not be used", exc_info=error)

    def _hear(self, messages: list[Message]) -> None:
        for message in messages:
            word = message.get("T") if isinstance(message, dict) else None
            if word in ("subscription", "error") and self._is_asking:
                self._replies.put_nowait(message)
            elif word == "error":
                raise Refusal(_error_text(message))

    async def _until_silent(self) -> None:
        """A connected but mute socket is real (docs/alpaca.md 6.3 D1), and answers every ping."""
        raise Trouble(f"connected, but silent about {await self._missed.get()}", TroubleKind.SILENT)

    async def _follow_wishes(self) -> None:
        await self._subscribe_and_unsubscribe()
        self._worked()
        while self._wanted:
            await self._wishes_changed.wait()
            await self._subscribe_and_unsubscribe()

    async def _subscribe_and_unsubscribe(self) -> None:
        """Ask for the difference between what is wanted and what comes.

        1. What is no longer wanted goes first, to make room.
        2. What is refused is halved until the largest beginning fits (405), or the symbols that
           Alpaca can't read are found and left out (400).
        """
        self._wishes_changed.clear()
        wanted = list(self._wanted)
        if gone := sorted(self._subscribed - set(wanted)):
            await self._ask("unsubscribe", gone)
        missing = [symbol for symbol in wanted if symbol not in self._subscribed]
        size = len(missing)
        while missing:
            refusal = await self._ask("subscribe", missing[:size])
            if refusal is None:
                del missing[:size]
            elif size > 1:
                size //= 2
            elif refusal == SYMBOL_LIMIT_EXCEEDED:
                break
            else:
                del missing[0]
        self._tell_left_out(symbol for symbol in wanted if symbol not in self._subscribed)

    async def _ask(self, action: str, symbols: list[str]) -> int | None:
        """Change the subscription; None when it is done, else why these symbols can't be."""
        self._is_asking = True
        try:
            await self._ws.send(self._encoding.write({"action": action, "quotes": symbols}))
            async with asyncio.timeout(self._pace.reply):
                reply = await self._replies.get()
        except TimeoutError:
            raise Trouble(f"no answer to {action}") from None
        finally:
            self._is_asking = False
        if reply.get("T") == "subscription":
            self._subscribed = set(reply.get("quotes") or ())
            return None
        code = reply.get("code")
        if code not in (SYMBOL_LIMIT_EXCEEDED, INVALID_SYNTAX):
            why = _error_text(reply)
            raise Trouble(f"Alpaca doesn't allow to {action}: {why}", TroubleKind.REFUSED)
        return int(code)

    def _tell_left_out(self, symbols: Iterable[str]) -> None:
        left_out = list(symbols)
        if left_out and set(left_out) != self._logged_left_out:
            self._on_trouble(
                f"{self.name}: no quotes for {', '.join(left_out)}: beyond the symbol limit of "
                "the data plan, or unknown to Alpaca; disable assets or change the plan"
            )
        self._logged_left_out = set(left_out)


class TradeStream(Stream):
    """The account's trade updates.

    `on_update` gets each message as it came, also what can't be read: what is lost that way must
    be asked for.  `on_connected` is called when Alpaca confirmed that it will send updates; those
    before that moment are gone (docs/alpaca.md 3.3), so that is the time to ask over REST.
    """

    def __init__(
        self,
        settings: AlpacaSettings,
        *,
        on_update: Callable[[Message], None],
        on_connected: Callable[[], None],
        on_trouble: Callable[[str], None],
        pace: Pace | None = None,
    ) -> None:
        super().__init__(
            "trade stream",
            settings.trade_stream_url,
            pace or Pace(),
            on_connected=on_connected,
            on_trouble=on_trouble,
        )
        self._keys = {"key": settings.key_id, "secret": settings.secret_key}
        self._on_update = on_update

    async def _open(self) -> None:
        await self._ws.send(json.dumps({"action": "auth"} | self._keys))
        await self._wait_for("authorization")
        listen = {"action": "listen", "data": {"streams": ["trade_updates"]}}
        await self._ws.send(json.dumps(listen))
        await self._wait_for("listening")

    async def _wait_for(self, word: str) -> None:
        while (message := await self._next()).get("stream") != word:
            self._hear(message)
        self._hear(message)

    def _work(self) -> list[Coroutine[Any, Any, object]]:
        return [self._listen()]

    async def _listen(self) -> None:
        self._is_useful = True  # a quiet account is no silent stream
        self._worked()
        while True:
            self._hear(await self._next())

    async def _next(self) -> Message:
        """The next message; paper sends it as a binary frame, live as text (docs/alpaca.md 3.1)."""
        frame = await self._ws.recv()
        self.last_sign_of_life = time.monotonic()
        try:
            message = json.loads(frame)
        except (ValueError, RecursionError):  # the latter of brackets without end
            message = None
        if isinstance(message, dict):
            return message
        log.warning("trade stream: a frame of %d bytes could not be read", len(frame))
        # perhaps it was an update: handed over as one without content, so that Alpaca is asked
        return {"stream": "trade_updates", "data": {}}

    def _hear(self, message: Message) -> None:
        stream, content = message.get("stream"), message.get("data")
        if stream == "authorization" and isinstance(content, dict):
            if (status := content.get("status")) != "authorized":
                raise Refusal(f"{status}: {content.get('message', '')}")
        elif stream == "trade_updates":
            try:
                self._on_update(message)
            except Exception:  # one update must not cost the connection; it is asked for again
                log.exception("trade stream: an update could not be handed over")


def _error_text(message: Message) -> str:
    return f"{message.get('msg')} ({message.get('code')})"
