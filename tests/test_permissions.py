"""Native permissions, what `&`, `|` and `~` make of them, and when each is asked."""

from __future__ import annotations

import asyncio
import inspect
import operator
import threading
from types import SimpleNamespace

import pytest
from asgiref.sync import async_to_sync
from django.urls import path
from hypothesis import given, settings
from hypothesis import strategies as st

from aaah_core import (
    AllowAny,
    AsyncAPIActionHandler,
    BasePermission,
    Call,
    Check,
    ConfigurationError,
    IsAuthenticated,
    IsAuthenticatedStrictly,
    IsOwner,
)
from aaah_core.defaults.permissions import aaah_permission_check
from aaah_core.guards import Guard
from aaah_core.moments import NAMES, compile_check
from aaah_core.testing import Refused, connect, registry
from tests.conftest import action, collector, consumer, plugin


class User:
    def __init__(self, is_authenticated):
        self.is_authenticated = is_authenticated


ALICE, BOB, NOBODY = User(True), User(True), User(False)


class Foreign(SimpleNamespace):
    """A permission that only a plugin of its own knows."""


def check_of(permission):
    if isinstance(permission, Foreign):
        moments = {name: method(answer, "sync") for name, answer in vars(permission).items()}
        return type("ForeignCheck", (Check,), moments)(), "somebody"
    return aaah_permission_check(permission), "the core"


def moments_of(permission):
    return compile_check(*check_of(permission), check_of)


# Against an oracle. An answer is True, False, or None: the permission has no say.

METHODS = {"call": "has_permission", "object": "has_object_permission", "connect": "can_connect"}


def method(answer, form):
    if form == "async":

        async def ask(self, *args, **kwargs):
            return answer
    elif form == "awaitable":

        def ask(self, *args, **kwargs):
            return asyncio.sleep(0, answer)
    else:

        def ask(self, *args, **kwargs):
            return answer

    return ask


class Leaf:
    def __init__(self, answers, form, made):
        self.answers = answers
        overridden = {
            METHODS[name]: method(answer, form)
            for name, answer in answers.items()
            if answer is not None
        }
        if made == "foreign":
            known = {name: answer for name, answer in answers.items() if answer is not None}
            self.permission = Foreign(**known)
        else:
            permission_class = type("Some", (BasePermission,), overridden)
            self.permission = permission_class if made == "class" else permission_class()

    def says(self, name):
        return self.answers[name]


class And:
    def __init__(self, one, other):
        self.operands = one, other
        self.permission = operator.and_(one.permission, other.permission)

    def says(self, name):
        known = [said for each in self.operands if (said := each.says(name)) is not None]
        return all(known) if known else None


class Or:
    def __init__(self, one, other):
        self.operands = one, other
        self.permission = operator.or_(one.permission, other.permission)

    def says(self, name):
        said = [each.says(name) for each in self.operands]
        if name != "object":
            return None if None in said else any(said)
        if said == [None, None]:
            return None
        # Who refused the call grants no object.
        granted = [
            And.says(_At(each.says("call"), each.says("object")), "") for each in self.operands
        ]
        return None if None in granted else any(granted)


class _At:
    def __init__(self, *said):
        self.operands = [SimpleNamespace(says=lambda name, each=each: each) for each in said]


class Not:
    def __init__(self, one):
        self.one = one
        self.permission = operator.invert(one.permission)

    def says(self, name):
        said = self.one.says(name)
        if said is None:
            # A permission that says nothing of calls grants them all; its opposite grants none.
            return False if name == "call" else None
        return not said


def trees(answer, forms=("sync", "async", "awaitable"), made=("class", "instance")):
    answers = st.fixed_dictionaries(dict.fromkeys(METHODS, answer))
    native = st.builds(Leaf, answers, st.sampled_from(forms), st.sampled_from(made))
    foreign = st.builds(Leaf, answers, st.just("sync"), st.just("foreign"))

    def above(below):
        # `&` and `|` need a native permission on one side, as between any two classes.
        pairs = st.tuples(below, below) | st.tuples(below, foreign) | st.tuples(foreign, below)
        return st.one_of(
            below.map(Not), pairs.map(lambda two: And(*two)), pairs.map(lambda two: Or(*two))
        )

    return st.recursive(native, above, max_leaves=6)


