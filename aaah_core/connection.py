"""One WebSocket, from handshake to clean-up."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

from channels.exceptions import AcceptConnection, DenyConnection

from aaah_core import exchange, watchdog
from aaah_core.close_codes import CloseCode
from aaah_core.errors import Busy, DeadlineExceeded, RequestError
from aaah_core.groups import LayerChannel
from aaah_core.inbox import Inbox, Message, size_of
from aaah_core.running import Running, current_running, current_task
from aaah_core.turns import Turns
from aaah_core.workers import close_old_async_connections, run_sync

if TYPE_CHECKING:
    from aaah_core.consumers import AsyncAPIConsumer
    from aaah_core.interfaces import Codec
    from aaah_core.plan import ConsumerPlan

__all__ = ["Connection"]

logger = logging.getLogger("aaah")

#: Seconds that each step of a clean-up may take.
CLEANUP = 5.0


class Connection:
    """The connection of one consumer instance."""

    def __init__(
        self,
        consumer: AsyncAPIConsumer,
        plan: ConsumerPlan,
        receive: Callable[[], Awaitable[Any]],
        send: Callable[[Any], Awaitable[None]],
    ) -> None:
        self.consumer = consumer
        self.plan = plan
        self.scope = consumer.scope
        self.codec: Codec
        self.subprotocol: str | None = None
        self.layer = LayerChannel(self)
        self.turns = Turns()
        self.accepted = False
        #: The code that the connection ended with; None while it lives.
        self.ended: int | None = None
        self._server_receive = receive
        self._server_send = send
        self._inbox = Inbox(self._receive, plan.limits, self._left, self._overflow)
        self._calls: set[asyncio.Task[None]] = set()
        self._runnings: set[Running] = set()
        self._worked = False
        self._unreadable = 0
        self._overflows = 0
        self._contexts = AsyncExitStack()

    async def run(self) -> None:
        """Run the connection to its end."""
        self._running = Running(current_task())
        current_running.set(self._running)
        watchdog.watch(self)
        connected = False
        try:
            if await self._may_connect():
                connected = True
                await self._connect()
                await self._serve()
        finally:
            watchdog.forget(self)
            await self._clean_up(connected)

    # The handshake: everything that can refuse stands before accept.

    async def _may_connect(self) -> bool:
        message = await self._receive()
        if message["type"] != "websocket.connect":
            return False
        codec = None
        permitted = False
        try:
            codec = self.plan.select_codec(self.scope)
            permitted = codec is not None and await self._permitted()
        except Exception:
            kind = type(self.consumer).__qualname__
            logger.exception("%s refuses a connection: what it asked raised", kind)
        if codec is None or not permitted:
            await self.close(CloseCode.REFUSED)
            return False
        self.codec = codec
        if codec.subprotocol in (self.scope.get("subprotocols") or ()):
            self.subprotocol = codec.subprotocol
        return True

    async def _permitted(self) -> bool:
        for moment in self.plan.connect_guard:
            ask = (
                moment.ask(self.scope, self.consumer)
                if moment.awaited
                else run_sync(moment.ask, self.scope, self.consumer)
            )
            if not await ask:
                return False
        return True

    async def _connect(self) -> None:
        await self.turns.begin()
        try:
            await self.layer.open()
            try:
                await self.consumer.connect()
            except AcceptConnection:
                await self.consumer.accept()
            except DenyConnection:
                await self.consumer.close()
            if self.accepted and self.ended is None:
                await self.layer.join_own_groups()
                for context in self.plan.contexts:
                    await self._contexts.enter_async_context(context(self.consumer))
        except Exception:
            logger.exception("%s could not connect", type(self.consumer).__qualname__)
            await self.close(CloseCode.GOING_AWAY)
        finally:
            self.turns.end()

    # The loop.

    async def _serve(self) -> None:
        if type(self.consumer).concurrency > 1:
            await self._serve_many()
            return
        while self.ended is None:
            message = await self._inbox.next()
            if message["type"] == "websocket.disconnect":
                self._left(message)
            elif self.accepted:
                await self._take(message, self._running)

    async def _serve_many(self) -> None:
        while self.ended is None:
            message = await self._receive()
            if message["type"] == "websocket.disconnect":
                self._left(message)
            elif self.accepted:
                if len(self._calls) < type(self.consumer).concurrency:
                    self._start(message)
                else:
                    await self._inbox.put(message)

    def _start(self, message: Message) -> None:
        task = asyncio.create_task(self._take_in_task(message))
        self._calls.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._calls.discard(task)
        if self._inbox and self.ended is None:
            self._start(self._inbox.pop())

    async def _take_in_task(self, message: Message) -> None:
        running = Running(current_task())
        current_running.set(running)
        self._runnings.add(running)
        try:
            await self._take(message, running)
        finally:
            self._runnings.discard(running)

    async def _take(self, message: Message, running: Running) -> None:
        """Answer one frame; whatever goes wrong, the connection lives."""
        if _too_large(message, self.plan.limits.frame_bytes):
            await self.close(CloseCode.TOO_LARGE)
            return
        self._overflows = 0
        self._worked = True
        running.start(asyncio.get_running_loop().time(), self.plan.limits.deadline)
        try:
            frame = await self._answer(message, running)
        except asyncio.CancelledError:
            if running.reason != "left" or running.cancelled_by_others:
                raise
            return
        finally:
            running.stop()
        if frame is not None:
            await self.send_frame(frame)
        if self._unreadable > self.plan.limits.bad_messages:
            await self.close(CloseCode.RUBBISH)
        if running.threads:
            await self._outlast_threads(running)
        if running.cancelled_by_others:
            raise asyncio.CancelledError  # the action did not let it through

    async def _outlast_threads(self, running: Running) -> None:
        # A thread cannot be ended: it counts as the running call until it ends by itself.
        running.start(asyncio.get_running_loop().time(), math.inf)
        try:
            await running.wait_for_threads()
        except asyncio.CancelledError:
            running.settle()
            if running.reason != "left" or running.cancelled_by_others:
                raise
        finally:
            running.stop()

    async def _answer(self, message: Message, running: Running) -> str | bytes | None:
        request = self._read(message)
        try:
            await self.turns.begin()
        except asyncio.CancelledError:
            running.settle()
            if running.reason != "deadline" or running.cancelled_by_others:
                raise
            return await self._reply(exchange.refused(request, DeadlineExceeded), running)
        try:
            return await self._reply(request, running)
        finally:
            self.turns.end()

    async def _reply(self, request: exchange.Request, running: Running) -> str | bytes | None:
        return await exchange.answer(self.plan, self.codec, self.consumer, request, running)

    def _read(self, message: Message) -> exchange.Request:
        request = exchange.read(self.plan, self.codec, message)
        if isinstance(request, RequestError):
            self._unreadable += 1
        else:
            self._unreadable = 0
        return request

    async def _overflow(self, message: Message) -> None:
        """Refuse a message that the inbox does not hold; close when the client goes on."""
        self._overflows += 1
        if self._overflows > self.plan.limits.inbox:
            await self.close(CloseCode.OVERLOADED)
            return
        request = exchange.refused(self._read(message), Busy)
        frame = await self._reply(request, Running(current_task()))
        if frame is not None:
            await self.send_frame(frame)

    def look(self, now: float) -> bool:
        """See to calls that take long: read ahead for them, and end those over their deadline.

        Returns:
            Whether calls ran since the last look.
        """
        for running in (self._running, *self._runnings):
            if running.since is None:
                continue
            if running is self._running and now - running.since >= watchdog.INTERVAL:
                self._inbox.read_ahead()
            if now >= running.until:
                running.until = now + CLEANUP  # it may clean up before it is cancelled once more
                running.cancel(running.reason or "deadline")
        worked, self._worked = self._worked, False
        return worked

    # To and from the server.

    async def _receive(self) -> Message:
        try:
            return await self._server_receive()  # type: ignore[no-any-return]  # an ASGI message
        except Exception as error:
            logger.debug("The server's receive() raised: the client is gone", exc_info=error)
            return {"type": "websocket.disconnect", "code": 1006}

    def _left(self, message: Message) -> None:
        if self.ended is None:
            self.ended = message.get("code", 1005)
        # Later: the call itself may be what found out, and cannot be cancelled while it runs.
        asyncio.get_running_loop().call_soon(self._end_call)

    def _end_call(self) -> None:
        if self._running.since is not None:
            self._running.cancel("left")

    async def send(self, message: Message) -> None:
        """Send an ASGI message; nothing goes out once the connection has ended."""
        if self.ended is not None:
            return
        if message["type"] == "websocket.accept":
            self.accepted = True
        elif message["type"] == "websocket.close":
            self.ended = message.get("code", 1000)
        try:
            await self._server_send(message)
        except Exception as error:  # each server has exceptions of its own for a client that left
            logger.debug("The server's send() raised: the client is gone", exc_info=error)
            self._left({"code": 1006})

    async def send_frame(self, frame: str | bytes) -> None:
        """Send what a codec encoded."""
        if isinstance(frame, str):
            await self.send({"type": "websocket.send", "text": frame})
        else:
            await self.send({"type": "websocket.send", "bytes": frame})

    async def close(self, code: int) -> None:
        """Close the socket."""
        await self.send({"type": "websocket.close", "code": code})

    # The end.

    async def _clean_up(self, connected: bool) -> None:
        """Leave nothing behind, whatever raises and whoever cancels."""
        self._inbox.close()
        cancelled = await _shielded(self._end_calls())
        try:
            # In this task, which entered them.
            await self._step("leave its connection contexts", self._contexts.aclose())
        except asyncio.CancelledError as error:
            cancelled = error
        cancelled = await _shielded(self._clean_up_rest(connected)) or cancelled
        if cancelled is not None:
            raise cancelled

    async def _end_calls(self) -> None:
        for task in self._calls:
            task.cancel()
        if self._calls:
            await self._step("end its calls", asyncio.wait(self._calls))

    async def _clean_up_rest(self, connected: bool) -> None:
        await self._step("leave its groups", self.layer.close())
        if connected:
            await self._step("disconnect", self.consumer.disconnect(self.ended or 1006))
            await self._step("close old database connections", close_old_async_connections())

    async def _step(self, what: str, work: Awaitable[Any]) -> None:
        try:
            async with asyncio.timeout(CLEANUP):
                await work
        except Exception:
            logger.exception("%s could not %s", type(self.consumer).__qualname__, what)


async def _shielded(work: Coroutine[Any, Any, None]) -> asyncio.CancelledError | None:
    """Do work to its end, and return the cancel that came meanwhile."""
    task = asyncio.create_task(work)
    cancelled = None
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError as error:
            cancelled = error
    return cancelled


def _too_large(message: Message, limit: int) -> bool:
    size = size_of(message)
    if size > limit:
        return True
    text = message.get("text")
    if text is None or text.isascii() or size * 4 <= limit:
        return False
    return len(text.encode("utf-8", "surrogatepass")) > limit
