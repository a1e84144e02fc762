"""System checks: `manage.py check` says what a start would refuse."""

from __future__ import annotations

from collections.abc import Iterator
from inspect import unwrap
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core import checks

from aaah_core import registry
from aaah_core.errors import ConfigurationError

if TYPE_CHECKING:
    from aaah_core.plan import Plan
    from aaah_core.routing import Leaf

__all__ = [
    "check_application",
    "check_consumers",
    "check_databases",
    "check_json_methods",
    "check_layers",
    "check_origins",
    "check_permissions",
    "check_plugins",
    "check_redis",
    "check_routes",
    "register",
]


def register() -> None:
    """Register the checks with Django."""
    for check in (
        check_plugins,
        check_consumers,
        check_application,
        check_json_methods,
        check_databases,
        check_layers,
        check_routes,
        check_permissions,
        check_redis,
        check_origins,
    ):
        checks.register(check, "aaah")


def check_plugins(**kwargs: Any) -> list[checks.CheckMessage]:
    """aaah.E001: a plugin did not load, or the setting AAAH is wrong."""
    return [checks.Error(problem, id="aaah.E001") for problem in registry.current().problems()]


def check_consumers(**kwargs: Any) -> list[checks.CheckMessage]:
    """aaah.E002: a consumer cannot be compiled.

    A codec or wire nobody offers, two actions of one name, a permission class nobody answers for.
    """
    if registry.current().problems():
        return []  # aaah.E001 has said why
    return [checks.Error(message, id="aaah.E002") for message in dict.fromkeys(_faults())]


def _faults() -> Iterator[str]:
    # Here, or every start of Django would pay for what only `check` and servers need.
    from aaah_core.consumers import AsyncAPIConsumer

    try:
        _application()
    except ConfigurationError as error:
        yield str(error)
    except Exception:  # noqa: BLE001, S110 - aaah.W007 says it
        pass
    for consumer_class in _children(AsyncAPIConsumer):
        try:
            consumer_class.as_asgi()
        except ConfigurationError as error:
            yield str(error)


def _application() -> Any:
    path = getattr(settings, "ASGI_APPLICATION", None)
    if not path:
        return None
    module, _, name = path.rpartition(".")
    # Not `import_string`: of an AttributeError in the module that says nothing.
    return resolve_name(f"{module}:{name}")


def _children(parent: type[Any]) -> Iterator[type[Any]]:
    for child in parent.__subclasses__():
        yield child
        yield from _children(child)


def check_application(**kwargs: Any) -> list[checks.CheckMessage]:
    """aaah.W007: `ASGI_APPLICATION` cannot be imported, so no consumer of it can be looked at."""
    if registry.current().problems():
        return []  # aaah.E001 has said why
    try:
        _application()
    except ConfigurationError:
        return []  # aaah.E002 has said why
    except Exception as error:  # noqa: BLE001 - a project's module may raise anything
        path = settings.ASGI_APPLICATION
        module = str(path).rpartition(".")[0]
        traceback = f" `python manage.py shell -c 'import {module}'` shows where." if module else ""
        return [
            # No error: it may need what only a server has, and commands that open no socket run.
            checks.Warning(
                f"ASGI_APPLICATION is {path!r}, and importing it raised "
                f"{type(error).__name__}: {error}",
                hint=f"Mend the setting, or what it leads to.{traceback}",
                id="aaah.W007",
            )
        ]
    return []


def check_json_methods(**kwargs: Any) -> list[checks.CheckMessage]:
    """aaah.W006: a consumer overrides what Channels calls for JSON, and codecs do here."""
    from aaah_core.consumers import AsyncAPIConsumer  # as above

    told = {
        f"{owner.__qualname__} overrides {name}(), and nobody calls it.": None
        for consumer_class in _children(AsyncAPIConsumer)
        # Who sends by itself may call what it likes.
        if consumer_class.send_json is AsyncAPIConsumer.send_json
        for name in ("encode_json", "decode_json")
        for owner in consumer_class.__mro__[: consumer_class.__mro__.index(AsyncAPIConsumer)]
        if name in vars(owner)
    }
    hint = "Codecs make payloads of frames, and frames of payloads: write a codec."
    return [checks.Warning(message, hint=hint, id="aaah.W006") for message in told]


def check_databases(**kwargs: Any) -> list[checks.CheckMessage]:
    """aaah.E003: an in-memory SQLite, which each worker thread would have for itself."""
    return [
        checks.Error(
            f"The database {alias!r} is an in-memory SQLite: every worker thread of AAAH would see "
            f"an empty one of its own.",
            hint="Give it a file name.",
            id="aaah.E003",
        )
        for alias, database in settings.DATABASES.items()
        if str(database.get("ENGINE")).endswith("sqlite3") and database.get("NAME") == ":memory:"
    ]


