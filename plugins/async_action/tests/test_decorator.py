from __future__ import annotations

import inspect
import threading
from typing import Any

import pytest
from asgiref.sync import async_to_sync, sync_to_async

from aaah_async_action.decorators import Alias, async_action
from aaah_async_action.plugin import aaah_actions
from aaah_core import (
    ACTION_MARK,
    AsyncActionHandler,
    AsyncAPIConsumer,
    BasePermission,
    ConfigurationError,
)
from aaah_core.testing import connect


class Handler(AsyncActionHandler):
    @async_action
    def bare(self, pk: int = 1) -> tuple[str, int]:
        """Say where it runs.

        And more.
        """
        return threading.current_thread().name, pk

    @async_action()
    def called(self, pk: int) -> int:
        return pk

    @async_action
    async def awaited(self, pk: int) -> int:
        return pk

    @async_action(name="other")
    async def renamed(self) -> None: ...

    def from_sync_code(self) -> tuple[str, int]:
        return async_to_sync(self.bare)(pk=7)


@pytest.mark.parametrize("name", ["bare", "called", "awaited", "renamed"])
def test_a_decorated_method_is_async(name: str) -> None:
    assert inspect.iscoroutinefunction(getattr(Handler(), name))


async def test_a_sync_method_can_be_awaited_and_runs_in_a_worker_thread() -> None:
    thread, pk = await Handler().bare(pk=5)
    assert pk == 5
    assert thread != threading.current_thread().name
    assert await Handler().called(6) == 6


async def test_an_async_method_is_awaited_where_it_is_called() -> None:
    assert await Handler().awaited(pk=5) == 5


def test_sync_code_calls_a_sync_method_on_its_own_thread() -> None:
    assert Handler().from_sync_code() == (threading.current_thread().name, 7)


async def test_sync_code_in_a_worker_calls_a_sync_method_on_that_worker() -> None:
    here, there = await sync_to_async(
        lambda: (threading.current_thread().name, Handler().from_sync_code()[0])
    )()
    assert here == there


def test_the_signature_the_doc_and_the_name_are_the_methods_own() -> None:
    method: Any = Handler.bare
    assert method.__name__ == "bare"
    assert method.__qualname__ == "Handler.bare"
    assert method.__doc__.startswith("Say where it runs.")
    assert list(inspect.signature(method).parameters) == ["self", "pk"]


def test_the_mark_is_the_name_of_the_action() -> None:
    assert getattr(Handler.bare, ACTION_MARK) == "bare"
    assert getattr(Handler.renamed, ACTION_MARK) == "other"


def test_the_methods_are_collected_by_name() -> None:
    actions = aaah_actions(Handler)
    assert {name: action.sync for name, action in actions.items()} == {
        "bare": True,
        "called": True,
        "awaited": False,
        "other": False,
    }
    assert all(action.name == name and action.writes for name, action in actions.items())
    assert actions["bare"].mode == "response"


def test_the_doc_of_an_action_is_the_first_paragraph() -> None:
    assert aaah_actions(Handler)["bare"].doc == "Say where it runs."
    assert aaah_actions(Handler)["called"].doc == ""


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"name": ""}, "name is ''"),
        ({"name": 5}, "name is 5"),
        ({"mode": "loud"}, "mode is 'loud', and must be 'response', 'broadcast' or 'none'"),
        ({"mode": ["response"]}, r"mode is \['response'\]"),
        ({"mode": "broadcast", "broadcast_type": ""}, "broadcast_type is ''"),
        ({"mode": "broadcast", "broadcast_type": b"x"}, "broadcast_type is b'x'"),
        ({"mode": "broadcast", "broadcast_type": "aaah.resync"}, "Set broadcast_type"),
        ({"mode": "broadcast", "name": "aaah.x"}, "Set broadcast_type"),
        ({"mode": "broadcast", "group": "a b"}, "group is 'a b'"),
        ({"mode": "broadcast", "group": ""}, "group is ''"),
        ({"mode": "broadcast", "group": "x" * 100}, "at most 99"),
        ({"mode": "broadcast", "group": 5}, "group is 5"),
        ({"group": "news"}, "Add mode='broadcast'"),
        ({"broadcast_type": "news"}, "Add mode='broadcast'"),
        ({"mode": "none", "send_response_in_broadcast": False}, "Add mode='broadcast'"),
        ({"mode": "broadcast", "send_response_in_broadcast": 0}, "must be True or False"),
        ({"atomic": "default"}, "atomic is 'default', and must be True or False"),
    ],
)
def test_a_wrong_option_is_refused_at_decoration_naming_method_and_remedy(
    options: dict[str, Any], says: str
) -> None:
    with pytest.raises(ConfigurationError, match=says) as refused:

        @async_action(**options)
        def method(self: Any) -> None: ...

    assert "method" in str(refused.value)


def test_an_async_method_cannot_be_atomic_and_the_refusal_says_what_to_do() -> None:
    with pytest.raises(ConfigurationError, match=r"method: atomic=True .* Write it as `def`"):

        @async_action(atomic=True)
        async def method(self: Any) -> None: ...


def test_a_method_that_yields_is_refused() -> None:
    def generator(self: Any) -> Any:
        yield 1

    async def async_generator(self: Any) -> Any:
        yield 1

    for method in (generator, async_generator):
        with pytest.raises(ConfigurationError, match=r"cannot yield\. Return a list"):
            async_action(method)


@pytest.mark.parametrize("wrong", ["name", staticmethod(len), classmethod(len), property(len)])  # type: ignore[arg-type]
def test_what_is_no_method_is_refused(wrong: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"@async_action decorates a method"):
        async_action(wrong)


