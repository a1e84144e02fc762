"""The hooks: what answers is imported when they are asked, as each start of Django imports them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aaah_core import hookimpl

if TYPE_CHECKING:
    from aaah_core import Action, AsyncActionHandler, Middleware

__all__ = ["aaah_actions", "aaah_middleware"]


@hookimpl
def aaah_actions(handler_class: type[AsyncActionHandler]) -> dict[str, Action]:
    """Return the actions of a class by name: its marked methods, as inheritance leaves them.

    Raises:
        ConfigurationError: Two methods with one name, a marked method below another decorator, or
            one whose parameters cannot be bound.
    """
    from aaah_async_action.collection import actions_of

    return actions_of(handler_class)


@hookimpl
def aaah_middleware(
    handler_class: type[AsyncActionHandler], action: Action | None
) -> Middleware | None:
    """Let a call by another name be a call of the action."""
    from aaah_async_action.collection import middleware_for

    return middleware_for(handler_class, action)
