"""The Django-style router: the patterns in a handler's `routepatterns`."""

from __future__ import annotations

from typing import Any

from aaah_core.hookspecs import hookimpl
from aaah_core.interfaces import RouteResolver


@hookimpl(trylast=True)
def aaah_route_resolver(handler_class: type[Any]) -> RouteResolver | None:
    if not (patterns := handler_class.routepatterns):
        return None
    from aaah_core.routing import Table, require_reachable  # which a start of Django does without

    table = Table(handler_class, patterns)
    require_reachable(handler_class, table)
    return table
