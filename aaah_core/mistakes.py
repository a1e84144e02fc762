"""What a plugin's callable gave and its hook does not ask for: told where a call failed of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aaah_core.expectations import wrong

if TYPE_CHECKING:
    from aaah_core.errors import WrongAnswer
    from aaah_core.plan import Plan

__all__ = ["misgiven"]


def misgiven(plan: Plan, hook: str, given: Any, answer: Any, expected: str) -> WrongAnswer:
    """Return the error of what a callable gave, with the plugin that the callable is of.

    Args:
        plan: That of the handler whose call failed.
        hook: What the plugin returned the callable for.
        given: The callable.
        answer: What it gave; the message has its type, as it may hold what a client sent.
        expected: What it should have given.
    """
    plugin = next(e.plugin for e in plan.answers if e.hook == hook and e.given is given)
    return wrong(plugin, hook, f"{given!r}, which gave {type(answer).__name__} and no {expected}")
