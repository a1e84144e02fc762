"""What a start requires of the names in a class: none hides one of ours, or only looks like it."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from types import FunctionType
from typing import Any

from aaah_core.errors import ConfigurationError
from aaah_core.interfaces import ACTION_MARK

__all__ = ["require_names"]

#: Options that no name of one's own is as near to; a consumer with `permission_class` stands open.
_OPTIONS = ("permission_classes", "throttle_classes", "routepatterns", "conceal_objects")
_OF_CONSUMERS = ("concurrency", "group_send_lookup_kwargs")

#: What is no option, whatever its name.
_METHODS = (FunctionType, classmethod, staticmethod, property)


def require_names(handler_class: type[Any]) -> None:
    """Refuse an action in the place of a method of ours, and what looks like an option of ours."""
    # As views have it; a family that asks for it has the other one, too, and clients ask an action.
    found = getattr(handler_class, "get_permissions", None)
    asked = hasattr(handler_class, "check_permissions") or hasattr(found, ACTION_MARK)
    if found is not None and not asked:
        raise ConfigurationError(
            f"{handler_class.__qualname__} has get_permissions(), and nobody calls it: name them "
            f"in permission_classes; a permission is told the action."
        )
    own = next(each for each in handler_class.__mro__ if each.__module__.startswith("aaah_core."))
    known = (*_OPTIONS, *(_OF_CONSUMERS if hasattr(own, "as_asgi") else ()))
    for name, attribute, value in _added(handler_class, own):
        if hasattr(value, ACTION_MARK) and hasattr(own, attribute):
            raise ConfigurationError(
                f"{name}.{attribute} is an action in the place of {own.__qualname__}.{attribute}. "
                f"Rename the method; what clients call may stay, as with "
                f'@async_action(name="{attribute}").'
            )
        if attribute not in known and not isinstance(value, _METHODS):
            near = get_close_matches(attribute, known, 1, 0.9)
            if near and not attribute.endswith(f"_{near[0]}"):  # one of several, as by transport
                raise ConfigurationError(
                    f"{name} has {attribute}, which nobody looks at: did you mean {near[0]}?"
                )


def _added(handler_class: type[Any], own: type[Any]) -> Iterator[tuple[str, str, Any]]:
    """Give what is public and not ours: the class, the name, and the value."""
    for each in handler_class.__mro__:
        if each not in own.__mro__:  # a protocol need not answer `issubclass`
            for name, value in vars(each).items():
                if not name.startswith("_"):
                    yield each.__qualname__, name, value
