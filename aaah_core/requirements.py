"""What a start requires of classes and of plugins' answers, and the words for what falls short."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from asgiref.sync import iscoroutinefunction
from django.apps import apps

from aaah_core import conf
from aaah_core.discovery import Plugin
from aaah_core.errors import ConfigurationError, OfferedTwice, WrongAnswer
from aaah_core.interfaces import ACTION_MARK, Action, Codec
from aaah_core.limits import Limits

if TYPE_CHECKING:
    from aaah_core.consumers import AsyncAPIConsumer

__all__ = [
    "awaited",
    "no_check",
    "no_codec",
    "no_wire",
    "once",
    "raised",
    "require_action",
    "require_awaitable",
    "require_callable",
    "require_codec",
    "require_codecs",
    "require_collected",
    "require_consumer",
    "require_django",
    "require_exception",
    "require_frames",
    "require_handler",
    "require_routable",
    "typed",
    "wrong",
]

T = TypeVar("T")


# Of classes.


def require_django(consumer_class: type[AsyncAPIConsumer]) -> None:
    """Refuse a start before Django is set up, or without the app."""
    if not apps.ready:
        raise ConfigurationError(
            f"{consumer_class.__qualname__}.as_asgi() was called before Django is set up: call "
            f"django.setup() or get_asgi_application() first, as in an asgi.py."
        )
    if consumer_class.needs_app and not apps.is_installed("aaah_core"):
        raise ConfigurationError(
            f"{consumer_class.__qualname__} needs 'aaah_core' in INSTALLED_APPS."
        )


def require_consumer(consumer_class: type[AsyncAPIConsumer]) -> None:
    """Refuse a `concurrency` or `groups` that cannot be."""
    concurrency: Any = consumer_class.concurrency
    if not isinstance(concurrency, int) or concurrency < 1:
        raise _careless(consumer_class, "concurrency", "a whole number, 1 or more")
    groups: Any = consumer_class.groups
    # A property may be one that each connection asks anew.
    if groups is not None and not hasattr(groups, "__get__") and not _is_collection(groups):
        raise _careless(consumer_class, "groups", 'a list of names: groups = ["news"]')


def require_handler(handler_class: type[Any]) -> None:
    """Refuse `permission_classes`, `throttle_classes` or `routepatterns` that are no list."""
    for name, entry in (("permission", "IsAuthenticated"), ("throttle", "UserRateThrottle")):
        attribute = f"{name}_classes"
        if not _is_collection(getattr(handler_class, attribute, ())):
            fix = f"a list or tuple: {attribute} = [{entry}]"
            raise _careless(handler_class, attribute, fix)
    if not _is_collection(handler_class.routepatterns):
        fix = 'a list: routepatterns = [path("…", SomeHandler.as_aaah())]'
        raise _careless(handler_class, "routepatterns", fix)


def require_codecs(consumer_class: type[AsyncAPIConsumer], codecs: Any) -> None:
    """Refuse `codecs` that are neither names nor codec objects."""
    name = consumer_class.__qualname__
    if not _is_collection(codecs):
        raise ConfigurationError(
            f"{name}.codecs is {codecs!r}. It is a list of names or codec objects: "
            f'codecs = ["json"].'
        )
    for entry in codecs:
        if isinstance(entry, type) and issubclass(entry, Codec):
            raise ConfigurationError(
                f"{name}.codecs has the class {entry.__qualname__}. Write an object, "
                f"{entry.__qualname__}(), or the name of a codec that a plugin offers."
            )
        if isinstance(entry, Codec) and (fault := _codec_fault(entry) or _trial_fault(entry)):
            raise ConfigurationError(f"{name}.codecs has {entry!r}: {fault}")
        if not isinstance(entry, (str, Codec)):
            raise ConfigurationError(
                f"{name}.codecs has {entry!r}, which is neither the name of a codec nor a codec."
            )


def require_collected(handler_class: type[Any], actions: Mapping[str, Any]) -> None:
    """Refuse a method that is marked as an action and is none."""
    for attribute in dir(handler_class):
        name = getattr(getattr(handler_class, attribute, None), ACTION_MARK, None)
        if name is not None and name not in actions:
            raise ConfigurationError(
                f"{handler_class.__qualname__}.{attribute} is marked as the action {name!r}, and "
                f"no loaded plugin collects it. Install or enable the plugin of its decorator."
            )


def require_routable(handler_class: type[Any], ancestors: Sequence[type[Any]]) -> None:
    """Refuse a consumer, and a handler whose routes lead to itself, the nearest ancestor first."""
    if handler_class in ancestors:
        raise ConfigurationError(
            f"The routes of {handler_class.__qualname__} lead to {handler_class.__qualname__} "
            f"again: break the circle."
        )
    if hasattr(handler_class, "as_asgi"):
        raise ConfigurationError(
            f"The routes of {ancestors[0].__qualname__} lead to the consumer "
            f"{handler_class.__qualname__}, which owns a socket: route to a handler."
        )


def no_codec(
    consumer_class: type[Any], name: str, offered: Mapping[str, Any]
) -> ConfigurationError:
    """Return the error of a codec's name that nobody offers."""
    return ConfigurationError(
        f"{consumer_class.__qualname__} names the codec {name!r}, and no loaded plugin offers it"
        f"{conf.nearest(name, offered)} Offered: {', '.join(offered)}. If its plugin is not "
        f"installed: pip install aaah-{name}"
    )