async def asked(moments, name):
    moment = moments[name]
    if moment is None:
        return None
    call = Call("any", scope={}, handler=SimpleNamespace(kwargs={}))
    arguments = {"call": (call,), "object": (call, object()), "connect": ({}, None)}[name]
    if moment.awaited:
        return await moment.ask(*arguments)
    # On a thread of its own, as from a worker: nobody may run a loop there.
    return await asyncio.to_thread(moment.ask, *arguments)


@settings(deadline=None, max_examples=150)
@given(trees(st.booleans()))
def test_where_all_have_a_say_the_operators_are_those_of_logic(tree):
    async def ask():
        moments = moments_of(tree.permission)
        return [await asked(moments, name) for name in ("call", "connect", "object")]

    def logic(tree, name):
        if isinstance(tree, Leaf):
            return tree.answers[name]
        if isinstance(tree, Not):
            return not logic(tree.one, name)
        one, other = (logic(each, name) for each in tree.operands)
        if isinstance(tree, Or) and name == "object":
            granted = [logic(each, "call") and logic(each, "object") for each in tree.operands]
            return any(granted)
        return (one and other) if isinstance(tree, And) else (one or other)

    assert asyncio.run(ask()) == [logic(tree, name) for name in ("call", "connect", "object")]


@settings(deadline=None, max_examples=150)
@given(trees(st.sampled_from([True, False, None])))
def test_who_has_no_say_passes_and_so_does_its_opposite_but_for_calls(tree):
    async def ask():
        moments = moments_of(tree.permission)
        return [await asked(moments, name) for name in METHODS]

    assert asyncio.run(ask()) == [tree.says(name) for name in METHODS]


@pytest.mark.parametrize(("compose", "answer"), [(operator.and_, False), (operator.or_, True)])
@pytest.mark.parametrize("form", ["sync", "async"])
async def test_after_an_answer_that_decides_the_others_are_not_asked(compose, answer, form):
    class Never(BasePermission):
        def has_permission(self, scope, handler, action, **kwargs):
            raise AssertionError

    decides = type("Decides", (BasePermission,), {"has_permission": method(answer, form)})
    assert await asked(moments_of(compose(decides, Never)), "call") is answer


def test_what_a_child_does_not_override_lets_everything_pass():
    permission = AllowAny()
    assert permission.can_connect({}, None) is True
    assert permission.has_permission({}, None, "any", pk=1) is True
    assert permission.has_object_permission({}, None, "any", object(), pk=1) is True


def test_what_says_nothing_costs_nothing():
    for permission in (AllowAny, AllowAny & AllowAny, AllowAny | IsOwner, AllowAny()):
        assert moments_of(permission)["call"] is None
        assert moments_of(permission)["connect"] is None
    assert moments_of(AllowAny) == dict.fromkeys(NAMES)


def test_a_permission_that_is_none_of_ours_is_left_to_other_plugins():
    for permission in (object(), object, "IsAuthenticated", None, int):
        assert aaah_permission_check(permission) is None


async def test_an_attribute_of_an_instance_or_a_static_method_has_a_say_too():
    class Static(BasePermission):
        @staticmethod
        def has_permission(scope, handler, action, **kwargs):
            return False

    permission = BasePermission()
    permission.has_permission = lambda scope, handler, action, **kwargs: False
    for each in (Static, permission):
        assert await asked(moments_of(each), "call") is False


# At connect.


class Nowhere(BasePermission):
    def can_connect(self, scope, handler, message=None):
        return False


class Everywhere(BasePermission):
    async def can_connect(self, scope, handler, message=None):
        return True


def members(*permissions, **attributes):
    return consumer(hello, permission_classes=permissions, **attributes)


@action
async def hello(self):
    return "hello"


