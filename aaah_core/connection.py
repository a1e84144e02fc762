"""One WebSocket, from handshake to clean-up."""

from __future__ import annotations

import asyncio
import logging
import math
import random
import threading
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack
from contextvars import Context, copy_context
from functools import partial
from typing import TYPE_CHECKING, Any

from channels.exceptions import AcceptConnection, DenyConnection, StopConsumer
from django.core.exceptions import SynchronousOnlyOperation

from aaah_core import census, watchdog
from aaah_core.calls import Calls
from aaah_core.close_codes import CloseCode
from aaah_core.hub import Hub
from aaah_core.membership import Membership, hub_of
from aaah_core.moments import granted
from aaah_core.transport import Transport
from aaah_core.turns import Turns
from aaah_core.workers import close_old_async_connections, run_sync
from aaah_core.wrapped import WrappedTransport, is_wrapped

if TYPE_CHECKING:
    from aaah_core import events
    from aaah_core.consumers import AsyncAPIConsumer
    from aaah_core.interfaces import Codec
    from aaah_core.plan import ConsumerPlan

__all__ = ["Connection"]

logger = logging.getLogger("aaah")

#: Seconds that each step of a clean-up may take.
CLEANUP = 5.0

# A worker thread may ask at the same time as the event loop; few ask, and each once.
_MAKING = threading.Lock()


