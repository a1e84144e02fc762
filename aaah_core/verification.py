"""Looks at a plugin before it is taken: would its hooks be asked, and as their author meant?"""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Iterator
from functools import cache
from types import ModuleType
from typing import TYPE_CHECKING, Any

from aaah_core import hookspecs
from aaah_core.conf import nearest
from aaah_core.errors import WrongHook
from aaah_core.expectations import CALLED_WITH

if TYPE_CHECKING:
    import pluggy

__all__ = ["HOOKS", "arguments", "verified_hooks"]

#: The names of all hooks.
HOOKS = tuple(name for name in vars(hookspecs) if name.startswith("aaah_"))
#: What a hook module must not hold: every start of Django would wait for it.
_HEAVY = "rest_framework"


@cache
def arguments(hook: str) -> tuple[str, ...]:
    """Return the names of what a hook may take."""
    return tuple(inspect.signature(getattr(hookspecs, hook)).parameters)


def verified_hooks(manager: pluggy.PluginManager, plugin: Any, *, installed: bool) -> list[str]:
    """Return the hooks that a plugin implements.

    Args:
        manager: What knows the mark of `hookimpl`.
        plugin: A module, or an object.
        installed: Whether a distribution offers it: one without any hook is a mistake.

    Raises:
        WrongHook: One would never be asked, or not as its author meant; or there is none.
    """
    hooks: list[str] = []
    unmarked: list[str] = []
    for name in dir(plugin):
        options = manager.parse_hookimpl_opts(plugin, name)
        if options is not None:
            hook = options["specname"] or name
            _require_hook(plugin, name, hook, bool(options["wrapper"] or options["hookwrapper"]))
            hooks.append(hook)
        elif name in HOOKS and _is_own(plugin, name):
            raise WrongHook(
                f"{name} is not marked with @hookimpl, so it would never be asked. Write @hookimpl "
                f"above it"
            )
        else:
            unmarked.append(name)
    for name in unmarked:
        _require_no_misspelt(plugin, name, hooks)
    if isinstance(plugin, ModuleType):
        _require_no_class(manager, plugin)
        _require_light(plugin)
    if installed and not hooks:
        raise WrongHook(
            "it implements no hook, so it would do nothing. Mark a function that is named after a "
            "hook with @hookimpl, or let the entry point lead to the module that has one"
        )
    return hooks


def _require_no_misspelt(plugin: Any, name: str, hooks: list[str]) -> None:
    """Refuse a function without a mark whose name is nearly that of a hook it does not have."""
    others = [each for each in HOOKS if each not in hooks]
    near = name.startswith("aaah_") and difflib.get_close_matches(name, others, n=1, cutoff=0.9)
    if near and inspect.isroutine(getattr(plugin, name)) and _is_own(plugin, name):
        raise WrongHook(
            f"{name} is no hook and has no mark, so it would never be asked; did you mean "
            f"{near[0]!r}? Write @hookimpl above that, or another name"
        )


def _require_hook(plugin: Any, name: str, hook: str, is_wrapper: bool) -> None:
    function = getattr(plugin, name)
    if hook not in HOOKS:
        raise WrongHook(
            f"it implements {hook}, which is no hook{nearest(hook, HOOKS)} The hooks are: "
            f"{', '.join(HOOKS)}"
        )
    if is_wrapper:
        raise WrongHook(
            f"{name} is a wrapper; hooks are asked for answers, one by one. Write a plain @hookimpl"
        )
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        raise WrongHook(
            f"{name} is async; hooks are asked at start, where nothing waits, and what they return "
            f"may be async. Write def"
        )
    if isinstance(plugin, type) and inspect.isfunction(inspect.getattr_static(plugin, name)):
        raise WrongHook(
            f"{name} is a method, and {plugin.__qualname__} was never instantiated, so it has no "
            f"self. {_instead(plugin)}"
        )
    _require_arguments(function, hook)


def _require_arguments(function: Any, hook: str) -> None:
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError) as error:
        if inspect.ismethod(function):
            raise WrongHook(f"{hook} is a method without self. Write self first") from error
        return  # of something built in, nothing is known
    given = arguments(hook)
    offer = f"It may take: {', '.join(given) or 'nothing'}"
    for each in parameters:
        if each.kind in (each.VAR_POSITIONAL, each.VAR_KEYWORD):
            raise WrongHook(f"{hook} takes {each}, and nothing is ever given so. {offer}")
        if each.name not in given and each.default is not each.empty:
            continue  # the function's own
        if each.name not in given:
            raise WrongHook(
                f"{hook} takes {each.name!r}, which is no argument of that hook"
                f"{nearest(each.name, given)} {offer}{_returned(hook, each.name)}"
            )
        if each.default is not each.empty or each.kind is each.KEYWORD_ONLY:
            raise WrongHook(
                f"{hook} takes {each}, and only an argument by place, without a default, is given. "
                f"{offer}"
            )


def _returned(hook: str, argument: str) -> str:
    """Say where an argument belongs that is one of what the hook returns."""
    takes = CALLED_WITH.get(hook, ())
    if argument not in takes:
        return ""
    return f". A function of ({', '.join(takes)}) is what it returns: return that one"


def _require_no_class(manager: pluggy.PluginManager, module: ModuleType) -> None:
    """Refuse a class with hooks that nobody made an object of, and that is no plugin itself."""
    for owner in _own_classes(module):
        for name in vars(owner):
            if manager.parse_hookimpl_opts(owner, name) is not None:
                raise WrongHook(
                    f"{name} is a method of the class {owner.__qualname__}, and the plugin is the "
                    f"module, so it would never be asked. {_instead(owner)}"
                )


def _instead(owner: type[Any]) -> str:
    return (
        f"Write `plugin = {owner.__name__}()` in {owner.__module__} and let the entry point lead "
        f"to {owner.__module__}:plugin, or write functions"
    )


def _require_light(module: ModuleType) -> None:
    for name, value in vars(module).items():
        origin = value.__name__ if isinstance(value, ModuleType) else _module_of(value)
        if origin.partition(".")[0] == _HEAVY:
            what = origin if isinstance(value, ModuleType) else f"{name} of {_HEAVY}"
            raise WrongHook(
                f"it imports {what} at module level, and every start of Django would "
                f"wait for it, before the settings are complete. Import it inside the hook's body"
            )


def _own_classes(module: ModuleType) -> Iterator[type[Any]]:
    for value in vars(module).values():
        if isinstance(value, type) and value.__module__ == module.__name__:
            yield value


def _module_of(value: Any) -> str:
    # Of the object itself: a lazy one would be loaded by a look at more.
    found = getattr(type(value), "__module__", "") if not isinstance(value, type) else None
    origin = vars(value).get("__module__", "") if found is None else found
    return origin if isinstance(origin, str) else ""


def _is_own(plugin: Any, name: str) -> bool:
    function = getattr(plugin, name)
    if not callable(function):
        return False
    return not isinstance(plugin, ModuleType) or function.__module__ == plugin.__name__
