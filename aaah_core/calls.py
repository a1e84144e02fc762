"""The calls of one connection: how they are taken, bounded and ended."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Callable, Coroutine
from functools import partial
from typing import TYPE_CHECKING, Any

from aaah_core import exchange, watchdog
from aaah_core.close_codes import CloseCode
from aaah_core.counters import count
from aaah_core.dispatch import respond
from aaah_core.errors import Busy, RequestError
from aaah_core.inbox import Inbox, Message
from aaah_core.logs import log_error
from aaah_core.messages import Call, current_call
from aaah_core.parting import part
from aaah_core.rate import meter
from aaah_core.running import Running, current_running, current_task

if TYPE_CHECKING:
    from aaah_core.connection import Connection

__all__ = ["Calls"]

logger = logging.getLogger("aaah.calls")

_retiring = partial(Busy, "The connection is about to be closed: connect again.", code="going_away")
#: Characters or bytes of a frame whose call is not kept until the next one comes.
_LARGE = 4096

#: Calls in a row after which others have their turn: a server may have a thousand at hand, and what
#: it gives at once would let nobody else run.
_STINT = 64


def _clock(loop: asyncio.AbstractEventLoop) -> Callable[[], float]:
    """Return what tells the loop's time; of asyncio's own loops, what their method calls."""
    own = type(loop).time is asyncio.BaseEventLoop.time
    return time.monotonic if own else loop.time


class Calls:
    """Takes frames, one at a time, inline in the connection's own task."""

    __slots__ = (
        "_connection",
        "_inbox",
        "_last",
        "_limits",
        "_main",
        "_now",
        "_overflows",
        "_promised",
        "_retired",
        "_serving",
        "_unreadable",
        "_worked",
    )

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._now = _clock(asyncio.get_running_loop())
        self._limits = connection.plan.limits
        self._inbox: Inbox | None = None
        #: The connection's own task, and the call that runs inline in it.
        self._main = Running(current_task())
        #: The request before this one.
        self._last: Call | None = None
        self._serving = False
        self._worked = False
        self._unreadable = 0
        self._overflows = 0
        self._retired = False
        #: How many that waited when it retired are still to run.
        self._promised = 0
        current_running.set(self._main)
        if self._limits.rate is not None:
            connection.transport.screen(meter(connection, self._limits.rate, self._now))

    def serve(self) -> Coroutine[Any, Any, None]:
        """Return what takes frames until the connection has ended; `served` belongs behind it.

        Plain, as it stands as long as the connection: a coroutine more would weigh 0.2 KiB.
        """
        self._serving = True
        return self._answer(self._main)

    def served(self, error: BaseException | None = None) -> None:
        """See to the end of `serve`; a cancel that is not ours goes on."""
        self._serving = False
        try:
            if error is not None:
                self._require_left(self._main)
        finally:
            self._main.stop()

    def _waiting(self) -> Inbox:
        """Return the inbox, made when something first has to wait: few connections ever need it."""
        if self._inbox is None:
            receive = self._connection.transport.receive
            self._inbox = Inbox(receive, self._limits, self._left, self._overflow)
        return self._inbox

    async def _answer(  # noqa: C901, PLR0912, PLR0915 - in pieces an echo takes 0.3 of 9.5 µs more
        self, running: Running, only: Message | None = None
    ) -> None:
        """Answer a frame; whatever goes wrong, the connection lives.

        Where none is given it reads them itself, until the connection has ended. Most messages of
        most connections come by here and by `dispatch.respond`, and by no other coroutine of ours.
        """
        connection, limits, now = self._connection, self._limits, self._now
        transport, turns, consumer = connection.transport, connection.turns, connection.consumer
        plan, codec, task = connection.plan, connection.codec, running.task
        key = codec.frame
        usual = min(_LARGE, limits.frame_bytes // 4)  # a character has four bytes at most
        left = _STINT
        while only is not None or transport.ended is None:
            if only is not None:
                message = only
                given = message.get(key)
            else:
                try:
                    inbox = self._inbox
                    message = await (transport.next() if inbox is None else inbox.next())
                except Exception as error:  # noqa: BLE001 - as in `Transport.receive`
                    message = transport.gone(error)
                given = message.get(key)
                if message["type"] == "websocket.disconnect":
                    self._left(message)
                    continue
                large = given is None or len(given) > usual
                if large and not transport.fits(message):
                    await transport.close(CloseCode.TOO_LARGE)
                    continue
                if not transport.open:
                    continue  # on its way when we closed, or before accept: it runs nothing
            self._overflows = 0
            self._worked = True
            running.since = since = now()
            running.until = since + limits.deadline
            running.reason = None
            request: exchange.Request
            frame: str | bytes | None
            try:
                try:
                    if given is None:
                        raise exchange.unsupported(codec)
                    request = plan.parse(codec.decode(given, limits))
                except Exception as error:  # noqa: BLE001 - as in `exchange.read`
                    request = error
                if turns.events:
                    request = await self._wait(request, running)
                call = request if isinstance(request, Call) else None
                turns.calls += 1
                try:
                    if call is None:
                        left = 1  # a batch is many calls
                        payload = await exchange.respond(connection, request)
                    else:
                        payload = await respond(plan, consumer, call)
                finally:
                    turns.calls -= 1
                    if turns.events:
                        turns.look()
                running.until = math.inf  # what follows has bounds of its own
                if payload is not None:
                    try:
                        frame = codec.encode(payload)
                    except Exception as error:  # noqa: BLE001 - as in `exchange.encode`
                        frame = exchange.encode_bug(connection, request, payload, error)
                    if transport.open and transport.free:  # as in `Transport.send_frame`
                        transport.free = False
                        try:
                            await transport.give({"type": "websocket.send", key: frame})
                        except Exception as error:  # noqa: BLE001 - as there
                            exchange.unsent(connection, request, payload, frame, error)
                        finally:
                            transport.given()
                    else:
                        frame = exchange.framed(connection, request, payload, frame)
                        await transport.send_frame(frame)
                if call is None and isinstance(request, Exception):
                    await self._count(request)
                else:
                    self._unreadable = 0
                    ended, self._last = self._last, call
                    if ended is not None and ended.handler is not consumer:
                        part(ended)
                if running.threads:
                    # A thread cannot be ended: it counts as the running call until it ends.
                    await running.wait_for_threads()
            except asyncio.CancelledError:
                self._require_left(running)
            except Exception as error:  # noqa: BLE001 - as it cannot even say that it failed
                self._log(error, "Error %s: %s cannot reply at all")
                await transport.close(CloseCode.GOING_AWAY)
            finally:
                running.since = None
                if running.cancels:
                    running.settle()
            if task.cancelling() and running.cancelled_by_others:
                raise asyncio.CancelledError  # the action did not let it through
            if only is not None:
                return
            # None of it is to live on while the connection waits for the next.
            del message, given, request
            call = frame = payload = ended = None
            if large:
                self._let_go()
            left -= 1
            if not left:
                left = _STINT
                await asyncio.sleep(0)

    def _let_go(self) -> None:
        """Keep nothing of the last call: 70 kB of short strings weigh 550 kB as a list."""
        consumer = self._connection.consumer
        current_call.set(
            Call(None, None, scope=consumer._scope, consumer=consumer, handler=consumer)
        )
        ended, self._last = self._last, None
        if ended is not None and ended.handler is not consumer:
            part(ended)

    def _log(self, error: BaseException, message: str) -> None:
        consumer = self._connection.consumer
        log_error(logger, error, message, type(consumer).__qualname__, consumer=consumer)

    @staticmethod
    def _require_left(running: Running) -> None:
        """Let a cancel of ours end here, and go on with anybody else's."""
        running.settle()
        if running.reason != "left" or running.cancelled_by_others:
            raise asyncio.CancelledError

    async def _wait(self, request: exchange.Request, running: Running) -> exchange.Request:
        """Wait for the events that came before; a request whose time is up by then never begins."""
        if self._retired and not self._admitted():
            return exchange.refused(request, _retiring)
        try:
            await self._connection.turns.wait()
        except asyncio.CancelledError:
            running.settle()
            if running.reason != "deadline" or running.cancelled_by_others:
                raise
            return exchange.refused(request, Busy)
        return request

    async def _count(self, error: Exception) -> None:
        """Count an unreadable message, and close at one too many in a row."""
        self._unreadable = self._unreadable + 1 if isinstance(error, RequestError) else 0
        if self._unreadable > self._limits.bad_messages:
            await self._connection.transport.close(CloseCode.RUBBISH)

    async def _overflow(self, message: Message, error: Callable[..., RequestError] = Busy) -> None:
        """Refuse a message that the inbox does not hold; close when the client goes on."""
        self._overflows += 1
        if self._overflows > self._limits.inbox:
            await self._connection.transport.close(CloseCode.OVERLOADED)
        else:
            if not self._retired:
                count("overloads", "inbox")
            await exchange.refuse(self._connection, message, error)

    def retire(self) -> None:
        """Refuse what comes from now on, as if the inbox were full."""
        if not self._retired:
            self._retired = True
            self._promised = self.waiting
            self._connection.transport.screen(self._turn_away)
            # The frame that is being read passes no screen: this lets it come by `_wait`.
            self._connection.turns.events += 1

    def _admitted(self) -> bool:
        """Return whether a frame waited before nothing more was let in."""
        self._promised -= 1
        return self._promised >= 0

    async def _turn_away(self, message: Message) -> bool:
        await self._overflow(message, _retiring)
        return False

    @property
    def waiting(self) -> int:
        """How many calls wait."""
        return len(self._inbox) if self._inbox is not None else 0

    @property
    def busy(self) -> bool:
        """Whether a call runs or waits."""
        return self._main.since is not None or bool(self._inbox)

    def _left(self, message: Message) -> None:
        self._connection.transport.end(message.get("code", 1005))

    def interrupt(self) -> None:
        """End what the connection's own task waits for: the client is gone, or given up."""
        if self._serving:
            if self._main.since is None:
                self._main.start(self._now(), math.inf)
            self._main.cancel("left")

    def look(self, now: float) -> bool:
        """See to calls that take long: read ahead for them, and end those over their deadline.

        Returns:
            Whether calls ran since the last look.
        """
        worked, self._worked = self._worked, False
        since = self._main.since
        if since is not None:  # it is None where it is idle, as most connections are
            if now - since >= watchdog.INTERVAL:
                self._waiting().read_ahead()
            self._main.look(now)
        return worked

    async def end(self) -> None:
        """End every call, and take no more."""
        if self._inbox is not None:
            self._inbox.close()
