"""The Django-style router: the patterns in a handler's `routepatterns`."""

from __future__ import annotations

from typing import Any

from aaah_core.hookspecs import hookimpl
from aaah_core.interfaces import RouteResolver
from aaah_core.routing import Table, require_reachable


@hookimpl(trylast=True)
def aaah_route_resolver(handler_class: type[Any]) -> RouteResolver | None:
    if not (patterns := handler_class.routepatterns):
        return None
    table = Table(handler_class, patterns)
    require_reachable(handler_class, table)
    return table
