"""Why AAAH closes a connection."""

from __future__ import annotations

from enum import IntEnum

__all__ = ["CloseCode"]


class CloseCode(IntEnum):
    """The codes we close with; nothing else of ours ends a connection.

    Every server can send them: daphne knows only 1000 and 3000 to 4999.
    """

    #: The client keeps sending what nobody can read. Do not retry.
    RUBBISH = 4400
    #: Who is connected has logged out, has not logged in, or may not be here any more. Log in
    #: before a retry.
    SESSION_ENDED = 4401
    #: A check refused the connection, or its new user, or it has no codec that the client knows.
    #: Do not retry.
    REFUSED = 4403
    #: A frame was over its bound. Do not retry.
    TOO_LARGE = 4413
    #: The client floods, reads too slowly, or has too many connections. Retry later.
    OVERLOADED = 4429
    #: The server goes away or could not set the connection up; the connection is old or idle.
    #: Retry.
    GOING_AWAY = 4503
