"""Asks the hooks about a consumer and the handlers it reaches, and compiles their answers.

Nothing here runs on a message, but for a handler that a resolver reaches without having listed it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aaah_core import conf
from aaah_core.answers import Answer, ask
from aaah_core.errors import ConfigurationError
from aaah_core.expectations import (
    awaited,
    once,
    require_action,
    require_awaitable,
    require_callable,
    require_exception,
    typed,
    wrong,
)
from aaah_core.guards import Guard
from aaah_core.interfaces import (
    Action,
    Codec,
    ExceptionHandler,
    Middleware,
    RequestParser,
    ResponseShaper,
    RouteResolver,
    Scope,
)
from aaah_core.limits import Limits
from aaah_core.lookup import at_hand
from aaah_core.mistakes import require_routes
from aaah_core.moments import Moment, Moments
from aaah_core.plan_permissions import compile_permissions
from aaah_core.registry import Plugin, Registry, current
from aaah_core.requirements import (
    codecs_of,
    no_codec,
    no_wire,
    require_codec,
    require_codecs,
    require_collected,
    require_consumer,
    require_django,
    require_frames,
    require_handler,
    require_offer,
    require_routable,
)
from aaah_core.way import Way, to_action

if TYPE_CHECKING:
    from aaah_core.consumers import AsyncAPIConsumer
    from aaah_core.handlers import AsyncActionHandler

__all__ = ["ConsumerPlan", "Plan", "consumer_plan"]


@dataclass(slots=True)
class Plan:
    """What the plugins answered for one handler class, at one place below a consumer."""

    registry: Registry
    handler_class: type[AsyncActionHandler]
    parent: Plan | None
    limits: Limits
    #: As plugins gave them, and in `resolve` as a call asks them.
    resolvers: tuple[RouteResolver, ...] = ()
    resolve: tuple[RouteResolver, ...] = ()
    actions: dict[str, Action] = field(default_factory=dict)
    #: What runs a call, by action: its middleware around its checks and the action.
    ways: dict[str, Way] = field(default_factory=dict)
    exception_handlers: dict[type[Exception], ExceptionHandler] = field(default_factory=dict)
    #: What its own permission classes ask, by moment; the guards have the parents' too.
    permissions: list[Moments] = field(default_factory=list)
    #: The same, and what its throttles ask.
    moments: list[Moments] = field(default_factory=list)
    #: What is asked about its own actions alone, as its class names no permissions.
    default_moments: list[Moments] = field(default_factory=list)
    call_guard: Guard = field(default_factory=Guard)
    object_guard: Guard = field(default_factory=Guard)
    #: What is asked again about a call that joined a group: its throttles have counted it.
    member_guard: Guard = field(default_factory=Guard)
    children: dict[type[AsyncActionHandler], Plan] = field(default_factory=dict)
    answers: list[Answer] = field(default_factory=list)

    def child(self, handler_class: type[AsyncActionHandler]) -> Plan:
        """Return the plan of a handler that this one's routes lead to."""
        plan = self.children.get(handler_class)
        if plan is None:
            plan = self.children[handler_class] = _compile_child(self, handler_class)
        return plan


@dataclass(slots=True)
class ConsumerPlan(Plan):
    """What the plugins answered for one consumer class."""

    wire: str = ""
    codecs: dict[str, Codec] = field(default_factory=dict)
    parse: RequestParser = None  # type: ignore[assignment]  # a compiled plan always has one
    shape: ResponseShaper = None  # type: ignore[assignment]  # as above
    connect_guard: tuple[Moment, ...] = ()
    contexts: tuple[Callable[[AsyncAPIConsumer], AbstractAsyncContextManager[Any]], ...] = ()
    #: What stands around a call that fails before its handler is known.
    rejection: tuple[Middleware, ...] = ()

    def select_codec(self, scope: Scope) -> Codec | None:
        """Return the codec that a plugin chose for this handshake; None refuses the connection.

        Raises:
            WrongAnswer: It chose none of the consumer's, which refuses the connection too.
        """
        hook, allowed = "aaah_select_codec", tuple(self.codecs)
        arguments = {"consumer_class": self.handler_class, "scope": scope, "allowed": allowed}
        for plugin, name in ask(self.registry, hook, **arguments):
            if name not in allowed:
                raise wrong(plugin, hook, f"{name!r}, which is not among {allowed}")
            return self.codecs[name]
        return None


def consumer_plan(consumer_class: type[AsyncAPIConsumer]) -> ConsumerPlan:
    """Return the plan of a consumer in the registry in use, compiled at the first call.

    Raises:
        ConfigurationError: Anything that is set up wrongly, in plugins, settings or the class.
    """
    require_django(consumer_class)
    registry = current()
    plan = registry.plans.get(consumer_class)
    if plan is None:
        registry.raise_problems()
        plan = registry.plans[consumer_class] = _compile_consumer(registry, consumer_class)
    return plan


def _compile_consumer(registry: Registry, consumer_class: type[AsyncAPIConsumer]) -> ConsumerPlan:
    require_consumer(consumer_class)
    plan = ConsumerPlan(registry, consumer_class, None, _limits(consumer_class))
    plan.wire = consumer_class.wire
    plan.codecs = _codecs(plan, consumer_class)
    plan.parse = _wire(plan, "aaah_request_parser", consumer_class)
    plan.shape = _wire(plan, "aaah_response_shaper", consumer_class)
    plan.contexts = tuple(
        _callable(answer, plan, plugin, "aaah_connection")
        for plugin, answer in ask(registry, "aaah_connection", consumer_class=consumer_class)
    )
    plan.rejection = _middleware(plan, None)
    _compile_handler(plan)
    plan.connect_guard = tuple(
        moment
        for moments in (*plan.moments, *plan.default_moments)
        if (moment := moments["connect"]) is not None
    )
    return plan


