"""AAAH: one WebSocket of a Django project, an API of named actions.

Everything that an application or a plugin needs is importable from here. Importing it needs no
Django settings, and loads no plugin. Each name is loaded when it is first asked for, so that a
hook module, which Django imports at every start, costs no more than what it uses.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.utils.module_loading import import_string

if TYPE_CHECKING:
    from aaah_core.close_codes import CloseCode
    from aaah_core.conf import plugin_settings
    from aaah_core.consumers import AsyncAPIConsumer
    from aaah_core.credentials import Credential
    from aaah_core.description import describe
    from aaah_core.errors import (
        AAAHError,
        ActionNotFound,
        Busy,
        ConfigurationError,
        DeadlineExceeded,
        DecodeError,
        EncodeError,
        MalformedRequest,
        NotFound,
        OfferedTwice,
        PermissionDenied,
        PluginError,
        PluginNotLoaded,
        RequestError,
        Throttled,
        TooLarge,
        Unpublished,
        UnsupportedFrame,
        ValidationError,
        WrongAnswer,
        WrongCore,
        WrongHook,
        WrongSettings,
    )
    from aaah_core.groups import apublish, group_name, publish
    from aaah_core.handlers import AsyncActionHandler, AsyncAPIActionHandler
    from aaah_core.hookspecs import hookimpl
    from aaah_core.interfaces import (
        ACTION_MARK,
        Action,
        CallNext,
        Check,
        Codec,
        Composition,
        ConnectionContext,
        ExceptionHandler,
        Match,
        Middleware,
        RequestParser,
        ResponseShaper,
        RouteResolver,
        Scope,
    )
    from aaah_core.limits import Limits, check_bounds, too_large
    from aaah_core.logs import log_error
    from aaah_core.messages import MISSING, Call, Event, Missing, Reply
    from aaah_core.metrics import Metrics, Queues, measure
    from aaah_core.permissions import (
        AllowAny,
        BasePermission,
        DefaultPermissions,
        IsAuthenticated,
        IsAuthenticatedStrictly,
        IsOwner,
    )
    from aaah_core.plain import to_plain
    from aaah_core.refusals import conceal
    from aaah_core.replies import to_reply
    from aaah_core.routing import Table
    from aaah_core.security import protect
    from aaah_core.signals import recheck
    from aaah_core.workers import Workers, run_sync

__all__ = [
    "ACTION_MARK",
    "MISSING",
    "AAAHError",
    "Action",
    "ActionNotFound",
    "AllowAny",
    "AsyncAPIActionHandler",
    "AsyncAPIConsumer",
    "AsyncActionHandler",
    "BasePermission",
    "Busy",
    "Call",
    "CallNext",
    "Check",
    "CloseCode",
    "Codec",
    "Composition",
    "ConfigurationError",
    "ConnectionContext",
    "Credential",
    "DeadlineExceeded",
    "DecodeError",
    "DefaultPermissions",
    "EncodeError",
    "Event",
    "ExceptionHandler",
    "IsAuthenticated",
    "IsAuthenticatedStrictly",
    "IsOwner",
    "Limits",
    "MalformedRequest",
    "Match",
    "Metrics",
    "Middleware",
    "Missing",
    "NotFound",
    "OfferedTwice",
    "PermissionDenied",
    "PluginError",
    "PluginNotLoaded",
    "Queues",
    "Reply",
    "RequestError",
    "RequestParser",
    "ResponseShaper",
    "RouteResolver",
    "Scope",
    "Table",
    "Throttled",
    "TooLarge",
    "Unpublished",
    "UnsupportedFrame",
    "ValidationError",
    "Workers",
    "WrongAnswer",
    "WrongCore",
    "WrongHook",
    "WrongSettings",
    "apublish",
    "check_bounds",
    "conceal",
    "describe",
    "group_name",
    "hookimpl",
    "log_error",
    "measure",
    "plugin_settings",
    "protect",
    "publish",
    "recheck",
    "run_sync",
    "to_plain",
    "to_reply",
    "too_large",
]

#: Where each name is.
_NAMES = {
    "close_codes": ("CloseCode",),
    "conf": ("plugin_settings",),
    "consumers": ("AsyncAPIConsumer",),
    "credentials": ("Credential",),
    "description": ("describe",),
    "errors": (
        "AAAHError",
        "ActionNotFound",
        "Busy",
        "ConfigurationError",
        "DeadlineExceeded",
        "DecodeError",
        "EncodeError",
        "MalformedRequest",
        "NotFound",
        "OfferedTwice",
        "PermissionDenied",
        "PluginError",
        "PluginNotLoaded",
        "RequestError",
        "Throttled",
        "TooLarge",
        "Unpublished",
        "UnsupportedFrame",
        "ValidationError",
        "WrongAnswer",
        "WrongCore",
        "WrongHook",
        "WrongSettings",
    ),
    "groups": (
        "apublish",
        "group_name",
        "publish",
    ),
    "handlers": (
        "AsyncActionHandler",
        "AsyncAPIActionHandler",
    ),
    "hookspecs": ("hookimpl",),
    "interfaces": (
        "ACTION_MARK",
        "Action",
        "CallNext",
        "Check",
        "Codec",
        "Composition",
        "ConnectionContext",
        "ExceptionHandler",
        "Match",
        "Middleware",
        "RequestParser",
        "ResponseShaper",
        "RouteResolver",
        "Scope",
    ),
    "limits": (
        "Limits",
        "check_bounds",
        "too_large",
    ),
    "logs": ("log_error",),
    "messages": (
        "MISSING",
        "Call",
        "Event",
        "Missing",
        "Reply",
    ),
    "metrics": ("Metrics", "Queues", "measure"),
    "permissions": (
        "AllowAny",
        "BasePermission",
        "DefaultPermissions",
        "IsAuthenticated",
        "IsAuthenticatedStrictly",
        "IsOwner",
    ),
    "plain": ("to_plain",),
    "refusals": ("conceal",),
    "replies": ("to_reply",),
    "routing": ("Table",),
    "security": ("protect",),
    "signals": ("recheck",),
    "workers": ("Workers", "run_sync"),
}
_MODULES = {name: module for module, names in _NAMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = import_string(f"{__name__}.{_MODULES[name]}.{name}")
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
