from __future__ import annotations

from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth.models import Group
from django.db import connection, connections, transaction

from aaah_async_action import broadcast
from aaah_async_action.decorators import async_action
from aaah_core import AsyncActionHandler, run_sync

# Real commits and rollbacks, on worker threads.
pytestmark = pytest.mark.django_db(transaction=True)


class Handler(AsyncActionHandler):
    @async_action(atomic=True)
    def fail_atomic(self, name: str) -> None:
        Group.objects.create(name=name)
        raise LookupError

    @async_action
    def fail(self, name: str) -> None:
        Group.objects.create(name=name)
        raise LookupError

    @async_action(atomic=True)
    def within_atomic(self) -> bool:
        return connection.in_atomic_block

    @async_action
    def within(self) -> bool:
        return connection.in_atomic_block

    @async_action
    @transaction.non_atomic_requests
    def exempt_below(self) -> bool:
        return connection.in_atomic_block

    @transaction.non_atomic_requests
    @async_action
    def exempt_above(self) -> bool:
        return connection.in_atomic_block

    @async_action
    async def awaited(self) -> bool:
        return connection.in_atomic_block

    @async_action(atomic=True)
    def outer(self) -> None:
        async_to_sync(self.create)(name="inner")
        raise LookupError

    @async_action
    def create(self, name: str) -> None:
        Group.objects.create(name=name)

    @async_action(atomic=True, mode="broadcast", group="news")
    def tell(self, name: str) -> None:
        Group.objects.create(name=name)

    @async_action(atomic=True, mode="broadcast", group="news")
    def fail_to_tell(self) -> None:
        raise LookupError


@pytest.fixture
def atomic_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(connections.settings["default"], "ATOMIC_REQUESTS", True)


async def names() -> set[str]:
    return await run_sync(lambda: {group.name for group in Group.objects.all()})


async def test_an_atomic_action_that_raises_leaves_nothing_behind(run: Any) -> None:
    with pytest.raises(LookupError):
        await run(Handler, "fail_atomic", name="a")
    assert await names() == set()


async def test_an_atomic_action_is_atomic_when_code_awaits_it_too() -> None:
    with pytest.raises(LookupError):
        await Handler().fail_atomic(name="a")
    assert await names() == set()


async def test_without_atomic_each_query_stands_by_itself(run: Any) -> None:
    with pytest.raises(LookupError):
        await run(Handler, "fail", name="a")
    assert await names() == {"a"}
    assert await run(Handler, "within_atomic") is True
    assert await run(Handler, "within") is False


async def test_an_action_that_sync_code_calls_is_in_the_callers_transaction(run: Any) -> None:
    with pytest.raises(LookupError):
        await run(Handler, "outer")
    assert await names() == set()


@pytest.mark.usefixtures("atomic_requests")
async def test_atomic_requests_wraps_every_sync_action(run: Any) -> None:
    with pytest.raises(LookupError):
        await run(Handler, "fail", name="a")
    assert await names() == set()
    assert await run(Handler, "within") is True


@pytest.mark.usefixtures("atomic_requests")
async def test_atomic_requests_leaves_out_what_django_leaves_out(run: Any) -> None:
    assert await run(Handler, "exempt_below") is False
    assert await run(Handler, "exempt_above") is False
    assert await run(Handler, "awaited") is False


@pytest.mark.usefixtures("atomic_requests")
async def test_what_is_broadcast_is_committed(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []

    def publish(*args: Any, **details: Any) -> None:
        seen.append((connection.in_atomic_block, Group.objects.filter(name="a").exists()))

    monkeypatch.setattr(broadcast, "publish", publish)
    await run(Handler, "tell", name="a")
    with pytest.raises(LookupError):
        await run(Handler, "fail_to_tell")
    assert seen == [(False, True)]
