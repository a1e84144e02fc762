"""The payloads that a shaper makes, and what is told where it fails."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aaah_core.errors import WrongAnswer
from aaah_core.expectations import wrong
from aaah_core.messages import Call, Event, Reply

if TYPE_CHECKING:
    from aaah_core.plan import ConsumerPlan

__all__ = ["MESSAGES", "shaped", "unshaped"]

#: What a shaper is given or could find, and no payload: they hold more than a client may have.
MESSAGES = frozenset({Call, Event, Reply})
_SHAPER = "aaah_response_shaper"


def shaped(plan: ConsumerPlan, call: Call | None, message: Reply | Event) -> Any:
    """Return the payload of a message.

    Raises:
        WrongAnswer: The shaper raised, or gave a message of ours.
    """
    try:
        payload = plan.shape(call, message)
    except Exception as error:
        raise unshaped(plan, message, error) from error
    if type(payload) in MESSAGES:
        raise unshaped(plan, message, payload)
    return payload


def unshaped(plan: ConsumerPlan, message: Reply | Event, given: Any) -> WrongAnswer:
    """Return the error of what a shaper raised, or of a message of ours that it gave."""
    shape = plan.shape
    plugin = next(e.plugin for e in plan.answers if e.hook == _SHAPER and e.given is shape)
    if not isinstance(given, Exception):
        return wrong(
            plugin, _SHAPER, f"{shape!r}, which gave {type(given).__name__} and no payload"
        )
    what = f"a reply of {message.status}"
    if isinstance(message, Event):
        what = f"the event {message.name!r}"
    error = WrongAnswer(
        f"{plugin}: its {_SHAPER} returned {shape!r}, which raised {type(given).__name__}: "
        f"{given}, given {what}. Mend the plugin: it makes a payload of every reply and event."
    )
    error.__cause__ = given
    return error
