"""The hooks of aaah-simplejwt: `authenticate`, and what is closed without it."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from django.apps import apps
from django.db.models.signals import post_save

from aaah_core import Action, Middleware, RouteResolver, hookimpl, recheck
from aaah_simplejwt.settings import Settings

__all__ = ["Settings", "aaah_actions", "aaah_middleware", "aaah_route_resolver"]


def _is_ours(handler_class: type[Any]) -> bool:
    # Without an import: where nobody wrote such a class, simplejwt is not loaded for the asking.
    module = sys.modules.get("aaah_simplejwt.consumers")
    return module is not None and issubclass(handler_class, module.JWTConsumer)


@hookimpl
def aaah_actions(handler_class: type[Any]) -> Mapping[str, Action] | None:
    """Offer `authenticate` on a `JWTConsumer`."""
    if not _is_ours(handler_class):
        return None
    from aaah_simplejwt.gate import AUTHENTICATE

    return {AUTHENTICATE.name: AUTHENTICATE}


# Outermost: what others do around calls, such as writing them down, is not for tokens.
@hookimpl(tryfirst=True)
def aaah_middleware(handler_class: type[Any], action: Action | None) -> Middleware | None:
    """Let nobody past a `JWTConsumer` who is not logged in, but to `authenticate`."""
    if not _is_ours(handler_class):
        return None
    from aaah_simplejwt.gate import AUTHENTICATE, answer, require_user

    return answer if action is AUTHENTICATE else require_user


@hookimpl(tryfirst=True)
def aaah_route_resolver(handler_class: type[Any]) -> RouteResolver | None:
    """The same for the handlers that its routes lead to."""
    if not _is_ours(handler_class):
        return None
    from aaah_simplejwt.gate import route

    return route


def _blacklisted(*, instance: Any, created: bool, **kwargs: Any) -> None:
    if created and instance.token.user is not None:
        recheck(instance.token.user)


# A name for the sender would fail the checks of every project without the app.
if apps.apps_ready and apps.is_installed("rest_framework_simplejwt.token_blacklist"):
    from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken

    post_save.connect(_blacklisted, sender=BlacklistedToken)
