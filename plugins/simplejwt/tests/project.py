"""A small project that a real server runs, with what its tests need to change in it."""

from __future__ import annotations

import json
import os
from datetime import timedelta
from typing import Any

import django
from django.conf import settings
from django.core.management import call_command

IN_MEMORY = '{"BACKEND": "channels.layers.InMemoryChannelLayer"}'

settings.configure(
    SECRET_KEY="a key of these tests, and of nothing else, as long as is wanted",
    ALLOWED_HOSTS=["*"],
    USE_TZ=True,
    INSTALLED_APPS=[
        "django.contrib.contenttypes",
        "django.contrib.auth",
        "rest_framework_simplejwt.token_blacklist",
        "aaah_core",
    ],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": os.environ["DATABASE"]}},
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    CHANNEL_LAYERS={"default": json.loads(os.environ.get("LAYER", IN_MEMORY))},
    AAAH={"IDENTITY_INTERVAL": float(os.environ["INTERVAL"])},
    SIMPLE_JWT={
        "AUTH_TOKEN_CLASSES": (
            "project.RevocableToken",
            "rest_framework_simplejwt.tokens.AccessToken",
            "rest_framework_simplejwt.tokens.SlidingToken",
        )
    },
    LOGGING={
        "version": 1,
        "disable_existing_loggers": False,
        "handlers": {"all": {"class": "logging.StreamHandler"}},
        "root": {"handlers": ["all"], "level": "DEBUG"},
        # A server's own debugging shows the headers of each handshake.
        "loggers": {"uvicorn": {"level": "INFO"}, "websockets": {"level": "INFO"}},
    },
)
django.setup()
if os.environ.get("MIGRATE"):
    call_command("migrate", verbosity=0)

from channels.routing import URLRouter  # noqa: E402
from django.contrib.auth.models import User  # noqa: E402
from django.urls import path  # noqa: E402
from rest_framework_simplejwt.tokens import (  # noqa: E402
    AccessToken,
    BlacklistMixin,
    RefreshToken,
    SlidingToken,
    Token,
)

from aaah_async_action.decorators import async_action  # noqa: E402
from aaah_core import AsyncAPIConsumer  # noqa: E402
from aaah_simplejwt.consumers import JWTConsumer  # noqa: E402
from aaah_simplejwt.middleware import JWTAuthMiddleware  # noqa: E402


class RevocableToken(BlacklistMixin["RevocableToken"], AccessToken):
    """An access token of a class that asks the blacklist."""

    token_type = "revocable"


KINDS: dict[str, type[Token]] = {
    "revocable": RevocableToken,
    "access": AccessToken,
    "refresh": RefreshToken,
    "sliding": SlidingToken,
}


class Chat(JWTConsumer):
    @async_action
    async def who(self) -> str:
        return str(self.user.username)


class Tools(AsyncAPIConsumer):
    """What an administrator, and whoever gives out tokens, would do."""

    @async_action
    def token(self, user: str, kind: str = "access", seconds: float = 60) -> str:
        found, _ = User.objects.get_or_create(username=user)
        token = KINDS[kind].for_user(found)
        token.set_exp(lifetime=timedelta(seconds=seconds))
        return str(token)

    @async_action
    def access(self, refresh: str) -> str:
        return str(RefreshToken(refresh).access_token)  # type: ignore[arg-type]  # its stubs know no text

    @async_action
    def blacklist(self, token: str, kind: str = "sliding") -> None:
        made: Any = KINDS[kind](token)  # type: ignore[arg-type]  # as above
        made.blacklist()

    @async_action
    def delete(self, user: str) -> None:
        User.objects.get(username=user).delete()


application = JWTAuthMiddleware(
    URLRouter([path("ws/", Chat.as_asgi()), path("tools/", Tools.as_asgi())])
)

__all__: list[Any] = ["application"]
