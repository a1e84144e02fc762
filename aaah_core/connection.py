"""One WebSocket, from handshake to clean-up."""

from __future__ import annotations

import asyncio
import logging
import math
import random
import threading
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from contextvars import Context, copy_context
from typing import TYPE_CHECKING, Any, cast

from channels.exceptions import AcceptConnection, DenyConnection

from aaah_core import admission, census, cleanup, identity, people, watchdog
from aaah_core.calls import Calls
from aaah_core.close_codes import CloseCode
from aaah_core.concurrency import ConcurrentCalls
from aaah_core.counters import count
from aaah_core.credentials import expired
from aaah_core.hub import Hub
from aaah_core.logs import log_error
from aaah_core.membership import Membership, hub_of
from aaah_core.messages import Event
from aaah_core.mistakes import misgiven
from aaah_core.shaping import shaped
from aaah_core.transport import Receive, Send, Transport
from aaah_core.turns import Turns
from aaah_core.wrapped import WrappedTransport, is_wrapped

if TYPE_CHECKING:
    from aaah_core.consumers import AsyncAPIConsumer
    from aaah_core.deliveries import Queue
    from aaah_core.interfaces import Codec
    from aaah_core.plan import ConsumerPlan

__all__ = ["Connection"]

logger = logging.getLogger("aaah.connection")

# A worker thread may ask at the same time as the event loop; few ask, and each once.
_MAKING = threading.Lock()


