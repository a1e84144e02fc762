"""The exceptions of AAAH: what a client may be told, and what stops a start."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ImproperlyConfigured

if TYPE_CHECKING:
    from aaah_core.messages import Call

__all__ = [
    "AAAHError",
    "ActionNotFound",
    "Busy",
    "ConfigurationError",
    "DeadlineExceeded",
    "DecodeError",
    "EncodeError",
    "MalformedRequest",
    "NotFound",
    "OfferedTwice",
    "PermissionDenied",
    "PluginError",
    "PluginNotLoaded",
    "RequestError",
    "Throttled",
    "TooLarge",
    "Unpublished",
    "UnsupportedFrame",
    "ValidationError",
    "WrongAnswer",
    "WrongCore",
    "WrongHook",
    "WrongSettings",
]


class AAAHError(Exception):
    """The root of everything AAAH raises on purpose."""


class RequestError(AAAHError):
    """A call that failed in a way its client may be told.

    Raise it (or one of its children) from an action, a check or a middleware; the reply has its
    `status` and one error object.

    Args:
        detail: A sentence for the client; the class's own if left out.
        code: A word for programs; the class's own if left out.
        status: The status of the reply; the class's own if left out.
        field: Where in the request the fault is, e.g. ``["items", 0, "price"]``; a text is a path
            of one step.
        retry_after: Seconds after which trying again may help.
        call: What could be read of the request, so that the reply can repeat it.
    """

    status: int = 500
    code: str = "error"
    detail: str = "The request failed."

    def __init__(
        self,
        detail: str | None = None,
        *,
        code: str | None = None,
        status: int | None = None,
        field: Sequence[str | int] | str | None = None,
        retry_after: float | None = None,
        call: Call | None = None,
    ) -> None:
        self.detail = detail if detail is not None else type(self).detail
        self.code = code if code is not None else type(self).code
        self.status = status if status is not None else type(self).status
        self.field = [field] if isinstance(field, str) else field
        self.retry_after = retry_after
        self.call = call
        super().__init__(self.detail)

    @property
    def errors(self) -> list[dict[str, Any]]:
        """The error objects of the reply."""
        error: dict[str, Any] = {"code": self.code, "detail": self.detail}
        if self.field is not None:
            error["field"] = list(self.field)
        if self.retry_after is not None:
            error["retry_after"] = self.retry_after
        return [error]


class DecodeError(RequestError):
    """A frame that its codec cannot read: 400, or 413 where a bound is passed."""

    status = 400
    code = "unreadable"
    detail = "The message cannot be read."


class MalformedRequest(RequestError):
    """A payload that is no request in the connection's wire."""

    status = 400
    code = "malformed"
    detail = "The message is not a request."


class ValidationError(RequestError):
    """A parameter that is missing or of the wrong type."""

    status = 400
    code = "invalid"
    detail = "A parameter is not valid."


class PermissionDenied(RequestError):
    """A call that a check refused."""

    status = 403
    code = "permission_denied"
    detail = "You do not have permission to perform this action."


class NotFound(RequestError):
    """A route, or an object, that does not exist."""

    status = 404
    code = "not_found"
    detail = "Not found."


class ActionNotFound(RequestError):
    """An action that the handler does not have."""

    status = 405
    code = "action_not_found"
    detail = "There is no such action here."


class TooLarge(RequestError):
    """A value beyond one of the limits."""

    status = 413
    code = "too_large"
    detail = "A value is too large."


class UnsupportedFrame(RequestError):
    """A text frame where the codec reads bytes, or the other way round."""

    status = 415
    code = "unsupported_frame"
    detail = "This connection does not carry frames of this kind."


class Throttled(RequestError):
    """A message beyond the rate of its connection."""

    status = 429
    code = "throttled"
    detail = "Too many messages came in a short time."


class Busy(RequestError):
    """A call beyond what the connection can hold."""

    status = 503
    code = "busy"
    detail = "Too many calls are waiting on this connection."


class Unpublished(RequestError):
    """An event that the channel layer did not take: whether anybody gets it is unknown."""

    status = 503
    code = "unpublished"
    detail = "The action has run; whether others were told of it is unknown."


class DeadlineExceeded(RequestError):
    """A call that took longer than its deadline; its outcome is unknown."""

    status = 504
    code = "deadline_exceeded"
    detail = "The action took too long; its outcome is unknown."


class EncodeError(AAAHError):
    """A reply holds a value that no codec can carry.

    The client gets a 500 with an error id; the type and the place of the value are in the log.
    """


class ConfigurationError(AAAHError, ImproperlyConfigured):
    """Something is set up wrongly, and AAAH refuses to start."""


class PluginError(ConfigurationError):
    """A plugin is at fault, or how plugins are set up.

    Each mistake is one of the classes below; where several were made, the message has a line for
    each. It names the plugin, its distribution, what was found, what was expected and what to do.
    """


class PluginNotLoaded(PluginError):
    """An entry point that leads to nothing, a module that raises, or metadata nobody can read."""


class WrongCore(PluginError):
    """A plugin that needs another version of aaah-core than is installed."""


class WrongHook(PluginError):
    """A hook that would never be asked, or not as its author meant.

    Its name or an argument is misspelt, it is async, a wrapper or not marked, its class was never
    instantiated, or its module imports what every start would wait for.
    """


class WrongAnswer(PluginError):
    """A hook that raised, or returned something else than it must.

    What it returned may be called for a message, and give the wrong thing only then: the client
    gets a 500 with an error id, and this is in the log.
    """


class OfferedTwice(PluginError):
    """One name that two plugins offer: of a plugin, a codec, an action or a wire."""


class WrongSettings(PluginError):
    """A key or a value in `AAAH`, or in a plugin's settings, that cannot be."""
