"""What a start requires of classes and codecs, and the words for what falls short."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from inspect import getattr_static
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from asgiref.sync import iscoroutinefunction
from channels import DEFAULT_CHANNEL_LAYER
from channels.layers import channel_layers
from django.apps import apps

from aaah_core import conf
from aaah_core.answers import ask
from aaah_core.check_requirements import takes
from aaah_core.class_names import require_names
from aaah_core.discovery import Plugin
from aaah_core.errors import ConfigurationError
from aaah_core.expectations import shown, typed, wrong
from aaah_core.interfaces import ACTION_MARK, Codec
from aaah_core.limits import Limits

if TYPE_CHECKING:
    from aaah_core.consumers import AsyncAPIConsumer
    from aaah_core.plan import ConsumerPlan, Plan

__all__ = [
    "CODEC_NAME",
    "codecs_of",
    "no_check",
    "no_codec",
    "no_wire",
    "require_codec",
    "require_codecs",
    "require_collected",
    "require_consumer",
    "require_django",
    "require_frames",
    "require_handler",
    "require_offer",
    "require_routable",
]


#: What a codec's name may be: it stands in the subprotocol `aaah.<name>`.
CODEC_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]*")


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
    """Refuse names, `concurrency` or `groups` that cannot be, and groups without a layer."""
    require_names(consumer_class)
    concurrency: Any = consumer_class.concurrency
    if not isinstance(concurrency, int) or concurrency < 1:
        raise _careless(consumer_class, "concurrency", "a whole number, 1 or more")
    groups: Any = consumer_class.groups
    # A property may be one that each connection asks anew.
    named = None if hasattr(groups, "__get__") else groups
    if named is not None and not _is_collection(named):
        raise _careless(consumer_class, "groups", 'a list of names: groups = ["news"]')
    if named or consumer_class.group_send_lookup_kwargs:
        _require_layer(consumer_class)


def _require_layer(consumer_class: type[AsyncAPIConsumer]) -> None:
    alias = consumer_class.channel_layer_alias
    # Configured, or set by a test; to make it is not needed yet.
    if alias not in channel_layers.configs and alias not in channel_layers.backends:
        entry = "" if alias == DEFAULT_CHANNEL_LAYER else f"[{alias!r}]"
        raise ConfigurationError(
            f"{consumer_class.__qualname__} uses groups: set CHANNEL_LAYERS{entry}."
        )


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
    name = codecs_of(consumer_class)
    name = name if name.startswith("AAAH[") else f"{name}.codecs"
    if not _is_collection(codecs):
        raise ConfigurationError(
            f'{name} is {codecs!r}. It is a list of names or codec objects: codecs = ["json"].'
        )
    for entry in codecs:
        if isinstance(entry, type) and issubclass(entry, Codec):
            raise ConfigurationError(
                f"{name} has the class {entry.__qualname__}. Write an object, "
                f"{entry.__qualname__}(), or the name of a codec that a plugin offers."
            )
        if isinstance(entry, Codec) and (fault := _codec_fault(entry) or _trial_fault(entry)):
            raise ConfigurationError(f"{name} has {entry!r}: {fault}")
        if not isinstance(entry, (str, Codec)):
            raise ConfigurationError(
                f"{name} has {entry!r}, which is neither the name of a codec nor a codec."
            )


def require_offer(codecs: Any, plugin: Plugin) -> Iterable[Any]:
    """Return the codecs that a plugin offers; refuse what is no list of them."""
    if isinstance(codecs, (str, bytes, Mapping)):
        raise wrong(plugin, "aaah_codecs", f"{codecs!r}, which is no list")
    offer: Iterable[Any] = typed(codecs, Iterable, plugin, "aaah_codecs")
    return offer


def require_codec(codec: Any, plugin: Plugin) -> None:
    """Refuse what is no codec, or one without its `name` or `frame`."""
    hook = "aaah_codecs"
    if fault := _codec_fault(typed(codec, Codec, plugin, hook)):
        raise wrong(plugin, hook, f"{codec!r}: {fault[:-1]}")


def require_frames(codec: Codec, plugin: Plugin) -> None:
    """Refuse a codec that makes no frames, or reads none."""
    if fault := _trial_fault(codec):
        raise wrong(plugin, "aaah_codecs", f"{codec!r}: {fault[:-1]}")


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
    """Refuse a consumer, a handler whose routes lead to itself, and names that cannot be.

    Args:
        handler_class: The handler.
        ancestors: Those whose routes lead to it, the nearest first.
    """
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
    require_names(handler_class)


def no_codec(plan: ConsumerPlan, name: str, offered: Mapping[str, Any]) -> ConfigurationError:
    """Return the error of a codec's name that nobody offers."""
    plugin = plan.registry.plugins.get(name)
    remedy = f"If its plugin is not installed: pip install aaah-{name}"
    if left_out := _left_out(plan):
        remedy = left_out if plugin and plugin.state == "disabled" else f"{left_out} {remedy}"
    return ConfigurationError(
        f"{codecs_of(plan.handler_class)} names the codec {name!r}, and no loaded plugin offers it"
        f"{conf.nearest(name, offered)} Offered: {', '.join(offered)}. {remedy}"
    )


