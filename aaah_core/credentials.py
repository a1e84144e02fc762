"""What a user showed to be let in, where that is no session of Django's: a token, for instance."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from aaah_core.interfaces import Scope

__all__ = ["CREDENTIAL", "Credential", "expired"]

#: Where a scope has the `Credential` of its user.
CREDENTIAL = "aaah.credential"


class Credential:
    """What a user showed to be let in; a connection that has it ends with it, with 4401.

    Whatever authenticates a handshake puts one into ``scope["aaah.credential"]``; `set_user` of a
    consumer takes another. It should hold no secret, and it never shows what it holds.

    Attributes:
        expires: When it ends, in seconds since the epoch; None for never.
        why_expired: What the log says then.
    """

    expires: float | None = None
    why_expired = "the credential expired"

    @classmethod
    def ended(cls, credentials: Sequence[Self]) -> Mapping[Self, str]:
        """Return those that hold no more, each with why.

        Asked in a thread, of all credentials of a class at once (of a thousand users, where there
        are more), whenever somebody looks at them: every ``AAAH["IDENTITY_INTERVAL"]`` seconds, and
        after `recheck`. What it raises, or that it gives no answer within 60 seconds, is logged,
        and it is asked again at the next look.
        """
        return {}

    def __repr__(self) -> str:
        return f"<{type(self).__qualname__}>"


def expired(scope: Scope) -> str | None:
    """Return why a connection may not go on, where its credential is past its time."""
    credential: Credential | None = scope.get(CREDENTIAL)
    if credential is None or credential.expires is None or time.time() < credential.expires:
        return None
    return credential.why_expired
