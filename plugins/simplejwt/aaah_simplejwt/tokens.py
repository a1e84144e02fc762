"""From a token to a user, by the rules of simplejwt. Nothing here ever says what a token was."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from django.core.exceptions import ValidationError
from rest_framework.exceptions import AuthenticationFailed
from rest_framework_simplejwt.authentication import JWTAuthentication
from rest_framework_simplejwt.settings import api_settings
from rest_framework_simplejwt.tokens import Token

from aaah_core import Credential, RequestError, run_sync
from aaah_simplejwt.settings import settings

__all__ = ["Identity", "TokenCredential", "TokenNotValid", "authenticate", "is_authenticated"]

logger = logging.getLogger("aaah.simplejwt")

#: How many ids a query asks about: databases have their bounds.
BATCH = 500

#: Header, claims and signature. A server's memory is not for what cannot be a token.
_SHAPE = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+", re.ASCII)

#: What claims, or a header, of odd types and sizes make libraries and databases raise.
_UNREADABLE = (
    ArithmeticError,
    LookupError,
    OSError,  # a time beyond the calendar
    RecursionError,
    TypeError,
    ValueError,
    ValidationError,
)


class TokenNotValid(RequestError):
    """A token that lets nobody in; whoever asks is not told why."""

    status = 401
    code = "token_not_valid"
    detail = "The token is not valid, or not any more."


class TokenCredential(Credential):
    """What is left of a token that let somebody in: when it ends, and its id if that is revocable.

    Args:
        token: A token of simplejwt's that was verified.
    """

    why_expired = "the token expired"

    def __init__(self, token: Token) -> None:
        leeway = token.get_token_backend().get_leeway()
        self.expires = float(token["exp"]) + leeway.total_seconds()
        #: None for kinds of tokens that simplejwt itself asks no blacklist about.
        self._id = token[api_settings.JTI_CLAIM] if hasattr(token, "check_blacklist") else None

    @property
    def expires_in(self) -> int:
        """The whole seconds that are left."""
        return max(0, int((self.expires or 0) - time.time()))

    @classmethod
    def ended(cls, credentials: Sequence[Self]) -> Mapping[Self, str]:
        """Return those whose tokens are on the blacklist."""
        ids = {each._id for each in credentials if each._id is not None}
        found = set(_blacklisted(ids))
        return {each: "the token is blacklisted" for each in credentials if each._id in found}


def _blacklisted(ids: set[str]) -> Iterator[str]:
    if not ids:
        return  # also where the app of the blacklist is not installed
    from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken

    waiting = list(ids)
    while waiting:
        some, waiting = waiting[:BATCH], waiting[BATCH:]
        found = BlacklistedToken._default_manager.filter(token__jti__in=some)
        yield from found.values_list("token__jti", flat=True)


@dataclass(slots=True, frozen=True)
class Identity:
    """Whom a token stands for."""

    user: Any
    #: The verified token, with its claims: what DRF calls `request.auth`.
    token: Token = field(repr=False)
    credential: TokenCredential


async def authenticate(encoded: Any) -> Identity:
    """Return whom a token stands for.

    Args:
        encoded: What somebody sent as a token.

    Raises:
        TokenNotValid: It is none, or lets nobody in: its type, signature, time, blacklist or user
            is not as simplejwt wants it.
    """
    if not isinstance(encoded, str) or len(encoded) > settings.MAX_TOKEN_LENGTH:
        raise TokenNotValid
    if _SHAPE.fullmatch(encoded) is None:
        raise TokenNotValid
    found = await run_sync(_identify, encoded)
    if isinstance(found, str):
        # Raised here, where no exception of a library's, and what it says, can be its context.
        logger.info("A token is refused: %.60s", found)
        raise TokenNotValid
    return found


def _identify(encoded: str) -> Identity | str:
    """Return whom a token stands for, or a word for why it stands for nobody."""
    authentication = JWTAuthentication()
    try:
        token = authentication.get_validated_token(encoded.encode("ascii"))
        user = authentication.get_user(token)
        credential = TokenCredential(token)
    except AuthenticationFailed as error:
        detail = error.detail
        return str(detail.get("code", error.default_code)) if isinstance(detail, dict) else "failed"
    except _UNREADABLE as error:
        return type(error).__name__
    token.token = None  # nobody needs it as it was sent any more
    return Identity(user, token, credential)


def is_authenticated(user: Any) -> bool:
    """Return whether somebody is logged in."""
    # Nothing but True will do: of the class AnonymousUser the attribute is a property, and true.
    return getattr(user, "is_authenticated", False) is True
