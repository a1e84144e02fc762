"""What goes out to one client: its order, its bounds and its end."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aaah_core.limits import Limits
from aaah_core.transport import Transport


class Server:
    """An ASGI server that takes messages as slowly as it is told.

    Attributes:
        taken: The frames, and the codes of what else it took, in order.
        gate: Whether it takes anything now.
        ends: How often the transport said that the client is gone.
    """

    def __init__(self, **limits):
        self.taken = []
        self.sending = 0
        self.gate = asyncio.Event()
        self.gate.set()
        self.fails = None
        self.ends = 0
        self.transport = Transport(None, self.send, Limits(**limits), self)

    async def send(self, message):
        self.sending += 1
        assert self.sending == 1  # never two at a time
        try:
            await self.gate.wait()
            if self.fails is not None:
                raise self.fails
            self.taken.append(message.get("text") or message.get("code") or message["type"])
        finally:
            self.sending -= 1

    def interrupt(self):
        self.ends += 1

    async def accept(self):
        await self.transport.send({"type": "websocket.accept"})
        self.taken.clear()
        return self.transport


@pytest.fixture
async def server():
    yield Server(outbox=3, outbox_bytes=20)
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def settled():
    while others := asyncio.all_tasks() - {asyncio.current_task()}:
        await asyncio.wait(others)
    await asyncio.sleep(0)  # what was called soon


async def test_a_server_that_takes_at_once_needs_no_task(server):
    transport = await server.accept()
    for frame in ("a", "b"):
        transport.push(frame)
        assert asyncio.all_tasks() == {asyncio.current_task()}
    assert server.taken == ["a", "b"]


async def test_what_a_server_does_not_take_at_once_goes_out_in_order(server):
    transport = await server.accept()
    server.gate.clear()
    transport.push("a")
    replies = [asyncio.create_task(transport.send_frame(frame)) for frame in ("b", "c")]
    await asyncio.sleep(0)
    transport.push("d")
    assert server.taken == []
    server.gate.set()
    await asyncio.gather(*replies)
    assert server.taken[:3] == ["a", "b", "c"]
    await settled()
    assert server.taken == ["a", "b", "c", "d"]
    transport.push("e")
    assert server.taken[-1] == "e"


async def test_what_is_pushed_during_a_reply_goes_out_after_it(server):
    transport = await server.accept()
    server.gate.clear()
    reply = asyncio.create_task(transport.send_frame("a"))
    await asyncio.sleep(0)
    transport.push("b")
    server.gate.set()
    await reply
    await settled()
    assert server.taken == ["a", "b"]


@pytest.mark.parametrize(
    ("frames", "dropped"), [(["x"] * 4, ["x"] * 5), (["x" * 10] * 3, ["x" * 21])]
)
async def test_a_client_that_lags_behind_the_bounds_is_closed_after_what_is_in_flight(
    server, frames, dropped
):
    transport = await server.accept()
    server.gate.clear()
    for frame in frames:
        transport.push(frame)
    assert transport.ended is None
    for frame in dropped:
        transport.push(frame)
    assert transport.ended == 4429
    server.gate.set()
    await transport.flush()
    assert server.taken == [frames[0], 4429]
    transport.push("x")
    transport.overload()
    await transport.send_frame("x")
    assert server.taken == [frames[0], 4429]


async def test_a_close_comes_after_what_waits(server):
    transport = await server.accept()
    server.gate.clear()
    for frame in ("a", "b"):
        transport.push(frame)
    closing = asyncio.create_task(transport.close(4400))
    await asyncio.sleep(0)
    transport.push("c")
    server.gate.set()
    await closing
    assert server.taken == ["a", "b", 4400]
    await settled()


async def test_what_is_pushed_before_accept_goes_out_after_it(server):
    server.gate.clear()
    transport = server.transport
    transport.push("a")
    accepting = asyncio.create_task(transport.send({"type": "websocket.accept"}))
    await asyncio.sleep(0)
    transport.push("b")
    server.gate.set()
    await accepting
    await settled()
    assert server.taken == ["websocket.accept", "a", "b"]


async def test_what_is_pushed_to_a_client_that_is_refused_never_goes_out(server):
    server.transport.push("a")
    await server.transport.close(4403)
    await settled()
    assert server.taken == [4403]


async def test_too_much_before_accept_refuses_the_connection(server):
    for _ in range(5):
        server.transport.push("a")
    await server.transport.send({"type": "websocket.accept"})
    await settled()
    assert server.taken == [4429]


@pytest.mark.parametrize("blocked", [False, True])
async def test_what_the_server_raises_means_that_the_client_is_gone(server, blocked):
    transport = await server.accept()
    server.fails = OSError("gone")
    if blocked:
        server.gate.clear()
    transport.push("a")
    if blocked:
        transport.push("b")
        reply = asyncio.create_task(transport.send_frame("c"))
        await asyncio.sleep(0)
        server.gate.set()
        await reply
    await settled()
    assert (transport.ended, server.ends) == (1006, 1)
    server.fails = None
    transport.push("d")
    assert server.taken == []


async def test_the_end_of_a_connection_drops_what_waits_and_lets_go_who_waits(server):
    transport = await server.accept()
    server.gate.clear()
    transport.push("a")
    reply = asyncio.create_task(transport.send_frame("b"))
    await asyncio.sleep(0)
    transport.end(1001)
    await reply
    await transport.flush()
    await settled()
    assert server.taken == []
    assert (transport.ended, server.ends, server.sending) == (1001, 1, 0)


async def test_nothing_is_waited_for_where_nobody_closed(server):
    transport = await server.accept()
    server.gate.clear()
    transport.push("a")
    await transport.flush()
    assert server.taken == []


async def test_a_reply_that_is_cancelled_while_it_waits_disturbs_no_other(server):
    transport = await server.accept()
    server.gate.clear()
    transport.push("a")
    replies = [asyncio.create_task(transport.send_frame(frame)) for frame in ("b", "c")]
    await asyncio.sleep(0)
    replies[0].cancel()
    await asyncio.sleep(0)
    server.gate.set()
    await replies[1]
    await settled()
    assert server.taken == ["a", "b", "c"]


async def test_a_server_may_give_any_awaitable():
    taken, waits = [], []

    def send(message):
        taken.append(message)
        waits.append(asyncio.get_running_loop().create_future())
        return waits[-1]

    transport = Transport(None, send, Limits(), None)
    accepting = asyncio.create_task(transport.send({"type": "websocket.accept"}))
    for frame in ("a", "b"):
        await asyncio.sleep(0)
        transport.push(frame)
    for number in range(3):
        waits[number].set_result(None)
        for _ in range(5):
            await asyncio.sleep(0)
    await accepting
    await settled()
    assert [each.get("text") for each in taken] == [None, "a", "b"]


@settings(deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 3), st.integers(0, 2)), max_size=30))
def test_replies_and_pushes_never_overtake_one_another(steps):
    """Each step: whether it is pushed, how long the server takes, how long until the next."""

    async def run():
        delays, taken, replies = [], [], []

        async def send(message):
            for _ in range(delays[len(taken)]):
                await asyncio.sleep(0)
            taken.append(message.get("text"))

        delays = [0, *(delay for _, delay, _ in steps)]
        transport = Transport(None, send, Limits(), None)
        await transport.send({"type": "websocket.accept"})
        for number, (pushed, _, pause) in enumerate(steps):
            if pushed:
                transport.push(str(number))
            else:
                replies.append(asyncio.create_task(transport.send_frame(str(number))))
                await asyncio.sleep(0)
            for _ in range(pause):
                await asyncio.sleep(0)
        await settled()
        assert taken == [None, *(str(number) for number in range(len(steps)))]

    asyncio.run(run())