async def code_of(chat, user=NOBODY):
    """Return the close code of a connection; None where it was accepted."""
    try:
        async with connect(chat.as_asgi(), user=user):
            return None
    except Refused as refused:
        return refused.code


@pytest.mark.usefixtures("core")
@pytest.mark.parametrize(
    ("permission", "accepted"),
    [
        (AllowAny, True),
        (~AllowAny, True),
        (IsAuthenticated, True),
        (~IsAuthenticated, True),
        (IsOwner, True),
        (Nowhere, False),
        (~Nowhere, True),
        (Everywhere, True),
        (~Everywhere, False),
        (Nowhere | Everywhere, True),
        (Nowhere & Everywhere, False),
        (IsAuthenticated & Nowhere, False),
        (IsAuthenticated | Nowhere, True),
        (~IsAuthenticated & ~Everywhere, False),
        (IsAuthenticatedStrictly, False),
        (~IsAuthenticatedStrictly, True),
        (IsAuthenticatedStrictly | Everywhere, True),
    ],
)
async def test_only_who_overrides_can_connect_has_a_say_there(permission, accepted):
    assert await code_of(members(permission)) == (None if accepted else 4403)


@pytest.mark.usefixtures("core")
async def test_all_permissions_must_let_a_connection_in():
    assert await code_of(members(Everywhere, Nowhere)) == 4403
    assert await code_of(members(Everywhere, ~Nowhere)) is None


@pytest.mark.usefixtures("core")
async def test_a_permission_that_raises_at_connect_refuses():
    class Breaks(BasePermission):
        def can_connect(self, scope, handler, message=None):
            raise LookupError

    assert await code_of(members(Breaks)) == 4403


@pytest.mark.usefixtures("core")
async def test_can_connect_gets_the_scope_and_the_consumer():
    got = []

    class Looks(BasePermission):
        def can_connect(self, scope, handler, message=None):
            got.append((scope["path"], type(handler).__name__, handler.scope is scope, message))
            return True

    async with connect(members(Looks).as_asgi(), "/chat/"):
        pass
    assert got == [("/chat/", "Chat", True, None)]


# The ready ones.


async def status_of(chat, user, name="hello", route=""):
    async with connect(chat.as_asgi(), user=user) as client:
        return (await client.call(name, route))["status"]


@pytest.mark.usefixtures("core")
async def test_is_authenticated_lets_anyone_connect_and_answers_403():
    chat = members(IsAuthenticated)
    assert await status_of(chat, ALICE) == 200
    assert await status_of(chat, NOBODY) == 403
    assert await status_of(chat, None) == 403
    async with connect(chat.as_asgi()) as client:
        reply = await client.call("hello")
    assert (reply["status"], reply["data"]) == (403, None)
    assert reply["errors"][0]["code"] == "permission_denied"


@pytest.mark.usefixtures("core")
async def test_is_authenticated_strictly_refuses_at_connect():
    chat = members(IsAuthenticatedStrictly)
    assert await status_of(chat, ALICE) == 200
    assert await code_of(chat, NOBODY) == 4403
    assert await code_of(chat, None) == 4403


@pytest.mark.usefixtures("core")
async def test_is_authenticated_strictly_answers_403_once_the_user_is_gone():
    user = User(True)
    async with connect(members(IsAuthenticatedStrictly).as_asgi(), user=user) as client:
        user.is_authenticated = False
        assert (await client.call("hello"))["status"] == 403


@pytest.mark.usefixtures("core")
async def test_a_child_of_a_ready_one_is_asked_by_its_own_method():
    class Patient(IsAuthenticated):
        async def has_permission(self, scope, handler, action, **kwargs):
            await asyncio.sleep(0)
            return action == "hello" and await super().has_permission(scope, handler, action)

    assert await status_of(members(Patient), ALICE) == 200
    assert await status_of(members(Patient), NOBODY) == 403
    assert await status_of(members(Patient & IsAuthenticated), ALICE) == 200
    assert await status_of(members(~IsAuthenticated), ALICE) == 403
    assert await status_of(members(~IsAuthenticated), NOBODY) == 200


