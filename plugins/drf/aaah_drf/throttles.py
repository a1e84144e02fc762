"""DRF's throttles as checks."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rest_framework.exceptions import Throttled
from rest_framework.throttling import BaseThrottle, ScopedRateThrottle, SimpleRateThrottle

from aaah_core import Call, Check
from aaah_drf.conf import settings
from aaah_drf.plain import require_plain
from aaah_drf.request import request_of

__all__ = ["not_counted", "throttle_check", "with_own_rates"]

_KEY = "aaah_drf.throttled"
_ORIGINAL = "aaah_original"


def throttle_check(handler_class: type[Any], throttle: Any) -> Check | None:
    """Return the check of an entry of `throttle_classes`; None for what is no throttle of DRF's.

    The check of the first entry asks all of them, as DRF does: each counts the call, and the
    client is told of the longest wait.
    """
    if not _is_class(throttle):
        return None
    # There may be others among them, of another plugin.
    throttles = tuple(dict.fromkeys(filter(_is_class, handler_class.throttle_classes)))
    return _Throttles(throttles) if throttle is throttles[0] else Check()


def _is_class(throttle: Any) -> bool:
    return isinstance(throttle, type) and issubclass(throttle, BaseThrottle)


class _Throttles(Check):
    def __init__(self, throttle_classes: tuple[Any, ...]) -> None:
        self._throttle_classes = throttle_classes

    def call(self, call: Call) -> bool:
        request, view = request_of(call), call.handler
        # A parent may have the same throttles: one call counts once.
        asked: set[Any] = call.state.setdefault(_KEY, set())
        waits: list[float | None] = []
        for throttle_class in self._throttle_classes:
            throttle = with_own_rates(throttle_class)()
            key = _key(throttle_class, throttle, view)
            if key in asked:
                continue
            asked.add(key)
            require_plain(throttle, "allow_request")
            if not throttle.allow_request(request, view):
                waits.append(throttle.wait())
        if waits:
            raise Throttled(max((wait for wait in waits if wait is not None), default=None))
        return True


def not_counted(call: Call, throttles: Iterable[Any], view: Any) -> list[Any]:
    """Return those of a view's throttles that the checks of its parents have not counted.

    Args:
        call: The call.
        throttles: What `get_throttles` of the view gives.
        view: The view.
    """
    asked = call.state.get(_KEY, ())
    return [each for each in throttles if _key(type(each), each, view) not in asked]


def _key(throttle_class: Any, throttle: Any, view: Any) -> tuple[Any, ...]:
    """Return what two throttles have in common that count the same, by the same rate."""
    scoped = issubclass(throttle_class, ScopedRateThrottle)
    scope = getattr(view, throttle.scope_attr, None) if scoped else None
    original = vars(throttle_class).get(_ORIGINAL, throttle_class)
    return original, scope, getattr(throttle, "rate", None)


def with_own_rates(throttle_class: Any) -> Any:
    """Return a throttle class that goes by the plugin's rates, unless it has rates of its own."""
    own = settings.DEFAULT_THROTTLE_RATES
    if not own or not issubclass(throttle_class, SimpleRateThrottle):
        return throttle_class
    rates = throttle_class.THROTTLE_RATES
    if rates is not SimpleRateThrottle.THROTTLE_RATES:
        return throttle_class
    namespace = {"THROTTLE_RATES": {**rates, **own}, _ORIGINAL: throttle_class}
    return type(throttle_class.__name__, (throttle_class,), namespace)
