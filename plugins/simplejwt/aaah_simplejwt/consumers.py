"""`JWTConsumer`: a consumer whose clients may bring a token, or the next one, in a message."""

from __future__ import annotations

import time
from typing import Any, ClassVar

from aaah_core import AsyncAPIConsumer, Credential
from aaah_simplejwt.tokens import is_authenticated

__all__ = ["JWTConsumer"]


class Awaited(Credential):
    """Stands for the token that a client has yet to bring."""

    why_expired = "no token came in time"

    def __init__(self, seconds: float) -> None:
        self.expires = time.time() + seconds


class JWTConsumer(AsyncAPIConsumer):
    """A consumer with the action `authenticate`, and with no other for who is not logged in.

    Until somebody is logged in, by a token in the handshake or by `authenticate`, every other
    message is answered with 401, the connection is in none of the groups that its class names, and
    it is closed with 4401 after a time. `authenticate` again, with the next token of the same user,
    lets a connection go on beyond the end of the last.

    Attributes:
        authentication_deadline: Seconds in which a token has to come.
    """

    authentication_deadline: ClassVar[float] = 10.0

    async def accept(self, subprotocol: str | None = None, headers: Any = None) -> None:
        """Accept the connection; who is not logged in has yet to bring a token."""
        if not is_authenticated(self.user):
            self.scope["aaah.credential"] = Awaited(self.authentication_deadline)
        await super().accept(subprotocol, headers)

    async def join_own_groups(self) -> None:
        """Join the groups that every connection of this class joins, once somebody is there."""
        if is_authenticated(self.user):
            await super().join_own_groups()
