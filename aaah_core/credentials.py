"""What a user showed to be let in, where that is no session of Django's: a token, for instance."""

from __future__ import annotations

import logging
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Self

from aaah_core.logs import log_error

if TYPE_CHECKING:
    from aaah_core.interfaces import Scope

__all__ = ["CREDENTIAL", "Credential", "ended", "expired"]

logger = logging.getLogger("aaah.connection")

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

        Asked in a worker thread, of all credentials of a class at once, whenever somebody looks at
        their users: every ``AAAH["IDENTITY_INTERVAL"]`` seconds, and after `recheck`. What it
        raises is logged, and it is asked again at the next look.
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


def ended(credentials: Iterable[Credential | None]) -> dict[Credential, str]:
    """Return those that hold no more, each with why."""
    by_class: dict[type[Credential], list[Credential]] = defaultdict(list)
    for credential in credentials:
        if credential is not None:
            by_class[type(credential)].append(credential)
    found: dict[Credential, str] = {}
    for credential_class, some in by_class.items():
        try:
            found |= credential_class.ended(some)
        except Exception as error:  # noqa: BLE001 - one that fails keeps no other from being asked
            told = "Error %s: %s could not say which hold"
            log_error(logger, error, told, credential_class.__qualname__)
    return found
