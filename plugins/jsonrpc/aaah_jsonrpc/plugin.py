"""The hooks of aaah-jsonrpc."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aaah_core import Action, hookimpl

if TYPE_CHECKING:
    from aaah_core import Middleware, RequestParser, ResponseShaper


@hookimpl
def aaah_request_parser(consumer_class: Any) -> RequestParser | None:
    """Read the requests of consumers with ``wire = "jsonrpc"``."""
    if consumer_class.wire != "jsonrpc":
        return None
    from aaah_jsonrpc.requests import parse

    return parse


@hookimpl
def aaah_response_shaper(consumer_class: Any) -> ResponseShaper | None:
    """Write the responses and notifications of consumers with ``wire = "jsonrpc"``."""
    if consumer_class.wire != "jsonrpc":
        return None
    from aaah_jsonrpc.responses import shape

    return shape


@hookimpl
def aaah_middleware(handler_class: Any, action: Action | None) -> Middleware | None:
    """Name the parameters that come by position."""
    # A handler may be reached from consumers of any wire; a consumer has its own.
    if action is None or getattr(handler_class, "wire", "jsonrpc") != "jsonrpc":
        return None
    from aaah_jsonrpc.positions import naming

    return naming(action)
