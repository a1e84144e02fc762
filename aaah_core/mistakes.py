"""What a plugin's callable gave, or lists, and its hook does not ask for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from aaah_core.errors import WrongAnswer
from aaah_core.expectations import wrong
from aaah_core.handlers import AsyncActionHandler

if TYPE_CHECKING:
    from aaah_core.interfaces import Codec, Match
    from aaah_core.messages import Call
    from aaah_core.plan import ConsumerPlan, Plan

__all__ = ["misgiven", "misnamed", "require_frame", "require_match", "require_routes"]


def misgiven(plan: Plan, hook: str, given: Any, answer: Any, expected: str) -> WrongAnswer:
    """Return the error of what a callable gave, with the plugin that the callable is of.

    Args:
        plan: That of the handler whose call failed.
        hook: What the plugin returned the callable for.
        given: The callable.
        answer: What it gave; the message has its type, as it may hold what a client sent.
        expected: What it should have given.
    """
    kind = "an empty list" if type(answer) is list and not answer else type(answer).__name__
    return _wrong(plan, hook, given, f"which gave {kind} and no {expected}")


def misnamed(plan: ConsumerPlan, call: Call) -> WrongAnswer:
    """Return the error of a call that a parser gave an action which is no text."""
    told = f"which gave a Call with {type(call.action).__name__} as `action`, and no text"
    return _wrong(plan, "aaah_request_parser", plan.parse, told)


def require_frame(plan: ConsumerPlan, codec: Codec, frame: Any) -> str | bytes:
    """Return what a codec encoded; refuse what is no frame of its kind."""
    kind = str if codec.frame == "text" else bytes
    if isinstance(frame, kind):
        return frame
    offered = (e for e in plan.answers if e.hook == "aaah_codecs" and e.subject == codec.name)
    whose = next((f" of {each.plugin}" for each in offered), "")
    raise WrongAnswer(
        f"The codec {codec.name!r}{whose} encoded a payload as {type(frame).__name__}, and its "
        f"`frame` is {codec.frame!r}: {type(codec).__qualname__}.encode returns {kind.__name__}."
    )


def require_match(plan: Plan, resolver: Any, match: Match) -> None:
    """Refuse a match with fields of another kind."""
    kinds = type(match.args), type(match.kwargs), type(match.rest)
    if kinds == (tuple, dict, str) and _is_handler(match.handler_class):
        return  # as nearly all, and calls wait for this
    for name, kind in (("args", tuple), ("kwargs", Mapping), ("rest", str)):
        value = getattr(match, name)
        if not isinstance(value, kind):
            told = f"with {type(value).__name__} for `{name}` and no {kind.__name__}"
            raise _wrong(plan, _RESOLVER, resolver, f"which gave a Match {told}")
    if not _is_handler(match.handler_class):
        raise _wrong(plan, _RESOLVER, resolver, "which gave a Match whose class is no handler")


def require_routes(resolver: Any, plan: Plan) -> Iterator[type[AsyncActionHandler]]:
    """Give the handlers that a resolver lists in `routes`; refuse what is no list of pairs."""
    routes = getattr(resolver, "routes", ())
    told = "which are no pairs of a text and a handler class"
    try:
        pairs = [(text, reached) for text, reached in routes]
    except (TypeError, ValueError) as error:
        raise _wrong(plan, _RESOLVER, resolver, f"with the routes {routes!r}, {told}") from error
    for pair in pairs:
        if not _is_handler(pair[1]):
            raise _wrong(plan, _RESOLVER, resolver, f"with the routes [{pair!r}], {told}")
        yield pair[1]


def _is_handler(value: Any) -> bool:
    return isinstance(value, type) and issubclass(value, AsyncActionHandler)


def _wrong(plan: Plan, hook: str, given: Any, what: str) -> WrongAnswer:
    plugin = next(e.plugin for e in plan.answers if e.hook == hook and e.given is given)
    return wrong(plugin, hook, f"{given!r}, {what}")


_RESOLVER = "aaah_route_resolver"
