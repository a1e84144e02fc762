"""Checks that are written wrongly: none lets anybody pass, and each is told with its plugin."""

from __future__ import annotations

import logging

import pytest

from aaah_async_action.decorators import async_action
from aaah_core import (
    AllowAny,
    AsyncAPIConsumer,
    BasePermission,
    Check,
    ConfigurationError,
    PermissionDenied,
    Reply,
    WrongAnswer,
)
from aaah_core.testing import Refused, connect, registered
from tests.knowing import Entry, Knows

NO_BOOLS = [(False, "why"), "no", Reply(None, status=403), 1, None]
LOG = "aaah.connection"


class Desk(AsyncAPIConsumer):
    permission_classes = (Entry(),)
    groups = ("desk",)

    @async_action
    async def read(self):
        return "open"

    @async_action(mode="broadcast")
    async def told(self, text: str):
        return text


def moment(name, answer, form):
    """Return a check whose one method gives an answer, or raises it."""

    def given(self, *arguments):
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def awaited(self, *arguments):
        return given(self)

    return type("Mine", (Check,), {name: awaited if form == "async" else given})()


def _later(answers):
    async def ask(self, *arguments):
        return next(answers)

    return ask


def wrong_answers(caplog):
    return [str(r.exc_info[1]) for r in caplog.records if r.exc_info]


@pytest.mark.parametrize("form", ["async", "plain"])
@pytest.mark.parametrize("answer", NO_BOOLS, ids=str)
async def test_a_call_passes_for_true_alone_and_what_is_no_bool_is_told(answer, form, caplog):
    with registered(Knows(moment("call", answer, form))):
        async with connect(Desk.as_asgi()) as client:
            assert (await client.call("read"))["status"] == 403
    [told] = wrong_answers(caplog)
    assert "Mine.call of Plugin" in told
    assert f"gave {type(answer).__name__}, and must give True or False" in told


@pytest.mark.parametrize("form", ["async", "plain"])
@pytest.mark.parametrize("answer", NO_BOOLS, ids=str)
async def test_a_connection_is_accepted_for_true_alone(answer, form, caplog):
    with registered(Knows(moment("connect", answer, form))), pytest.raises(Refused):
        async with connect(Desk.as_asgi()):
            raise AssertionError
    [told] = wrong_answers(caplog)
    assert "Mine.connect of Plugin" in told


@pytest.mark.parametrize("form", ["async", "plain"])
async def test_an_event_goes_out_for_true_alone(form, caplog):
    answers = iter([(False, "why"), True])
    asked = {"plain": lambda self, *of: next(answers), "async": _later(answers)}[form]
    check = type("Mine", (Check,), {"event": asked})()
    with registered(Knows(check)):
        async with connect(Desk.as_asgi()) as client:
            await client.call("told", text="hidden")
            await client.call("told", text="shown")
            assert (await client.receive())["data"] == "shown"
    [told] = wrong_answers(caplog)
    assert "Mine.event of Plugin" in told


async def test_the_negation_of_what_is_no_bool_lets_nobody_pass():
    class Forgets(BasePermission):
        async def has_permission(self, *args, **kwargs):
            pass

    class Negated(Desk):
        permission_classes = (~Forgets, AllowAny)

    async with connect(Negated.as_asgi()) as client:
        assert (await client.call("read"))["status"] == 403


@pytest.mark.parametrize("name", ["conect", "aconnect", "objects", "has_permission", "can_receive"])
def test_a_method_that_is_nearly_named_as_a_moment_is_refused_at_start(name):
    check = type("Mine", (Check,), {"call": moment("call", True, "async").call, name: print})()
    with registered(Knows(check)), pytest.raises(WrongAnswer, match=f"`{name}` .did you mean"):
        Desk.as_asgi()