class Mixin:
    @async_action
    def from_mixin(self) -> str:
        return "mixin"

    @async_action
    def overridden(self) -> str:
        return "mixin"


class Base(Mixin, AsyncActionHandler):
    @async_action
    async def removed(self) -> None: ...

    @async_action
    async def hidden(self) -> None: ...


class Child(Base):
    removed = None  # type: ignore[assignment]

    async def hidden(self) -> None: ...

    @async_action
    async def overridden(self) -> str:  # type: ignore[override]
        return f"child of {await super().overridden()}"


async def test_actions_are_inherited_and_overridden_as_methods_are(run: Any) -> None:
    assert await run(Child, "from_mixin") == "mixin"
    assert await run(Child, "overridden") == "child of mixin"
    assert await run(Base, "overridden") == "mixin"


def test_an_override_without_the_decorator_is_no_action() -> None:
    assert "hidden" in aaah_actions(Base)
    assert "hidden" not in aaah_actions(Child)


def test_an_override_with_none_removes_an_action() -> None:
    assert "removed" in aaah_actions(Base)
    assert "removed" not in aaah_actions(Child)


def test_two_methods_with_one_name_are_refused_naming_both() -> None:
    class Twice(AsyncActionHandler):
        @async_action(name="same")
        def first(self) -> None: ...

        @async_action(name="same")
        def second(self) -> None: ...

    with pytest.raises(ConfigurationError, match=r"Twice\.first and .*Twice\.second .*'same'"):
        aaah_actions(Twice)


def test_a_decorator_above_is_refused_because_a_call_would_go_past_it() -> None:
    class Guarded(AsyncActionHandler):
        static = staticmethod(async_action(lambda self: None))

    import functools

    def above(method: Any) -> Any:
        @functools.wraps(method)
        async def wrapper(*args: Any) -> Any:
            raise PermissionError

        return wrapper

    class Wrapped(AsyncActionHandler):
        @above
        @async_action
        async def secret(self) -> None: ...

    for handler_class in (Guarded, Wrapped):
        with pytest.raises(ConfigurationError, match=r"Put @async_action on top"):
            aaah_actions(handler_class)


async def test_a_decorator_below_is_part_of_the_action(run: Any) -> None:
    import functools

    def below(method: Any) -> Any:
        @functools.wraps(method)
        def wrapper(self: Any, pk: int) -> Any:
            return "wrapped", method(self, pk)

        return wrapper

    class Wrapped(AsyncActionHandler):
        @async_action
        @below
        def show(self, pk: int) -> int:
            return pk

    assert await run(Wrapped, "show", route={"pk": "5"}) == ("wrapped", 5)


def test_an_attribute_that_has_every_attribute_is_no_action() -> None:
    class Obliging:
        def __getattr__(self, name: str) -> str:
            return name

    class Holder(AsyncActionHandler):
        helper = Obliging()

    assert aaah_actions(Holder) == {}


def test_a_method_without_self_is_refused() -> None:
    class Bad(AsyncActionHandler):
        @async_action
        def bare() -> None: ...  # type: ignore[misc]

    class Worse(AsyncActionHandler):
        @async_action
        def bare(**kwargs: Any) -> None: ...  # type: ignore[misc]

    for handler_class in (Bad, Worse):
        with pytest.raises(ConfigurationError, match=r"\.bare takes no `self`"):
            aaah_actions(handler_class)


class Removes(AsyncAPIConsumer):
    @async_action
    def remove(self, pk: int = 0) -> Any:
        return [self.action, pk]

    destroy = Alias("remove")


async def test_an_alias_calls_its_action_and_is_repeated_in_the_reply() -> None:
    class OnlyRemove(BasePermission):
        async def has_permission(
            self, scope: Any, handler: Any, action: str, **kwargs: Any
        ) -> bool:
            return action == "remove"

    class Child(Removes):
        permission_classes = (OnlyRemove,)

        @async_action
        async def other(self) -> Any:
            return await self.destroy(pk=7)

    async with connect(Child.as_asgi()) as client:
        reply = await client.call("destroy", pk=5)
        assert (reply["status"], reply["action"], reply["data"]) == (200, "destroy", ["remove", 5])
        assert (await client.call("other"))["status"] == 403


async def test_an_alias_leads_to_what_a_child_made_of_the_action() -> None:
    class Child(Removes):
        @async_action
        async def remove(self) -> str:  # type: ignore[override]  # a child may
            return "overridden"

    class Without(Removes):
        remove = None  # type: ignore[assignment]  # takes an inherited action away

    async with connect(Child.as_asgi()) as client:
        assert (await client.call("destroy"))["data"] == "overridden"
    async with connect(Without.as_asgi()) as client:
        assert (await client.call("destroy"))["status"] == 405
        assert (await client.call("remove"))["status"] == 405


@pytest.mark.parametrize("decorate", [async_action, lambda function: function])
def test_overriding_an_alias_alone_is_refused_for_the_action_would_go_past_it(
    decorate: Any,
) -> None:
    class Child(Removes):
        @decorate
        def destroy(self) -> None: ...

    with pytest.raises(ConfigurationError, match=r"Child overrides destroy\(\), which is another"):
        Child.as_asgi()
    both = type("Both", (Child,), {"remove": async_action(name="remove")(lambda self: 1)})
    both.as_asgi()  # type: ignore[attr-defined]  # made by type()


def test_permissions_of_an_action_are_told_to_be_those_of_a_handler():
    with pytest.raises(ConfigurationError, match="those of a handler, for all its actions"):
        async_action(permission_classes=[])


def test_an_option_that_there_is_not_is_refused_with_those_there_are():
    with pytest.raises(ConfigurationError, match=r"no option 'mod'\. It has: name, mode"):
        async_action(mod="none")
