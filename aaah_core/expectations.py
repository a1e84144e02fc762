"""What a start requires of plugins' answers, and the words for what falls short."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from types import FunctionType
from typing import Any, TypeVar

from asgiref.sync import iscoroutinefunction

from aaah_core.compatibility import CORE, canonical
from aaah_core.discovery import Plugin
from aaah_core.errors import OfferedTwice, WrongAnswer
from aaah_core.interfaces import Action

__all__ = [
    "CALLED_WITH",
    "awaited",
    "once",
    "raised",
    "require_action",
    "require_arguments",
    "require_awaitable",
    "require_callable",
    "require_exception",
    "shown",
    "typed",
    "wrong",
]

T = TypeVar("T")


def typed(answer: Any, kind: type[Any], plugin: Plugin, hook: str) -> Any:
    """Return an answer that is of its kind; refuse any other."""
    if not isinstance(answer, kind):
        raise wrong(plugin, hook, f"{answer!r}, which is no {kind.__name__}")
    return answer


def once(
    taken: dict[str, tuple[Plugin, T]],
    name: str,
    plugin: Plugin,
    value: T,
    what: str,
    *,
    remedy: str = "Rename it",
) -> None:
    """Take a value under its name; refuse a second of that name."""
    if name in taken:
        both = list({id(each): each for each in (taken[name][0], plugin)}.values())
        others = [each for each in both if canonical(each.distribution) != CORE]
        place = repr(others[0].name) if len(others) == 1 else "one of them"
        disable = ", or uninstall or disable one of them" if len(both) > 1 else ""
        raise OfferedTwice(
            f"{what} {name!r} is offered twice: {' and '.join(f'by {each}' for each in both)}. "
            f"{remedy} in {place}{disable}."
        )
    taken[name] = plugin, value


def require_action(handler_class: type[Any], name: str, action: Action, plugin: Plugin) -> Action:
    """Return an action that can be called; refuse one that cannot, or that has two names."""
    where = f"the action {name!r} of {handler_class.__qualname__}"
    if not isinstance(name, str) or not name:
        raise wrong(plugin, "aaah_actions", f"{where}, which is no name: a name is text")
    if action.name != name:
        raise wrong(plugin, "aaah_actions", f"{where} as one that is named {action.name!r}")
    if not callable(action.run):
        raise wrong(plugin, "aaah_actions", f"{where} with a `run` that cannot be called")
    require_arguments(action.run, plugin, "aaah_actions", f"{where} with the `run` {action.run!r}")
    if action.sync:
        if iscoroutinefunction(action.run):
            raise wrong(plugin, "aaah_actions", f"{where} with sync=True and a `run` that is async")
        return action
    what = f"{where}: without sync=True, `run`"
    require_awaitable(action.run, plugin, "aaah_actions", what)
    run = awaited(action.run, plugin, "aaah_actions", f"{what} is awaited, and ")
    return action if run is action.run else replace(action, run=run)


def require_awaitable(function: Any, plugin: Plugin, hook: str, what: str) -> None:
    """Refuse a generator where something is to be awaited.

    A plain function passes: it may return an awaitable.
    """
    code = getattr(function, "__code__", None)
    awaitable = code is not None and code.co_flags & inspect.CO_ITERABLE_COROUTINE
    generator = inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function)
    if generator and not awaitable:
        raise wrong(plugin, hook, f"{what} is awaited, and {function!r} is a generator")


def require_callable(answer: Any, plugin: Plugin, hook: str) -> None:
    """Refuse what cannot be called, or what would give another thing than its hook asks for."""
    if not callable(answer):
        raise wrong(plugin, hook, f"{answer!r}, which cannot be called")
    if isinstance(answer, type) and not any(hasattr(answer, name) for name in _USABLE):
        raise wrong(plugin, hook, f"{answer!r}, which is a class")
    if hook in _PLAIN and _is_async(answer):
        raise wrong(plugin, hook, f"{answer!r}, which is async, and is called without `await`")
    if inspect.isasyncgenfunction(answer) or inspect.isgeneratorfunction(answer):
        raise wrong(plugin, hook, f"{answer!r}, which is a generator")
    require_arguments(answer, plugin, hook, repr(answer))


def require_arguments(function: Any, plugin: Plugin, hook: str, what: str) -> None:
    """Refuse a callable that does not take what it will be given, where that can be told."""
    given = CALLED_WITH[hook]
    if isinstance(function, FunctionType):
        code = function.__code__
        if code.co_argcount == len(given) and not code.co_kwonlyargcount:
            return  # most are such, and a signature takes 10 µs
    try:
        # A decorator may give what it wraps more, or less, than it takes.
        signature = inspect.signature(function, follow_wrapped=False)
    except (TypeError, ValueError):
        return
    try:
        signature.bind(*given)
    except TypeError:
        plain = [each.replace(annotation=each.empty) for each in signature.parameters.values()]
        takes = inspect.Signature(plain)
        told = f"{what}, which takes {takes} and is given ({', '.join(given)})"
        raise wrong(plugin, hook, told) from None


def require_exception(value: Any, plugin: Plugin) -> type[BaseException]:
    """Return a class of exceptions; refuse any other value."""
    if not (isinstance(value, type) and issubclass(value, BaseException)):
        what = f"handlers of {value!r}, which is no class of exceptions"
        raise wrong(plugin, "aaah_exception_handlers", what)
    return value


def awaited(
    function: Callable[..., Any], plugin: Plugin, hook: str, what: str = ""
) -> Callable[..., Any]:
    """Return a callable whose answer is awaited; of a plain one each answer is looked at.

    One that is marked with asgiref's `markcoroutinefunction` counts as async.
    """
    if _is_async(function):
        return function

    def checked(*arguments: Any) -> Any:
        answer = function(*arguments)
        if inspect.isawaitable(answer):
            return answer
        kind = type(answer).__name__  # itself it may be what a client sent
        raise wrong(plugin, hook, f"{what}{function!r}, which is plain and gave {kind}")

    return checked


def _is_async(function: Any) -> bool:
    call = getattr(type(function), "__call__", None)  # noqa: B004 - of an object with one
    return iscoroutinefunction(function) or iscoroutinefunction(call)


#: Whose answers are called, and not awaited.
_PLAIN = ("aaah_request_parser", "aaah_response_shaper", "aaah_connection")

#: What a class has of which an object, made for each call, can be what a callable gives.
_USABLE = ("__await__", "__aenter__")

#: By hook: what the callables that it returns are given.
CALLED_WITH = {
    "aaah_route_resolver": ("route", "call"),
    "aaah_response_shaper": ("call", "message"),
    "aaah_request_parser": ("payload",),
    "aaah_actions": ("handler", "call"),
    "aaah_middleware": ("call", "call_next"),
    "aaah_exception_handlers": ("call", "exception"),
    "aaah_connection": ("consumer",),
}

#: What each hook must return, and for example how; any may return None.
_EXPECTED = {
    "aaah_select_codec": ("a name in `allowed`", 'return "json"'),
    "aaah_route_resolver": (
        "a callable (route, call) that gives a Match or None",
        "return resolve",
    ),
    "aaah_permission_check": ("an object of a child of Check", "return MyCheck()"),
    "aaah_response_shaper": (
        "a callable (call, reply or event) that gives a payload",
        "return shape",
    ),
    "aaah_request_parser": ("a callable (payload) that gives a Call", "return parse"),
    "aaah_codecs": ("a list of objects of children of Codec", "return [MyCodec()]"),
    "aaah_actions": (
        "a dict of names and objects of Action",
        'return {"ping": Action("ping", run=ping)}, with `async def ping(handler, call)`',
    ),
    "aaah_middleware": (
        "an async callable (call, call_next) that gives a Reply",
        "return middleware, with `async def middleware(call, call_next)`",
    ),
    "aaah_exception_handlers": (
        "a dict of exception classes and callables (call, exception) that give a Reply",
        "return {LookupError: not_found}",
    ),
    "aaah_connection": (
        "a callable (consumer) that gives an async context manager",
        "return counted, with @asynccontextmanager above `async def counted(consumer)`",
    ),
}


def wrong(plugin: Plugin, hook: str, what: str) -> WrongAnswer:
    """Return the error of an answer that is not what its hook asks for."""
    expected, example = _EXPECTED[hook]
    what = re.sub(r" at 0x\w+", "", what)  # or one fault would be another for each consumer
    return WrongAnswer(
        f"{plugin}: its {hook} returned {what}. Expected: {expected}, or None. Write for example: "
        f"{example}."
    )


def shown(value: Any) -> str:
    """Return what stands for a value in a message; an object's repr may hold a secret."""
    if isinstance(value, (str, type, int, float)) or value is None:
        return repr(value)
    return f"an object of {type(value)!r}"


def raised(
    plugin: Plugin, hook: str, error: Exception, arguments: Mapping[str, Any]
) -> WrongAnswer:
    """Return the error of a hook that raised."""
    names = [
        shown(value) if name == "permission" else getattr(value, "__qualname__", repr(value))
        for name, value in arguments.items()
        if name != "scope"  # a handshake has cookies
    ]
    about = f", asked about {', '.join(names)}" if names else ""
    return WrongAnswer(
        f"{plugin}: its {hook} raised {type(error).__name__}: {error}{about}. "
        f"Mend the plugin, or disable it."
    )