@pytest.mark.parametrize("name", ["connect", "call", "object", "event"])
def test_a_method_that_takes_too_few_arguments_is_refused_at_start(name):
    async def ask(self):
        return True

    check = type("Mine", (Check,), {name: ask})()
    says = rf"Mine with a `{name}` that cannot be called as `{name}\(\w+"
    with registered(Knows(check)), pytest.raises(WrongAnswer, match=says):
        Desk.as_asgi()


@pytest.mark.parametrize("name", ["calls", "caller", "recall"])
async def test_what_is_nearly_named_as_a_moment_that_is_answered_is_a_helper(name):
    check = type("Mine", (Check,), {"call": moment("call", True, "async").call, name: print})()
    with registered(Knows(check)):
        async with connect(Desk.as_asgi()) as client:
            assert (await client.call("read"))["status"] == 200


def test_a_method_that_is_not_bound_has_no_self_to_count():
    check = type("Mine", (Check,), {"call": staticmethod(lambda self, call: True)})()
    says = r"Mine with a `call` that cannot be called as `call\(call\)"
    with registered(Knows(check)), pytest.raises(WrongAnswer, match=says):
        Desk.as_asgi()


async def test_a_method_may_be_set_on_the_object():
    check = type("Mine", (Check,), {})()
    check.call = lambda call: call.action == "read"
    with registered(Knows(check)):
        async with connect(Desk.as_asgi()) as client:
            assert (await client.call("read"))["status"] == 200
            assert (await client.call("told", text="a"))["status"] == 403


def test_a_check_that_overrides_nothing_is_refused_at_start():
    class Mine(Check):
        def _helps(self): ...

    says = r"Mine that overrides none.*`connect`, `call`, `object` and `event`"
    with registered(Knows(Mine())), pytest.raises(WrongAnswer, match=says):
        Desk.as_asgi()


def test_a_permission_class_that_overrides_nothing_is_refused_at_start():
    class IsPaid(BasePermission):
        async def has_permision(self, *args, **kwargs):
            return False

    class Misspelt(Desk):
        permission_classes = (IsPaid,)

    says = r"IsPaid, which overrides none of `can_connect`, .* did you mean `has_permission`"
    with pytest.raises(ConfigurationError, match=says):
        Misspelt.as_asgi()


@pytest.mark.parametrize(("negated", "status"), [(False, 200), (True, 403)])
async def test_a_child_of_allow_any_lets_everyone_pass_on_purpose(negated, status):
    class Public(AllowAny):
        """What is open to the world."""

    class Lobby(Desk):
        permission_classes = (~Public if negated else Public,)

    async with connect(Lobby.as_asgi()) as client:
        assert (await client.call("read"))["status"] == status


@pytest.mark.parametrize("answer", [AllowAny, AllowAny()], ids=["class", "object"])
def test_a_permission_class_in_the_place_of_a_check_is_told(answer):
    says = r"returned AllowAny, a BasePermission, which is no Check.*`Check\(\)` itself"
    with registered(Knows(answer)), pytest.raises(WrongAnswer, match=says):
        Desk.as_asgi()


async def test_check_itself_lets_everyone_pass_on_purpose():
    with registered(Knows(Check())):
        async with connect(Desk.as_asgi()) as client:
            assert (await client.call("read"))["status"] == 200


@pytest.mark.parametrize("answer", [False, PermissionDenied("Anna may not.")], ids=str)
async def test_which_check_denies_a_connection_is_in_the_log_and_no_error(answer, caplog):
    caplog.set_level(logging.INFO, LOG)
    own = type("Desk", (Desk,), {})  # of one class, a few are written
    with registered(Knows(moment("connect", answer, "async"))), pytest.raises(Refused):
        async with connect(own.as_asgi()):
            raise AssertionError
    [record] = [each for each in caplog.records if each.name == LOG]
    assert record.levelno == logging.INFO
    assert "Desk denies a connection: Mine.connect of Plugin" in record.getMessage()
    assert "Anna" not in caplog.text