def check_layers(**kwargs: Any) -> list[checks.CheckMessage]:
    """aaah.W001: an in-memory channel layer in production, where it reaches one process only."""
    from channels.layers import InMemoryChannelLayer, channel_layers  # as above

    if settings.DEBUG:
        return []
    return [
        checks.Warning(
            f"The channel layer {alias!r} is in memory: events reach only the sockets of the "
            f"process that sent them.",
            hint="Use channels_redis where more than one process serves.",
            id="aaah.W001",
        )
        for alias in channel_layers.configs
        if isinstance(channel_layers[alias], InMemoryChannelLayer)
    ]


def check_redis(**kwargs: Any) -> list[checks.CheckMessage]:
    """aaah.W003: redis-py gives Redis up while channels_redis waits for a message."""
    from channels.layers import channel_layers  # as above

    from aaah_core.layers import trap

    problems = {alias: trap(channel_layers[alias]) for alias in channel_layers.configs}
    return [
        checks.Warning(f"The channel layer {alias!r}: {problem}", id="aaah.W003")
        for alias, problem in problems.items()
        if problem is not None
    ]


def check_origins(**kwargs: Any) -> list[checks.CheckMessage]:
    """aaah.W004: `ASGI_APPLICATION` leads to a consumer past `protect`, so any page may use it."""
    if registry.current().problems() or any(_faults()):
        return []  # aaah.E001 or aaah.E002 has said why
    from aaah_core.exposure import unprotected  # as above

    try:
        exposed = list(unprotected(_application()))
    except Exception:  # noqa: BLE001 - as above
        return []
    return [
        checks.Warning(
            f"Any web page may open a socket to {each.__qualname__}, with the cookies of whoever "
            f"looks at the page: nothing asks where it comes from.",
            hint="Put aaah_core.protect() around the WebSockets in ASGI_APPLICATION. "
            "Channels' OriginValidator does not compare schemes and ports.",
            id="aaah.W004",
        )
        for each in exposed
    ]


def check_routes(**kwargs: Any) -> list[checks.CheckMessage]:
    """aaah.W002: a route whose regular expression a client could keep busy.

    Each is timed on strings made to fail late. That takes up to half a second for one that is bad,
    and under a millisecond for most.
    """
    if registry.current().problems() or any(_faults()):
        return []  # aaah.E001 or aaah.E002 has said why
    return [
        checks.Warning(
            message,
            hint="Let no two repetitions match the same characters, neither one inside the other "
            "nor side by side.",
            id="aaah.W002",
        )
        for message in _slow_routes()
    ]


def check_permissions(**kwargs: Any) -> list[checks.CheckMessage]:
    """aaah.W005: a permission class with a method that is nearly named as one that is asked."""
    if registry.current().problems() or any(_faults()):
        return []  # aaah.E001 or aaah.E002 has said why
    from aaah_core.check_requirements import misspelt  # as above

    told = {
        f"Nobody asks `{name}` of the permission class {kind.__module__}.{kind.__qualname__}: did "
        f"you mean `{near}`?": None
        for kind in _permission_classes()
        for name, near in misspelt(kind)
    }
    hint = "Mend the name, or begin that of a helper with `_`."
    return [checks.Warning(message, hint=hint, id="aaah.W005") for message in told]


def _permission_classes() -> Iterator[type[Any]]:
    for plan in _plans():
        for answer in plan.answers:
            if answer.hook == "aaah_permission_check":
                permission = unwrap(answer.given)  # of a plugin that asks an operand otherwise
                yield permission if isinstance(permission, type) else type(permission)


def _slow_routes() -> Iterator[str]:
    # Here, too; and it stands on what Python does not promise.
    from aaah_core.backtracking import backtracks

    seen = set()
    for owner, leaf, longest in _routes():
        for step in leaf.steps:
            kind = step.pattern, step.matches.__name__, longest
            if kind not in seen and (found := backtracks(step.pattern, step.matches, longest)):
                text, seconds = found
                yield (
                    f"The route '{leaf.text}' of {owner} can keep a server busy: {len(text)} "
                    f"characters that begin {text[:40]!r} take it {seconds * 1000:.0f} ms."
                )
            seen.add(kind)


def _routes() -> Iterator[tuple[str, Leaf, int]]:
    from aaah_core.routing import Table

    for plan in _plans():
        for table in plan.resolvers:
            if isinstance(table, Table):
                owner = plan.handler_class.__qualname__
                yield from ((owner, leaf, plan.limits.route_length) for leaf in table.leaves)


def _plans() -> Iterator[Plan]:
    from aaah_core.consumers import AsyncAPIConsumer
    from aaah_core.plan import consumer_plan

    for consumer_class in _children(AsyncAPIConsumer):
        plans: list[Plan] = [consumer_plan(consumer_class)]
        for plan in plans:
            plans += plan.children.values()
            yield plan