def no_wire(plan: ConsumerPlan, hook: str, halves: Sequence[Plugin]) -> ConfigurationError:
    """Return the error of a wire that nobody answers for, or only half."""
    wire, mend = plan.wire, "`wire`"
    told = f"{plan.handler_class.__qualname__} has the wire {wire!r}"
    if _is_of_settings(plan.handler_class, "wire"):
        mend = 'AAAH["WIRE"]'
        told = f"{mend} is {wire!r}"
    if halves:
        return ConfigurationError(
            f"{told}, and no loaded plugin answers {hook} for it. "
            f"{' and '.join(map(str, halves))} answers its other half: answer both there, or "
            f"install or enable the plugin that has this one."
        )
    known = _wires(plan, hook)
    remedy = f"Known: {', '.join(known)}. " if known else ""
    remedy += f"Install or enable the plugin of that wire, or mend {mend}."
    return ConfigurationError(
        f"{told}, and no loaded plugin answers {hook} for it{conf.nearest(wire, known)} "
        f"{remedy} {_left_out(plan)}".rstrip()
    )


def _wires(plan: ConsumerPlan, hook: str) -> list[str]:
    """Return the wires that plugins answer for: ours, and those that have a plugin's name."""
    found = []
    for name in ("aaah", *plan.registry.plugins):
        # A plugin of a wire looks at that attribute and nothing else.
        asked = SimpleNamespace(wire=name, __qualname__=name)
        with suppress(ConfigurationError):
            found += [name] if list(ask(plan.registry, hook, consumer_class=asked)) else []
    return found


def no_check(plan: Plan, name: str, permission: Any) -> ConfigurationError:
    """Return the error of an entry of `permission_classes` or the like that nobody answers for."""
    told = f"{name} of {plan.handler_class.__qualname__} has {shown(permission)}"
    return ConfigurationError(
        f"{told}, and no loaded plugin knows what it is. Install or enable the plugin it belongs "
        f"to. {_left_out(plan)}".rstrip()
    )


def codecs_of(consumer_class: type[Any]) -> str:
    """Return what names the codecs of a consumer: its class, or the setting."""
    if _is_of_settings(consumer_class, "codecs") or not consumer_class.codecs:
        return 'AAAH["CODECS"]'
    return consumer_class.__qualname__


def _is_of_settings(consumer_class: type[Any], attribute: str) -> bool:
    return hasattr(getattr_static(consumer_class, attribute), "__get__")


def _left_out(plan: Plan) -> str:
    """Return a sentence about the plugins that are installed, and that a setting leaves out."""
    plugins = plan.registry.plugins.values()
    if names := [plugin.name for plugin in plugins if plugin.state == "disabled"]:
        return f"Installed, and left out by PLUGINS or DISABLED_PLUGINS: {', '.join(names)}."
    return ""


def _codec_fault(codec: Codec) -> str | None:
    name, frame = getattr(codec, "name", None), getattr(codec, "frame", None)
    if not isinstance(name, str) or not name:
        return f"the `name` of a codec is text that is not empty, and not {name!r}."
    if not CODEC_NAME.fullmatch(name):
        return (
            f"the `name` of a codec stands in the subprotocol aaah.<name>: small letters, digits, "
            f"dots, hyphens and underscores, and not {name!r}."
        )
    if frame not in ("text", "bytes"):
        return f"the `frame` of a codec is 'text' or 'bytes', and not {frame!r}."
    for method, what, given in (
        (codec.encode, "encode", "(payload)"),
        (codec.decode, "decode", "(frame, limits)"),
    ):
        if iscoroutinefunction(method):
            return f"its {what} is async, and is called without `await`."
        if not takes(method, given):
            return f"its {what} cannot be called as {what}{given}."
    return None


def _trial_fault(codec: Codec) -> str | None:
    """Say what is wrong with what becomes of an empty payload: no message is looked at again."""
    try:
        frame = codec.encode({})
    except Exception:  # noqa: BLE001 - a codec may carry less than that; who calls will be told
        return None
    kind = str if codec.frame == "text" else bytes
    if not isinstance(frame, kind):
        given = type(frame).__name__
        return (
            f"its encode gives {kind.__name__}, as its `frame` is {codec.frame!r}, and not {given}."
        )
    try:
        payload = codec.decode(frame, Limits())
    except Exception:  # noqa: BLE001 - as above
        return None
    if not isinstance(payload, dict):
        given = type(payload).__name__
        return f"its decode gives back what was encoded, and not {given} for an empty dict."
    return None


def _is_collection(value: Any) -> bool:
    return isinstance(value, Collection) and not isinstance(value, (str, bytes))


def _careless(owner: type[Any], attribute: str, fix: str) -> ConfigurationError:
    value = shown(getattr(owner, attribute))
    return ConfigurationError(f"{owner.__qualname__}.{attribute} is {value}. It is {fix}.")