class Connection:
    """The connection of one consumer instance; it is made in the task that runs it."""

    __slots__ = (
        "__weakref__",
        "_calls",
        "_contexts",
        "_heard",
        "_membership",
        "_places",
        "_until",
        "codec",
        "consumer",
        "context",
        "events",
        "hears",
        "hub",
        "loop",
        "plan",
        "subprotocol",
        "transport",
        "turns",
    )

    def __init__(
        self,
        consumer: AsyncAPIConsumer,
        plan: ConsumerPlan,
        receive: Callable[[], Awaitable[Any]],
        send: Callable[[Any], Awaitable[None]],
    ) -> None:
        self.consumer = consumer
        self.plan = plan
        self.codec: Codec
        self.subprotocol: str | None = None
        transport = WrappedTransport if is_wrapped(send) else Transport
        self.transport: Transport = transport(receive, send, plan.limits, self._interrupt)
        self.loop = asyncio.get_running_loop()
        #: What events run in, which is no call's.
        self.context: Context = copy_context()
        #: The hub of its channel layer; None where no layer is set.
        self.hub: Hub | None = hub_of(consumer)
        #: What the layer brought and does not go straight out; None where nothing waits.
        self.events: events.Queue | None = None
        #: Whether it runs what the layer brings.
        self.hears = True
        self._membership: Membership | None = None
        self.turns = Turns()
        self._calls = Calls(self)
        self._contexts: AsyncExitStack | None = None
        #: Where it counts.
        self._places: tuple[census.Place, ...] = ()
        #: The loop's times: when it is to end, and about when its client was last heard.
        self._until = self._heard = math.inf

    async def run(self) -> None:
        """Run the connection to its end."""
        watchdog.watch(self)
        connected = False
        try:
            if await self._may_connect():
                connected = True
                await self._connect()
                self._begin_to_age()
                try:
                    await self._calls.serve()
                except asyncio.CancelledError as error:
                    self._calls.served(error)
                else:
                    self._calls.served()
        finally:
            watchdog.forget(self)
            try:
                await self._clean_up(connected)
            finally:
                census.leave(self._places)

    # The handshake: everything that can refuse stands before accept.

    async def _may_connect(self) -> bool:
        message = await self.transport.receive()
        if message["type"] != "websocket.connect":
            return False
        codec, code = None, CloseCode.REFUSED
        permitted = False
        try:
            async with asyncio.timeout(self.plan.limits.deadline):
                if not await self._counted():
                    code = CloseCode.OVERLOADED
                else:
                    codec = self.plan.select_codec(self.consumer.scope)
                    permitted = codec is not None and await self._permitted()
        except Exception:
            logger.exception("%s refuses a connection: what it asked raised", self._name)
        if codec is None or not permitted:
            await self.transport.close(code)
            return False
        self.codec = codec
        if codec.subprotocol in (self.consumer.scope.get("subprotocols") or ()):
            self.subprotocol = codec.subprotocol
        return True

    async def _counted(self) -> bool:
        """Count the connection, and return whether there is room for it."""
        scope = self.consumer.scope
        try:
            user = getattr(scope.get("user"), "pk", None)
        except SynchronousOnlyOperation:  # a lazy one, which asks the database
            user = await run_sync(getattr, scope["user"], "pk", None)
        places = census.places(scope, user)
        full = census.enter(places, self.plan.limits)
        if full is not None:
            logger.info("%s refuses a connection: the limit %r is reached", self._name, full)
            return False
        self._places = places
        return True

    async def _permitted(self) -> bool:
        arguments = (self.consumer.scope, self.consumer)
        for moment in self.plan.connect_guard:
            asked = moment.ask(*arguments) if moment.awaited else run_sync(moment.ask, *arguments)
            if not granted(await asked):
                return False
        return True

    async def _connect(self) -> None:
        self.turns.calls += 1
        try:
            async with asyncio.timeout(self.plan.limits.deadline):
                if self.hub is not None:
                    await self.hub.learn_names()
                try:
                    await self.consumer.connect()
                except AcceptConnection:
                    await self.consumer.accept()
                except DenyConnection:
                    await self.consumer.close()
        except Exception:
            logger.exception("%s could not connect", self._name)
            await self.transport.close(CloseCode.GOING_AWAY)
        finally:
            self.turns.calls -= 1
            self.turns.look()

    @property
    def membership(self) -> Membership:
        """Its groups, and its own channel."""
        if self._membership is None:
            with _MAKING:
                if self._membership is None:
                    self._membership = Membership(self)
        return self._membership

    async def enter_contexts(self) -> None:
        """Enter what plugins put around an accepted connection."""
        if self.plan.contexts:
            stack = self._contexts = AsyncExitStack()
            for context in self.plan.contexts:
                await stack.enter_async_context(context(self.consumer))

    # While it lives.

    def _interrupt(self) -> None:
        self._calls.interrupt()

    def _begin_to_age(self) -> None:
        self._heard = now = asyncio.get_running_loop().time()
        if (age := self.plan.limits.age) is not None:
            # At random: those who came together, after a restart, must not come back together.
            self._until = now + age * random.uniform(0.9, 1.1)  # noqa: S311 - hides nothing

    def look(self, now: float) -> bool:
        """See to calls that take long, a client that does not read, and an end that is due.

        Args:
            now: The loop's time.

        Returns:
            Whether calls ran since the last look.
        """
        if self.transport.stuck_for(now) >= self.plan.limits.send_timeout:
            # A close would wait behind what is being sent; the server ends the socket when we end.
            self.transport.end(CloseCode.OVERLOADED)
        worked = self._calls.look(now)
        idle = self.plan.limits.idle
        if idle is not None:
            if worked or self._calls.busy:
                self._heard = now
            elif now - self._heard >= idle:
                self._until = min(self._until, now)
        if now >= self._until:
            self._retire(now)
        return worked

    def _retire(self, now: float) -> None:
        """Let nothing more in, and close when what came before is answered, or takes too long."""
        self._calls.retire()
        latest = self._until + self.plan.limits.deadline + CLEANUP
        if not self._calls.busy or now >= latest:
            self.transport.retire(CloseCode.GOING_AWAY)

    # The end.

    async def _clean_up(self, connected: bool) -> None:
        """Leave nothing behind, whatever raises and whoever cancels."""
        cancelled = await _shielded(self._step("end its calls", self._calls.end))
        if self._contexts is not None:
            try:
                # In this task, which entered them.
                await self._step("leave its connection contexts", self._contexts.aclose)
            except asyncio.CancelledError as error:
                cancelled = error
        cancelled = await _shielded(self._leave(connected)) or cancelled
        if cancelled is not None:
            raise cancelled

    async def _leave(self, connected: bool) -> None:
        await self._step("stop listening", self._stop_listening)
        if connected:
            code = self.transport.ended or 1006
            await self._step("disconnect", partial(self.consumer.disconnect, code))
        if self._membership is not None:
            await self._step("leave its groups", self._membership.leave_all)
        await self.transport.flush()
        if connected:
            await self._step("close old database connections", close_old_async_connections)

    async def _stop_listening(self) -> None:
        self.hears = False
        if self.events is not None:
            task = self.events.task
            task.cancel()
            await asyncio.wait([task])
        if self._membership is not None:
            await self._membership.stop()

    async def _step(self, what: str, work: Callable[[], Awaitable[Any]]) -> None:
        try:
            async with asyncio.timeout(CLEANUP):
                await work()
        except StopConsumer:
            pass  # as Channels' own consumers end
        except Exception:
            logger.exception("%s could not %s", self._name, what)

    @property
    def _name(self) -> str:
        return type(self.consumer).__qualname__


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
