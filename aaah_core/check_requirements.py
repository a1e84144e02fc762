"""What a start requires of checks: one that nobody asks protects nothing."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from types import MethodType
from typing import Any

from aaah_core.discovery import Plugin
from aaah_core.errors import ConfigurationError
from aaah_core.expectations import typed, wrong
from aaah_core.interfaces import Check, Composition
from aaah_core.moments import NAMES
from aaah_core.permissions import AllowAny, BasePermission

__all__ = ["misspelt", "require_check", "require_permission", "takes"]


def require_check(check: Any, plugin: Plugin) -> Check:
    """Return a check; refuse one that has no say at any moment, or a name that is no moment's.

    `Check()` itself lets everyone pass on purpose; a child that does has forgotten something.
    """
    hook = "aaah_permission_check"
    asked = check if isinstance(check, type) else type(check)
    if issubclass(asked, BasePermission):
        raise wrong(
            plugin,
            hook,
            f"{asked.__qualname__}, a BasePermission, which is no Check: it is an entry of "
            f"`permission_classes`; `Check()` itself lets everyone pass",
        )
    typed(check, Check, plugin, hook)
    kind = type(check)
    if kind is Check or isinstance(check, Composition):
        return check  # type: ignore[no-any-return]  # as `typed` says
    silent = [n for n in NAMES if getattr(getattr(check, n), "__func__", None) is getattr(Check, n)]
    if stray := sorted(_stray(kind, silent)):
        said = ", ".join(f"`{name}` (did you mean `{near}`?)" for name, near in stray)
        what = f"with {said}, which nobody asks"
    elif len(silent) == len(NAMES):
        what = "that overrides none of its methods, and protects nothing"
    elif odd := [name for name in NAMES if not takes(getattr(check, name), _GIVEN[name])]:
        what = f"with a `{odd[0]}` that cannot be called as `{odd[0]}{_GIVEN[odd[0]]}`"
    else:
        return check  # type: ignore[no-any-return]  # as above
    raise wrong(
        plugin,
        hook,
        f"the check {kind.__qualname__} {what}. A check is asked `connect`, `call`, "
        f"`object` and `event` (a BasePermission: `can_connect`, `has_permission`, "
        f"`has_object_permission` and `can_receive`); begin the name of any other method with "
        f"`_`, and return `Check()` itself to let everyone pass",
    )


_GIVEN = {
    "connect": "(scope, consumer)",
    "call": "(call)",
    "object": "(call, obj)",
    "event": "(subscription, event)",
}


def takes(method: Any, given: str) -> bool:
    """Return whether a method takes what it is given, where that can be told.

    Args:
        method: The method.
        given: The names of what it is given, in parentheses.
    """
    count = given.count(",") + 1
    code = getattr(method, "__code__", None) if isinstance(method, MethodType) else None
    if code is not None and code.co_argcount == count + 1 and not code.co_kwonlyargcount:
        return True  # most are such, and a signature takes 10 µs
    try:
        signature = inspect.signature(method, follow_wrapped=False)
    except (TypeError, ValueError):
        return True
    try:
        signature.bind(*range(count))
    except TypeError:
        return False
    return True


def _stray(kind: type[Check], silent: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Give public methods that are meant for a moment, as their names say, with its name.

    What is nearly named as a moment that the check does answer is a helper of that one.
    """
    for name in {name for each in kind.__mro__ for name in vars(each)} - {*NAMES}:
        if name.startswith("_") or not callable(getattr(kind, name)):
            continue
        for near in (_FOREIGN.get(name), *get_close_matches(name, silent, 1, 0.8)):
            if near is not None:
                yield name, near


def require_permission(handler_class: type[Any], entry: Any) -> None:
    """Refuse a native permission that overrides nothing, or whose methods cannot be asked.

    Args:
        handler_class: Whose it is.
        entry: The permission, its class, or what is neither.

    Raises:
        ConfigurationError: So it is, with how its methods are named and asked.
    """
    permission = entry() if isinstance(entry, type) else entry
    if not isinstance(permission, BasePermission):
        return
    kind = type(permission)
    told = f"permission_classes of {handler_class.__qualname__} has "
    told += f"{kind.__module__}.{kind.__qualname__}"
    own = [name for name in _ASKED if _is_own(permission, name)]
    if not own and not isinstance(permission, AllowAny):
        near = "".join(f", did you mean `{near}` by `{name}`?" for name, near in misspelt(kind))
        raise ConfigurationError(
            f"{told}, which overrides none of {', '.join(f'`{name}`' for name in _ASKED)}, and "
            f"would let everyone pass{near or '.'} To let everyone pass, inherit AllowAny."
        )
    for name in own:
        given = _ASKED[name].replace(", **kwargs", "").count(",") + 1
        try:
            # What a route captures comes as keywords, and may be required; a decorator may give
            # what it wraps more, or less, than it takes.
            signature = inspect.signature(getattr(permission, name), follow_wrapped=False)
            signature.bind_partial(*range(given))
        except TypeError:
            raise ConfigurationError(
                f"{told}, whose `{name}` cannot be called as {name}{_ASKED[name]}."
            ) from None


def _is_own(permission: BasePermission, name: str) -> bool:
    method = getattr(getattr(permission, name), "__func__", None)
    return method is not getattr(BasePermission, name)


#: What methods of a native permission are given.
_ASKED = {
    "can_connect": "(scope, handler)",
    "has_permission": "(scope, handler, action, **kwargs)",
    "has_object_permission": "(scope, handler, action, obj, **kwargs)",
    "can_receive": "(scope, handler, event)",
}


def misspelt(permission: Any) -> Iterator[tuple[str, str]]:
    """Give the public methods of a permission class that are nearly named as one it lacks.

    Each comes with that one's name. A helper is named less closely, or more like one that the class
    does override.

    Args:
        permission: A permission class, of any plugin, or an object of one.
    """
    kind = permission if isinstance(permission, type) else type(permission)
    known = [name for name in _FOREIGN if hasattr(kind, name)]
    defined = {name: [each for each in kind.__mro__ if name in vars(each)] for name in known}
    silent = {name for name in known if len(defined[name]) == 1 and defined[name] != [kind]}
    for name in sorted({name for each in kind.__mro__ for name in vars(each)}.difference(known)):
        if silent and not name.startswith("_") and callable(getattr(kind, name)):
            near = get_close_matches(name, known, 1, 0.9)
            if near and near[0] in silent:
                yield name, near[0]


#: What other frameworks call the moments.
_FOREIGN = {
    "has_permission": "call",
    "has_object_permission": "object",
    "can_connect": "connect",
    "can_receive": "event",
}
