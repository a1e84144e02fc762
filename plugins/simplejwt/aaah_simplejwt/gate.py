"""What a `JWTConsumer` lets through: `authenticate`, and the rest for who is logged in."""

from __future__ import annotations

from typing import Any

from aaah_core import Action, Call, CallNext, PermissionDenied, Reply, RequestError
from aaah_simplejwt.tokens import authenticate, is_authenticated

__all__ = ["AUTHENTICATE", "answer", "require_user", "route"]


class NotAuthenticated(RequestError):
    """A call of somebody who has not brought a token yet."""

    status = 401
    code = "not_authenticated"
    detail = "Call `authenticate` with a token first."


async def require_user(call: Call, call_next: CallNext) -> Reply:
    """Answer whoever is not logged in with 401, whatever the call would have met."""
    if not is_authenticated(call.user):
        raise NotAuthenticated
    return await call_next(call)


def route(rest: str, call: Call) -> None:
    """Resolve no route; whoever is not logged in learns of none.

    What stands below a consumer is reached through its routes alone.
    """
    if not is_authenticated(call.user):
        raise NotAuthenticated


async def answer(call: Call, call_next: CallNext) -> Reply:
    """Answer `authenticate` before the checks are asked: they are for who is logged in."""
    return Reply(await _authenticate(call.consumer, call))


async def _authenticate(consumer: Any, call: Call) -> dict[str, Any]:
    """Let the connection be the user's whom the token stands for, until the token expires.

    A connection that has a user may only have the next token of the same one. Returns the seconds
    until the token expires.
    """
    identity = await authenticate(call.params.get("token"))
    before = consumer.scope.get("user")
    was_authenticated = is_authenticated(before)
    if was_authenticated and before != identity.user:
        raise PermissionDenied("This connection is another user's.", code="another_user")
    consumer.scope["auth"] = identity.token
    await consumer.set_user(identity.user, credential=identity.credential)
    if not was_authenticated:
        await consumer.join_own_groups()
    return {"expires_in": identity.credential.expires_in}


AUTHENTICATE = Action(
    "authenticate",
    _authenticate,
    doc="Log in with a token, or go on with the next one of the same user.",
    params={
        "type": "object",
        "properties": {"token": {"type": "string", "writeOnly": True}},
        "required": ["token"],
    },
    returns={
        "type": "object",
        "properties": {"expires_in": {"type": "integer"}},
        "required": ["expires_in"],
    },
    writes=False,
)