class Connection:
    """The connection of one consumer instance; it is made in the task that runs it."""

    __slots__ = (
        "__weakref__",
        "_heard",
        "_latest",
        "_membership",
        "_until",
        "calls",
        "changes",
        "codec",
        "consumer",
        "context",
        "contexts",
        "events",
        "hears",
        "hub",
        "loop",
        "person",
        "place",
        "plan",
        "settling",
        "subprotocol",
        "transport",
        "turns",
        "unadmitted",
        "user",
    )

    def __init__(
        self,
        consumer: AsyncAPIConsumer,
        receive: Receive,
        send: Send,
    ) -> None:
        self.consumer = consumer
        self.plan = plan = cast("ConsumerPlan", consumer._plan)
        self.codec: Codec
        self.subprotocol: str | None = None
        transport = WrappedTransport if is_wrapped(send) else Transport
        self.transport: Transport = transport(receive, send, plan.limits, self)
        self.loop = asyncio.get_running_loop()
        #: What events run in, which is no call's.
        self.context: Context = copy_context()
        #: The hub of its channel layer; None where no layer is set.
        self.hub: Hub | None = hub_of(consumer)
        #: What the layer brought and does not go straight out; None where nothing waits.
        self.events: Queue | None = None
        #: Whether it runs what the layer brings.
        self.hears = True
        self._membership: Membership | None = None
        #: Its user, as those who keep an eye on it know it, and what they call it.
        self.user: Any = None
        self.person: str | None = None
        #: How often its user became another, or had other rights.
        self.changes = 0
        #: Whether its user has yet to be asked about at connect.
        self.unadmitted = False
        #: What asks again for its memberships; None where they are settled.
        self.settling: asyncio.Task[None] | None = None
        self.turns = Turns()
        calls = Calls if type(consumer).concurrency == 1 else ConcurrentCalls
        self.calls: Calls = calls(self)
        #: What plugins put around it, once it was accepted.
        self.contexts: AsyncExitStack | None = None
        #: Where it counts.
        self.place: census.Place | None = None
        #: The loop's times: when it is to end, and about when its client was last heard.
        self._until = self._heard = math.inf
        #: The loop's time when it ends whatever runs, where that is sooner than it would be.
        self._latest = math.inf

    @staticmethod
    async def live(consumer: AsyncAPIConsumer, receive: Receive, send: Send) -> None:
        """Make the connection of a consumer, in the task that runs it, and run it to its end."""
        self = consumer._connection = Connection(consumer, receive, send)
        watchdog.watch(self)
        connected = False
        try:
            if await admission.admits(self):
                connected = True
                await self._connect()
                self._begin_to_age()
                try:
                    await self.calls.serve()
                except asyncio.CancelledError as error:
                    self.calls.served(error)
                else:
                    self.calls.served()
        finally:
            watchdog.forget(self)
            try:
                await cleanup.clean_up(self, connected)
            finally:
                if self.place is not None:
                    census.leave(self.place)

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
        except Exception as error:  # noqa: BLE001 - a bug of the consumer's
            self.log(error, "Error %s: %s could not connect", self.name)
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
        count("accepted", self.label)
        if self.plan.contexts:
            stack = self.contexts = AsyncExitStack()
            for context in self.plan.contexts:
                entered: Any = context(self.consumer)
                if not isinstance(entered, AbstractAsyncContextManager):
                    hook, expected = "aaah_connection", "async context manager"
                    raise misgiven(self.plan, hook, context, entered, expected)
                await stack.enter_async_context(entered)

    # While it lives.

    async def admit(self) -> None:
        """Close the connection unless its user, who has changed, may have it."""
        await admission.ask_again(self)

    @property
    def joined(self) -> Membership | None:
        """Its groups, if anything needed them yet."""
        return self._membership

    def interrupt(self) -> None:
        """End what it waits for: the client is gone, or given up."""
        self.calls.interrupt()

    def _begin_to_age(self) -> None:
        now = self.loop.time()
        if self.plan.limits.idle is not None:
            self._heard = now
        if (age := self.plan.limits.age) is not None:
            # At random: those who came together, after a restart, must not come back together.
            until = now + age * random.uniform(0.9, 1.1)  # noqa: S311 - hides nothing
            self._until = min(self._until, until)  # it may have been asked to leave

    def look(self, now: float) -> bool:
        """See to calls that take long, a client that does not read, and an end that is due.

        Args:
            now: The loop's time.

        Returns:
            Whether calls ran since the last look.
        """
        if self.transport.stuck_for(now) >= self.plan.limits.send_timeout:
            # A close would wait behind what is being sent; the server ends the socket when we end.
            count("overloads", "send_timeout")
            self.transport.end(CloseCode.OVERLOADED)
        if self.consumer._scope.get("user") is not self.user and self.transport.open:
            self.context.run(identity.begin, self)  # Channels' own `login` and `logout` set it
        if self.transport.ended is None and (why := expired(self.consumer._scope)) is not None:
            people.end(self, why)
        worked = self.calls.look(now)
        idle = self.plan.limits.idle
        if idle is not None:
            if worked or self.calls.busy:
                self._heard = now
            elif now - self._heard >= idle:
                self._until = min(self._until, now)
        if now >= self._until:
            self._retire(now)
        return worked

    def leave(self, at: float, latest: float) -> None:
        """Say that the server goes away, let nothing more in, and close when nothing runs.

        Args:
            at: The loop's time before which it is not closed.
            latest: When it is closed whatever runs.
        """
        self._until, self._latest = min(self._until, at), latest
        self.calls.retire()
        if self.transport.accepted:
            seconds = math.ceil(max(0.0, at - self.loop.time()) * 10) / 10
            self._tell(Event("aaah.goaway", {"seconds": seconds}, 503))

    def _tell(self, event: Event) -> None:
        try:
            payload = shaped(self.plan, None, event)
            if payload is not None:
                self.transport.push(self.codec.encode(payload))
        except Exception as error:  # noqa: BLE001 - a shaper's bug keeps nobody from leaving
            self.log(error, "Error %s: %s could not be told of %s", self.name, event.name)

    def _retire(self, now: float) -> None:
        """Let nothing more in, and close when what came before is answered, or takes too long."""
        self.calls.retire()
        latest = min(self._latest, self._until + self.plan.limits.deadline + cleanup.CLEANUP)
        if not self.calls.busy or now >= latest:
            self.transport.retire(CloseCode.GOING_AWAY)

    def log(self, error: Exception, message: str, *args: Any) -> None:
        """Write down what went wrong with it."""
        log_error(logger, error, message, *args, consumer=self.consumer)

    def depths(self) -> tuple[int, int, int]:
        """Return how many calls wait, how many frames, and of how many groups it is a member."""
        groups = len(self._membership.groups) if self._membership is not None else 0
        return self.calls.waiting, self.transport.waiting, groups

    @property
    def label(self) -> str:
        """What its consumer is called where things are counted, and by `describe`."""
        consumer_class = type(self.consumer)
        return f"{consumer_class.__module__}.{consumer_class.__qualname__}"

    @property
    def name(self) -> str:
        """What its consumer is called in the log."""
        return type(self.consumer).__qualname__
