"""A channel layer that is somewhere else, as channels_redis is: it can be lost, and it drops."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict, deque
from uuid import uuid4

from channels.exceptions import ChannelFull
from channels.layers import BaseChannelLayer

__all__ = ["Remote"]


class Remote(BaseChannelLayer):
    """One queue for the process, which holds `capacity` messages, and a buffer for each channel.

    Attributes:
        state: "up"; "dead", where calls fail; "frozen", where they wait until it is up again.
        stalled: Whether the process takes nothing out of its queue.
        spills: Whether who is cancelled while it waits takes along what comes next, as one that
            fetches from Redis does.
        deaf: Whether those that wait now are forgotten, as by a network that swallowed them.
        groups: By name: the channels in it, and since when.
        asked: How often each method was called.
    """

    def __init__(self, capacity=100, group_expiry=86400):
        super().__init__(capacity=capacity)
        self.group_expiry = group_expiry
        self.state = "up"
        self.stalled = False
        self.groups = defaultdict(dict)
        self.asked = defaultdict(int)
        self.queue = deque()
        self.buffers = defaultdict(deque)
        self._forgotten = set()
        self._waiting = set()
        self.spills = self._spilt = False
        self._news = asyncio.Event()

    def become(self, state):
        """Let it be up, dead or frozen; a death costs it all it held."""
        self.state = state
        if state == "dead":
            self.groups.clear()
            self.queue.clear()
        self.tell()

    def deafen(self):
        """Forget those that wait for messages now; who asks anew gets them."""
        self._forgotten |= self._waiting

    def tell(self):
        """Let those that wait look again."""
        self._news.set()
        self._news = asyncio.Event()

    async def _reach(self, method):
        self.asked[method] += 1
        await asyncio.sleep(0)
        while self.state == "frozen":
            await self._news.wait()
        if self.state == "dead":
            raise ConnectionError("the layer is away")

    async def new_channel(self, prefix="specific"):
        return f"{prefix}.process!{uuid4().hex}"

    async def send(self, channel, message):
        await self._reach("send")
        if len(self.queue) >= self.capacity:
            raise ChannelFull
        self._put([channel], message)

    async def group_send(self, group, message):
        self.require_valid_group_name(group)
        await self._reach("group_send")
        oldest = time.monotonic() - self.group_expiry
        members = self.groups.get(group, {})
        channels = [name for name, since in members.items() if since > oldest]
        if channels and len(self.queue) < self.capacity:
            self._put(channels, message)

    def _put(self, channels, message):
        if not self._spilt:
            self.queue.append((channels, dict(message)))
        self._spilt = False
        self.tell()

    async def group_add(self, group, channel):
        await self._reach("group_add")
        self.groups[group][channel] = time.monotonic()
        self.tell()

    async def group_discard(self, group, channel):
        await self._reach("group_discard")
        members = self.groups.get(group, {})
        members.pop(channel, None)
        if not members:
            self.groups.pop(group, None)

    async def receive(self, channel):
        me = object()
        self._waiting.add(me)
        try:
            while True:
                await self._reach("receive")
                if me not in self._forgotten and not self.stalled:
                    if self.buffers[channel]:
                        return self.buffers[channel].popleft()
                    if self.queue:
                        channels, message = self.queue.popleft()
                        for each in channels:
                            self.buffers[each].append(dict(message))
                        self.tell()
                        continue
                await self._news.wait()
        except asyncio.CancelledError:
            self._spilt = self.spills
            raise
        finally:
            self._waiting.discard(me)