def no_wire(consumer_class: type[Any], wire: str, hook: str) -> ConfigurationError:
    """Return the error of a wire that nobody answers for."""
    return ConfigurationError(
        f"{consumer_class.__qualname__} has the wire {wire!r}, and no loaded plugin "
        f"answers {hook} for it. Install or enable the plugin of that wire, or mend `wire`."
    )


def no_check(handler_class: type[Any], name: str, permission: Any) -> ConfigurationError:
    """Return the error of an entry of `permission_classes` or the like that nobody answers for."""
    return ConfigurationError(
        f"{name} of {handler_class.__qualname__} has {permission!r}, and no loaded "
        f"plugin knows what it is. Install or enable the plugin it belongs to."
    )


def _codec_fault(codec: Codec) -> str | None:
    name, frame = getattr(codec, "name", None), getattr(codec, "frame", None)
    if not isinstance(name, str) or not name:
        return f"the `name` of a codec is text that is not empty, and not {name!r}."
    if frame not in ("text", "bytes"):
        return f"the `frame` of a codec is 'text' or 'bytes', and not {frame!r}."
    return None


def _trial_fault(codec: Codec) -> str | None:
    """Say what is wrong with what becomes of an empty payload: no message is looked at again."""
    try:
        frame = codec.encode({})
        payload = codec.decode(frame, Limits())
    except Exception:  # noqa: BLE001 - a codec may carry less than that; who calls will be told
        return None
    kind = str if codec.frame == "text" else bytes
    if not isinstance(frame, kind):
        given = type(frame).__name__
        return (
            f"its encode gives {kind.__name__}, as its `frame` is {codec.frame!r}, and not {given}."
        )
    if not isinstance(payload, dict):
        given = type(payload).__name__
        return f"its decode gives back what was encoded, and not {given} for an empty dict."
    return None


def _is_collection(value: Any) -> bool:
    return isinstance(value, Collection) and not isinstance(value, (str, bytes))


def _careless(owner: type[Any], attribute: str, fix: str) -> ConfigurationError:
    value = getattr(owner, attribute)
    return ConfigurationError(f"{owner.__qualname__}.{attribute} is {value!r}. It is {fix}.")


# Of what plugins answer.


def typed(answer: Any, kind: type[Any], plugin: Plugin, hook: str) -> Any:
    """Return an answer that is of its kind; refuse any other."""
    if not isinstance(answer, kind):
        raise wrong(plugin, hook, f"{answer!r}, which is no {kind.__name__}")
    return answer


def once(
    taken: dict[str, tuple[Plugin, T]], name: str, plugin: Plugin, value: T, what: str
) -> None:
    """Take a value under its name; refuse a second of that name."""
    if name in taken:
        raise OfferedTwice(
            f"{what} {name!r} is offered twice: by {taken[name][0]} and by {plugin}. Uninstall or "
            f"disable one of them."
        )
    taken[name] = plugin, value


def require_codec(codec: Any, plugin: Plugin) -> None:
    """Refuse what is no codec, or one without its `name` or `frame`."""
    hook = "aaah_codecs"
    if fault := _codec_fault(typed(codec, Codec, plugin, hook)):
        raise wrong(plugin, hook, f"{codec!r}: {fault[:-1]}")


def require_frames(codec: Codec, plugin: Plugin) -> None:
    """Refuse a codec that makes no frames, or reads none."""
    if fault := _trial_fault(codec):
        raise wrong(plugin, "aaah_codecs", f"{codec!r}: {fault[:-1]}")


def require_action(handler_class: type[Any], name: str, action: Action, plugin: Plugin) -> Action:
    """Return an action that can be called; refuse one that cannot, or that has two names."""
    where = f"the action {name!r} of {handler_class.__qualname__}"
    if action.name != name:
        raise wrong(plugin, "aaah_actions", f"{where} as one that is named {action.name!r}")
    if not callable(action.run):
        raise wrong(plugin, "aaah_actions", f"{where} with a `run` that cannot be called")
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
    if hook in _PLAIN and _is_async(answer):
        raise wrong(plugin, hook, f"{answer!r}, which is async, and is called without `await`")
    if inspect.isasyncgenfunction(answer) or inspect.isgeneratorfunction(answer):
        raise wrong(plugin, hook, f"{answer!r}, which is a generator")


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
    return WrongAnswer(
        f"{plugin}: its {hook} returned {what}. Expected: {expected}, or None. Write for example: "
        f"{example}."
    )


def raised(
    plugin: Plugin, hook: str, error: Exception, arguments: Mapping[str, Any]
) -> WrongAnswer:
    """Return the error of a hook that raised."""
    names = [
        getattr(value, "__qualname__", repr(value))
        for name, value in arguments.items()
        if name != "scope"  # a handshake has cookies
    ]
    return WrongAnswer(
        f"{plugin}: its {hook} raised {type(error).__name__}: {error}, asked about "
        f"{', '.join(names)}. Mend the plugin, or disable it."
    )