@pytest.mark.usefixtures("core")
async def test_allow_any_allows_anyone_and_its_opposite_no_call():
    assert await status_of(members(AllowAny), None) == 200
    assert await status_of(members(~AllowAny), ALICE) == 403


class Sees(IsOwner):
    check_actions = ("see",)


class ByAuthor(IsOwner):
    lookup_field = "author"


@pytest.mark.parametrize("said", ["__all__", "remove", ""])
def test_a_text_for_the_actions_that_is_owner_checks_is_refused(said):
    with pytest.raises(ConfigurationError, match="name the actions in a tuple"):
        type(IsOwner)("Said", (IsOwner,), {"check_actions": said})


@action
async def see(self):
    await self.acheck_object_permissions(SimpleNamespace(user=ALICE))
    return "seen"


@action
async def asee(self):
    await self.acheck_object_permissions(SimpleNamespace(user=ALICE, author=BOB))
    return "seen"


def plainly(self):
    self.check_object_permissions(SimpleNamespace(user=ALICE, author=BOB))
    return "seen"


plainly = action(plainly)


@pytest.mark.usefixtures("core")
@pytest.mark.parametrize("name", ["asee", "plainly"])
@pytest.mark.parametrize(
    ("permission", "user", "status"),
    [
        (IsOwner, ALICE, 200),
        (IsOwner, BOB, 403),
        (IsOwner, NOBODY, 403),
        (IsOwner, None, 403),
        (ByAuthor, BOB, 200),
        (ByAuthor, ALICE, 403),
        (Sees, BOB, 200),  # neither of the two actions is checked
        (IsOwner | ByAuthor, BOB, 200),
        (IsOwner & ByAuthor, BOB, 403),
        (IsAuthenticated & ~IsOwner, BOB, 403),  # whoever grants all calls, negated, grants none
    ],
)
async def test_an_owner_has_what_is_theirs(permission, user, status, name):
    chat = consumer(asee, plainly, permission_classes=[permission])
    assert await status_of(chat, user, name) == status


@pytest.mark.usefixtures("core")
async def test_is_owner_checks_the_actions_it_is_told_to():
    chat = consumer(see, asee, permission_classes=[Sees])
    assert await status_of(chat, BOB, "see") == 403
    assert await status_of(chat, ALICE, "see") == 200
    assert await status_of(chat, BOB, "asee") == 200


def test_an_anonymous_user_owns_nothing_even_what_belongs_to_nobody():
    nobodys = SimpleNamespace(user=NOBODY)
    assert IsOwner().has_object_permission({"user": NOBODY}, None, "see", nobodys) is False
    assert IsOwner().has_object_permission({}, None, "see", SimpleNamespace(user=None)) is False


# Objects.


@pytest.mark.usefixtures("core")
@pytest.mark.parametrize("name", ["asee", "plainly"])
@pytest.mark.parametrize("form", ["sync", "async", "awaitable"])
@pytest.mark.parametrize("answer", [True, False])
async def test_objects_are_checked_from_sync_and_async_actions(name, form, answer):
    permission = type("Some", (BasePermission,), {"has_object_permission": method(answer, form)})
    chat = consumer(asee, plainly, permission_classes=[permission])
    assert await status_of(chat, ALICE, name) == (200 if answer else 403)


@pytest.mark.usefixtures("core")
async def test_a_plain_permission_of_a_sync_action_shares_its_thread():
    threads = []

    class Plain(BasePermission):
        def has_permission(self, scope, handler, action, **kwargs):
            threads.append(threading.current_thread())
            return True

        def has_object_permission(self, scope, handler, action, obj, **kwargs):
            threads.append(threading.current_thread())
            return True

    def look(self):
        threads.append(threading.current_thread())
        self.check_object_permissions(object())

    chat = consumer(action(look), permission_classes=[Plain, Plain])
    assert await status_of(chat, ALICE, "look") == 204
    assert len(threads) == 5
    assert len(set(threads)) == 1
    assert threads[0] is not threading.current_thread()


