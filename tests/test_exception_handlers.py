"""Exception handlers: which of them is asked, and what it may answer."""

from __future__ import annotations

import asyncio

import pytest

from aaah_core import NotFound, Reply
from aaah_core.testing import registry
from tests.calls import asked, hello, raising, status_of
from tests.conftest import collector, consumer, plugin

pytestmark = pytest.mark.usefixtures("core")


class Wide(Exception):
    pass


class Narrow(Wide):
    pass


async def test_the_nearest_class_handles_and_may_be_async():
    async def narrow(call, error):
        return Reply("narrow", 409)

    def wide(call, error):
        return Reply("wide", 410)

    def anything(call, error):
        return Reply("anything", 418)

    first = plugin(aaah_exception_handlers=lambda: {Narrow: narrow, Exception: anything})
    second = plugin(aaah_exception_handlers=lambda: {Wide: wide, Narrow: wide})
    with registry(collector(), first, second):
        assert await status_of(consumer(hello, raising(Narrow()))) == 409
        assert await status_of(consumer(hello, raising(Wide()))) == 410
        assert await status_of(consumer(hello, raising(OSError()))) == 418
        # It may handle what the core would, too; but a cancel of the action's own is no Exception.
        assert await status_of(consumer(hello, raising(NotFound()))) == 418
        assert await status_of(consumer(hello, raising(asyncio.CancelledError()))) == 500


async def test_a_handler_is_given_the_call_and_its_reply_the_exception():
    seen = []

    def handler(call, error):
        seen.append((call.action, str(error)))
        return Reply(status=409)

    async def middleware(call, call_next):
        reply = await call_next(call)
        seen.append(reply.exception)
        return reply

    error = Wide("it")
    hooks = plugin(
        aaah_exception_handlers=lambda: {Wide: handler}, aaah_middleware=lambda: middleware
    )
    with registry(collector(), hooks):
        await asked(consumer(hello, raising(error)))
    assert seen[:2] == [("act", "it"), error]


@pytest.mark.parametrize("answer", [None, {"status": 200}, 7, "raise", "cancel"], ids=repr)
async def test_an_exception_handler_that_is_wrong_is_a_500(answer):
    async def handler(call, error):
        if answer == "raise":
            raise LookupError("secret")
        if answer == "cancel":
            raise asyncio.CancelledError
        return answer

    # Also where it would be asked about its own fault.
    wrong = plugin(aaah_exception_handlers=lambda: {Exception: handler})
    with registry(collector(), wrong):
        assert await status_of(consumer(hello, raising(Wide()))) == 500


async def test_an_exception_handler_may_raise_what_a_client_may_be_told():
    def handler(call, error):
        raise NotFound("Gone.")

    with registry(collector(), plugin(aaah_exception_handlers=lambda: {Wide: handler})):
        assert await status_of(consumer(hello, raising(Wide()))) == 404
