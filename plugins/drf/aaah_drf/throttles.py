"""DRF's throttles as checks."""

from __future__ import annotations

from typing import Any

from rest_framework.exceptions import Throttled
from rest_framework.throttling import BaseThrottle, SimpleRateThrottle

from aaah_core import Call, Check
from aaah_drf.conf import settings
from aaah_drf.request import request_of

__all__ = ["throttle_check"]

_KEY = "aaah_drf.throttled"


def throttle_check(handler_class: type[Any], throttle: Any) -> Check | None:
    """Return the check of an entry of `throttle_classes`; None for what is no throttle of DRF's.

    The check of the first entry asks all of them, as DRF does: each counts the call, and the
    client is told of the longest wait.
    """
    if not (isinstance(throttle, type) and issubclass(throttle, BaseThrottle)):
        return None
    throttles = tuple(dict.fromkeys(handler_class.throttle_classes))
    return _Throttles(throttles) if throttle is throttles[0] else Check()


class _Throttles(Check):
    def __init__(self, throttle_classes: tuple[Any, ...]) -> None:
        self._throttle_classes = throttle_classes

    def call(self, call: Call) -> bool:
        request, view = request_of(call), call.handler
        # A parent may have the same throttles: one call counts once.
        asked: set[Any] = call.state.setdefault(_KEY, set())
        waits: list[float | None] = []
        for throttle_class in self._throttle_classes:
            key = throttle_class, getattr(view, "throttle_scope", None)
            if key in asked:
                continue
            asked.add(key)
            throttle = _with_own_rates(throttle_class)()
            if not throttle.allow_request(request, view):
                waits.append(throttle.wait())
        if waits:
            raise Throttled(max((wait for wait in waits if wait is not None), default=None))
        return True


def _with_own_rates(throttle_class: Any) -> Any:
    own = settings.DEFAULT_THROTTLE_RATES
    if not own or not issubclass(throttle_class, SimpleRateThrottle):
        return throttle_class
    rates = {**throttle_class.THROTTLE_RATES, **own}
    return type(throttle_class.__name__, (throttle_class,), {"THROTTLE_RATES": rates})