@pytest.mark.usefixtures("core")
async def test_an_async_permission_runs_on_the_event_loop():
    threads = []

    class Awaited(BasePermission):
        async def has_permission(self, scope, handler, action, **kwargs):
            threads.append(threading.current_thread())
            return True

    assert await status_of(members(Awaited), ALICE) == 200
    assert threads == [threading.current_thread()]


# Parents.


@pytest.mark.usefixtures("core")
async def test_a_parents_permissions_are_asked_first_and_about_the_parent():
    asked_about = []

    def noting(name, form):
        def note(self, scope, handler, action, **kwargs):
            asked_about.append((name, type(handler).__name__, dict(kwargs)))
            return True

        async def anote(self, scope, handler, action, **kwargs):
            return note(self, scope, handler, action, **kwargs)

        noted = note if form == "sync" else anote
        return type(name, (BasePermission,), {"has_permission": noted})

    for form in ("sync", "async"):

        class Child(AsyncAPIActionHandler):
            permission_classes = [noting("child", form)]
            hello = hello

        class Parent(AsyncAPIActionHandler):
            permission_classes = [noting("parent", form)]
            routepatterns = [path("<int:b>/", Child.as_aaah())]

        chat = consumer(
            permission_classes=[noting("consumer", form)],
            routepatterns=[path("<int:a>/", Parent.as_aaah())],
        )
        asked_about.clear()
        assert await status_of(chat, ALICE, route="1/2/") == 200
        assert asked_about == [
            ("consumer", "Chat", {}),
            ("parent", "Parent", {"a": 1}),
            ("child", "Child", {"a": 1, "b": 2}),
        ]


@pytest.mark.usefixtures("core")
@pytest.mark.parametrize("form", ["sync", "async"])
async def test_what_a_parent_refuses_its_child_cannot_allow(form):
    denies = type("Denies", (BasePermission,), {"has_permission": method(False, form)})

    class Child(AsyncAPIActionHandler):
        permission_classes = [AllowAny]
        hello = hello

    chat = consumer(permission_classes=[denies], routepatterns=[path("child/", Child.as_aaah())])
    assert await status_of(chat, ALICE, route="child/") == 403


@pytest.mark.usefixtures("core")
async def test_a_parents_permissions_are_asked_about_an_object_too():
    class Child(AsyncAPIActionHandler):
        asee = asee
        plainly = plainly

    chat = consumer(permission_classes=[IsOwner], routepatterns=[path("child/", Child.as_aaah())])
    for name in ("asee", "plainly"):
        assert await status_of(chat, ALICE, name, "child/") == 200
        assert await status_of(chat, BOB, name, "child/") == 403


@pytest.mark.usefixtures("core")
@pytest.mark.parametrize("combine", [lambda one: one, operator.invert, lambda one: AllowAny & one])
async def test_a_permission_that_forgets_an_await_lets_nobody_pass(combine, caplog):
    class Forgetful(IsAuthenticated):
        async def has_permission(self, *args, **kwargs):
            return super().has_permission(*args, **kwargs)

    assert await status_of(members(combine(Forgetful)), NOBODY) == 403
    assert "`await` is missing" in caplog.text


@pytest.mark.usefixtures("core")
@pytest.mark.parametrize("form", ["sync", "async"])
async def test_a_permission_that_raises_is_a_500_and_the_action_does_not_run(form, caplog):
    ran = []

    @action
    async def run(self):
        ran.append(self)

    def breaks(self, scope, handler, action, **kwargs):
        raise LookupError("in a permission")

    async def abreaks(self, scope, handler, action, **kwargs):
        raise LookupError("in a permission")

    chosen = breaks if form == "sync" else abreaks
    permission = type("Breaks", (BasePermission,), {"has_permission": chosen})
    chat = consumer(run, permission_classes=[permission, AllowAny])
    assert await status_of(chat, ALICE, "run") == 500
    assert ran == []
    assert "in a permission" in caplog.text