def _limits(consumer_class: type[AsyncAPIConsumer]) -> Limits:
    where = f'AAAH["LIMITS"], with {consumer_class.__qualname__}.limits,'
    own = conf.mapping(consumer_class.limits, f"{consumer_class.__qualname__}.limits")
    return conf.read({**conf.current().LIMITS, **own}, Limits, where)


def _codecs(plan: ConsumerPlan, consumer_class: type[AsyncAPIConsumer]) -> dict[str, Codec]:
    offered: dict[str, tuple[Plugin, Codec]] = {}
    for plugin, codecs in ask(plan.registry, "aaah_codecs"):
        for codec in require_offer(codecs, plugin):
            require_codec(codec, plugin)
            once(offered, codec.name, plugin, codec, "The codec")
    wanted: Any = consumer_class.codecs or conf.current().CODECS
    wanted = (wanted,) if isinstance(wanted, (str, Codec)) else wanted
    require_codecs(consumer_class, wanted)
    chosen: dict[str, Codec] = {}
    for entry in wanted:
        if isinstance(entry, Codec):
            chosen[entry.name] = entry
        elif entry in offered:
            plugin, chosen[entry] = offered[entry]
            require_frames(chosen[entry], plugin)
            plan.answers.append(Answer("aaah_codecs", entry, plugin))
        else:
            raise no_codec(plan, entry, offered)
    if not chosen:
        raise ConfigurationError(f"{codecs_of(consumer_class)} has no codec: name one.")
    return chosen


#: A wire is answered by both.
_OTHER_HALF = {
    "aaah_request_parser": "aaah_response_shaper",
    "aaah_response_shaper": "aaah_request_parser",
}


def _wire(plan: ConsumerPlan, hook: str, consumer_class: type[AsyncAPIConsumer]) -> Any:
    taken: dict[str, tuple[Plugin, Any]] = {}
    for plugin, answer in ask(plan.registry, hook, consumer_class=consumer_class):
        function = _callable(answer, plan, plugin, hook, plan.wire)
        remedy = "Test `consumer_class.wire`"
        once(taken, plan.wire, plugin, function, f"The {hook} of the wire", remedy=remedy)
    if not taken:
        halves = []
        for plugin, answer in ask(plan.registry, _OTHER_HALF[hook], consumer_class=consumer_class):
            require_callable(answer, plugin, _OTHER_HALF[hook])
            halves.append(plugin)
        raise no_wire(plan, hook, halves)
    return taken[plan.wire][1]


def _callable(answer: Any, plan: Plan, plugin: Plugin, hook: str, subject: str = "") -> Any:
    require_callable(answer, plugin, hook)
    subject = subject or plan.handler_class.__qualname__
    plan.answers.append(Answer(hook, subject, plugin, answer))
    return answer


def _compile_child(parent: Plan, handler_class: type[AsyncActionHandler]) -> Plan:
    ancestors, above = [parent.handler_class], parent
    while above.parent is not None:
        above = above.parent
        ancestors.append(above.handler_class)
    require_routable(handler_class, ancestors)
    plan = Plan(parent.registry, handler_class, parent, parent.limits)
    _compile_handler(plan)
    return plan


def _compile_handler(plan: Plan) -> None:
    handler_class = plan.handler_class
    require_handler(handler_class)
    compile_permissions(plan)
    hook = "aaah_exception_handlers"
    for plugin, handlers in ask(plan.registry, hook, handler_class=handler_class):
        for exception_class, handler in typed(handlers, Mapping, plugin, hook).items():
            name = require_exception(exception_class, plugin).__name__
            plan.exception_handlers.setdefault(
                exception_class, _callable(handler, plan, plugin, hook, name)
            )
    plan.actions = _actions(plan)
    plan.ways = {
        name: to_action(plan, action, _middleware(plan, action))
        for name, action in plan.actions.items()
    }
    plan.resolvers = tuple(
        _callable(answer, plan, plugin, "aaah_route_resolver")
        for plugin, answer in ask(plan.registry, "aaah_route_resolver", handler_class=handler_class)
    )
    plan.resolve = tuple(at_hand(plan, resolver) for resolver in plan.resolvers)
    for resolver in plan.resolvers:
        for reached in require_routes(resolver, plan):
            plan.child(reached)


def _actions(plan: Plan) -> dict[str, Action]:
    handler_class, hook = plan.handler_class, "aaah_actions"
    taken: dict[str, tuple[Plugin, Action]] = {}
    for plugin, actions in ask(plan.registry, hook, handler_class=handler_class):
        for name, action in typed(actions, Mapping, plugin, hook).items():
            typed(action, Action, plugin, hook)
            runnable = require_action(handler_class, name, action, plugin)
            once(taken, name, plugin, runnable, f"The action of {handler_class.__qualname__}")
            plan.answers.append(Answer(hook, name, plugin))
    require_collected(handler_class, taken)
    return {name: action for name, (_, action) in taken.items()}


def _middleware(plan: Plan, action: Action | None) -> tuple[Middleware, ...]:
    hook, subject = "aaah_middleware", action.name if action else "(no action)"
    arguments = {"handler_class": plan.handler_class, "action": action}
    middleware = []
    for plugin, answer in ask(plan.registry, hook, **arguments):
        require_awaitable(answer, plugin, hook, "a middleware that")
        require_callable(answer, plugin, hook)
        looked_at = awaited(answer, plugin, hook)
        middleware.append(_callable(looked_at, plan, plugin, hook, subject))
    return tuple(middleware)
