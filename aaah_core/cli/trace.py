"""One real call, step by step with times, in this process.

What plugins answer is wrapped before it is compiled, in a registry of the trace's own: a plan that
serves has nothing of it.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from time import perf_counter
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction

from aaah_core.interfaces import Action, Check, Codec, Composition
from aaah_core.limits import Limits
from aaah_core.messages import Reply
from aaah_core.moments import NAMES
from aaah_core.registry import Registry, build
from aaah_core.verification import HOOKS

__all__ = ["Trace", "traced_registry"]

_depth: ContextVar[int] = ContextVar("depth", default=0)


@dataclass
class Step:
    """One step: who took it, when it began, how long it took and what came of it."""

    name: str
    plugin: str
    what: str
    began: float
    depth: int
    seconds: float = 0.0
    outcome: str = ""


@dataclass
class Trace:
    """The steps of what runs while it records, in the order that they began."""

    steps: list[Step] = field(default_factory=list)

    @contextmanager
    def step(self, name: str, plugin: str, what: str) -> Iterator[Step]:
        """Record a step for as long as the block runs, and what it raises."""
        step = Step(name, plugin, what, perf_counter(), _depth.get())
        self.steps.append(step)
        token = _depth.set(step.depth + 1)
        try:
            yield step
        except BaseException as error:
            step.outcome = f"raised {type(error).__name__}"
            raise
        finally:
            step.seconds = perf_counter() - step.began
            _depth.reset(token)

    def around(self, function: Callable[..., Any], name: str, plugin: str, what: str) -> Any:
        """Return a callable that does what another does, recorded; async if that one is."""

        async def awaited(*arguments: Any) -> Any:
            with self.step(name, plugin, what) as step:
                answer = function(*arguments)
                answer = await answer if inspect.isawaitable(answer) else answer
                step.outcome = _told(answer)
                return answer

        def plain(*arguments: Any) -> Any:
            with self.step(name, plugin, what) as step:
                answer = function(*arguments)
                step.outcome = _told(answer)
                return answer

        return awaited if iscoroutinefunction(function) else plain

    def rows(self) -> Iterator[tuple[str, ...]]:
        """Give each step as text: when, for how long, its name, whose it is and what came of it."""
        start = self.steps[0].began if self.steps else 0.0
        for step in self.steps:
            at, took = (step.began - start) * 1000, step.seconds * 1000
            what = f"{step.what}: {step.outcome}" if step.outcome else step.what
            name = "  " * step.depth + step.name
            yield f"{at:9.3f} ms", f"{took:9.3f} ms", name, step.plugin, what


def _told(answer: Any) -> str:
    """Return what a step gave, without data: that may be a secret."""
    if isinstance(answer, Reply):
        return str(answer.status)
    return repr(answer) if answer is None or isinstance(answer, bool) else ""


def traced_registry(trace: Trace) -> Registry:
    """Return a registry of the installed plugins, whose answers record what they do."""
    traced = build()
    for hook in HOOKS:
        for implementation in getattr(traced.manager.hook, hook).get_hookimpls():
            asked = _asked(trace, implementation.function, hook, implementation.plugin_name)
            implementation.function = asked
    return traced


def _asked(trace: Trace, function: Any, hook: str, plugin: str) -> Any:
    def asked(*arguments: Any) -> Any:
        answer = function(*arguments)
        return answer if answer is None else _WRAPPED[hook](trace, answer, plugin)

    return asked


class TracedCodec(Codec):
    """A codec that records what it reads and writes."""

    def __init__(self, trace: Trace, codec: Codec, plugin: str) -> None:
        self.name = codec.name  # type: ignore[misc]  # of this object: it stands for another
        self.frame = codec.frame  # type: ignore[misc]  # as above
        self._trace, self._codec, self._plugin = trace, codec, plugin

    def encode(self, payload: Any) -> str | bytes:
        """Write as the codec does."""
        with self._trace.step("encode", self._plugin, self.name) as step:
            frame = self._codec.encode(payload)
            step.outcome = f"{len(frame)} {'characters' if self.frame == 'text' else 'bytes'}"
            return frame

    def decode(self, frame: str | bytes, limits: Limits) -> Any:
        """Read as the codec does."""
        with self._trace.step("decode", self._plugin, self.name):
            return self._codec.decode(frame, limits)


class TracedResolver:
    """A route resolver that records where routes lead."""

    def __init__(self, trace: Trace, resolver: Any, plugin: str) -> None:
        self.routes = getattr(resolver, "routes", ())
        self._trace, self._resolver, self._plugin = trace, resolver, plugin

    def __call__(self, route: str, call: Any) -> Any:
        """Resolve as the resolver does; of an async one, the wait is not counted."""
        with self._trace.step("route", self._plugin, repr(route)) as step:
            match = self._resolver(route, call)
            found = getattr(match, "handler_class", None)
            step.outcome = found.__qualname__ if found is not None else _told(match)
            return match


def _check(trace: Trace, check: Check, plugin: str) -> Check:
    if isinstance(check, Composition):
        return check  # its operands are asked for one by one
    name = type(check).__name__
    moments: dict[str, Any] = {}
    for moment in NAMES:
        method = getattr(check, moment)
        if getattr(method, "__func__", None) is not getattr(Check, moment):
            moments[moment] = _method(trace, method, f"check {moment}", plugin, name)
    if not moments:
        return check
    traced: Check = type(name, (Check,), moments)()
    return traced


def _method(trace: Trace, method: Any, step: str, plugin: str, name: str) -> Any:
    asked = trace.around(method, step, plugin, name)

    def ask(check: Check, *arguments: Any) -> Any:
        return asked(*arguments)

    return markcoroutinefunction(ask) if iscoroutinefunction(method) else ask


def _actions(trace: Trace, actions: dict[str, Action], plugin: str) -> dict[str, Action]:
    def run(action: Action) -> Any:
        if action.sync:
            return trace.around(action.run, "action", plugin, f"{action.name}, in a worker thread")

        async def awaited(handler: Any, call: Any) -> Any:
            with trace.step("action", plugin, f"{action.name}, on the event loop") as step:
                answer = await action.run(handler, call)
                step.outcome = _told(answer)
                return answer

        return awaited

    return {name: replace(action, run=run(action)) for name, action in actions.items()}


def _connection(trace: Trace, context: Any, plugin: str) -> Any:
    @asynccontextmanager
    async def around(consumer: Any) -> Any:
        with trace.step("connection", plugin, "stays around it"):
            async with context(consumer) as value:
                yield value

    return around


def _middleware(trace: Trace, middleware: Any, plugin: str) -> Any:
    async def around(call: Any, call_next: Any) -> Any:
        with trace.step("middleware", plugin, getattr(middleware, "__name__", "")) as step:
            reply = await middleware(call, call_next)
            step.outcome = _told(reply)
            return reply

    return around


#: By hook: what stands for an answer, and records.
_WRAPPED: dict[str, Callable[[Trace, Any, str], Any]] = {
    "aaah_select_codec": lambda trace, name, plugin: name,
    "aaah_codecs": lambda trace, codecs, plugin: [TracedCodec(trace, c, plugin) for c in codecs],
    "aaah_request_parser": lambda trace, parse, plugin: trace.around(parse, "parse", plugin, ""),
    "aaah_response_shaper": lambda trace, shape, plugin: trace.around(shape, "shape", plugin, ""),
    "aaah_route_resolver": TracedResolver,
    "aaah_permission_check": _check,
    "aaah_actions": _actions,
    "aaah_middleware": _middleware,
    "aaah_exception_handlers": lambda trace, handlers, plugin: {
        kind: trace.around(handler, "exception", plugin, kind.__name__)
        for kind, handler in handlers.items()
    },
    "aaah_connection": _connection,
}