# Guards.


async def test_a_guard_restores_the_handler_of_a_call_whatever_is_answered():
    parent = SimpleNamespace(parent=None, kwargs={})
    handler = SimpleNamespace(parent=parent, kwargs={})
    call = Call("any", scope={}, handler=handler)
    seen = []

    def about(answer, form):
        def has_permission(self, scope, handler, action, **kwargs):
            seen.append(handler)
            return answer

        async def ahas_permission(self, scope, handler, action, **kwargs):
            seen.append(handler)
            return answer

        chosen = has_permission if form == "sync" else ahas_permission
        return moments_of(type("Some", (BasePermission,), {"has_permission": chosen}))["call"]

    for form in ("sync", "async"):
        for answer in (True, False):
            guard = Guard.of([(1, about(answer, form)), (0, about(answer, form))])
            seen.clear()
            assert await guard.allows(handler, call) is answer
            assert seen == ([parent, handler] if answer else [parent])
            assert call.handler is handler
    assert await Guard().allows(handler, call) is True


async def test_a_refusal_on_the_event_loop_spares_the_worker():
    denies = type("Denies", (BasePermission,), {"has_permission": method(False, "async")})

    class Never(BasePermission):
        def has_permission(self, scope, handler, action, **kwargs):
            raise AssertionError

    handler = SimpleNamespace(parent=None, kwargs={})
    moments = [(0, moments_of(each)["call"]) for each in (Never, denies)]
    assert await Guard.of(moments).allows(handler, Call("any", scope={}, handler=handler)) is False


@pytest.mark.usefixtures("core")
async def test_a_permission_of_another_plugin_composes_with_ours():
    def check(permission):
        return check_of(permission)[0] if isinstance(permission, Foreign) else None

    with registry(collector(), plugin(aaah_permission_check=check)):
        yes, no = Foreign(call=True), Foreign(call=False)
        assert await status_of(members(yes & IsAuthenticated), ALICE) == 200
        assert await status_of(members(IsAuthenticated & no), ALICE) == 403
        assert await status_of(members(no | IsAuthenticated), ALICE) == 200
        assert await status_of(members(~(yes & IsAuthenticated)), ALICE) == 403


@pytest.mark.usefixtures("core")
def test_sync_code_without_a_worker_can_ask_too():
    async def status():
        return await status_of(members(IsAuthenticated & Everywhere), ALICE)

    assert async_to_sync(status)() == 200


# Values of a route that have the names of a permission's own arguments.


@pytest.mark.parametrize("form", ["sync", "async"])
async def test_a_route_may_capture_what_a_permission_is_given_by_place(form):
    seen = []

    class Sync(BasePermission):
        def has_permission(self, scope, handler, action, **kwargs):
            seen.append((action, kwargs))
            return True

        def has_object_permission(self, scope, handler, name, obj, action=None, **kwargs):
            seen.append((name, action, kwargs))
            return True

    class Async(BasePermission):
        async def has_permission(self, *args, **kwargs):
            return Sync.has_permission(self, *args, **kwargs)

        async def has_object_permission(self, scope, handler, name, obj, action=None, **kwargs):
            return Sync.has_object_permission(self, scope, handler, name, obj, action, **kwargs)

    # What takes any arguments by place has no name of its own that could clash.
    Async.has_permission.__signature__ = inspect.signature(Sync.has_permission)

    class Room(AsyncAPIActionHandler):
        permission_classes = (Sync if form == "sync" else Async,)

        @action
        async def look(self):
            await self.acheck_object_permissions(1)

    text = "<self>/<scope>/<handler>/<action>/<obj>/<pk>/"
    with registry(collector()):
        async with connect(consumer(routepatterns=[path(text, Room.as_aaah())]).as_asgi()) as ws:
            assert (await ws.call("look", route="1/2/3/4/5/6/"))["status"] < 400
    assert seen == [("look", {"obj": "5", "pk": "6"}), ("look", "4", {"pk": "6"})]
