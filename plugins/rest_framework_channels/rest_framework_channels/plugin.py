"""The hooks: what rest_framework_channels does in its own way, for its own classes only."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aaah_core import (
    Action,
    Check,
    ExceptionHandler,
    Middleware,
    RequestParser,
    ResponseShaper,
    RouteResolver,
    hookimpl,
    plugin_settings,
)

__all__ = ["WIRE", "Settings", "settings"]

#: What `wire` of its consumers is.
WIRE = "rest_framework_channels"


@dataclass(frozen=True)
class Settings:
    """The keys of ``REST_FRAMEWORK_CHANNELS``; a None stands for the default.

    What that setting of Django's does not say may stand in
    ``AAAH["PLUGIN_SETTINGS"]["rest_framework_channels"]``. Classes and functions may be named by
    their import paths.
    """

    #: The permissions of handlers that name none; everyone is allowed.
    DEFAULT_PERMISSION_CLASSES: Any = None
    #: What encodes values that JSON does not know.
    JSON_ENCODER_CLASS: Any = None
    #: The paginator of generic handlers that name none.
    DEFAULT_PAGINATION_CLASS: Any = None
    #: The filters of generic handlers that name none.
    DEFAULT_FILTER_BACKENDS: Any = None
    PAGE_SIZE: int | None = None
    #: ``async (exception, context) -> dict | None``; see `rest_framework_channels.exceptions`.
    EXCEPTION_HANDLER: Any = None


settings = plugin_settings("rest_framework_channels", Settings)


def _is_ours(handler_class: type[Any]) -> bool:
    # Without an import: where nobody wrote such a class, DRF is not loaded for the asking.
    module = sys.modules.get("rest_framework_channels.base_handlers")
    return module is not None and issubclass(handler_class, module.AsyncActionHandler)


# First, because the routes, exceptions and permissions of its own classes are nobody else's.


@hookimpl(tryfirst=True)
def aaah_route_resolver(handler_class: type[Any]) -> RouteResolver | None:
    if not _is_ours(handler_class):
        return None
    from rest_framework_channels.routings import Resolver

    return Resolver(handler_class)


@hookimpl(tryfirst=True)
def aaah_permission_check(handler_class: type[Any], permission: Any) -> Check | None:
    if not _is_ours(handler_class):
        return None
    from rest_framework_channels.checks import check_of

    return check_of(handler_class, permission)


@hookimpl(tryfirst=True)
def aaah_exception_handlers(
    handler_class: type[Any],
) -> Mapping[type[Exception], ExceptionHandler] | None:
    if not _is_ours(handler_class):
        return None
    from rest_framework_channels.answers import HANDLERS

    return HANDLERS


@hookimpl
def aaah_actions(handler_class: type[Any]) -> Mapping[str, Action] | None:
    if not _is_ours(handler_class):
        return None
    from rest_framework_channels.actions import actions_of

    return actions_of(handler_class)


@hookimpl
def aaah_middleware(handler_class: type[Any], action: Action | None) -> Middleware | None:
    if not _is_ours(handler_class):
        return None
    from rest_framework_channels.overrides import middleware_of

    return middleware_of(handler_class, action)


@hookimpl
def aaah_request_parser(consumer_class: type[Any]) -> RequestParser | None:
    if consumer_class.wire != WIRE:
        return None
    from rest_framework_channels.wire import parse

    return parse


@hookimpl
def aaah_response_shaper(consumer_class: type[Any]) -> ResponseShaper | None:
    if consumer_class.wire != WIRE:
        return None
    from rest_framework_channels.wire import shape

    return shape
