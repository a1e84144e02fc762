"""What the servers of these tests serve: rooms that need a session, or a permission."""

from __future__ import annotations

import os

from channels.auth import AuthMiddlewareStack
from channels.routing import ProtocolTypeRouter
from django.core.asgi import get_asgi_application
from django.urls import path

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.presence.settings")
http = get_asgi_application()

from aaah_async_action.decorators import async_action  # noqa: E402
from aaah_core import (  # noqa: E402
    AsyncAPIActionHandler,
    AsyncAPIConsumer,
    BasePermission,
    IsAuthenticated,
    protect,
)


class MayView(BasePermission):
    def has_permission(self, scope, handler, action, **kwargs):
        return scope["user"].has_perm("sessions.view_session")


class Room(AsyncAPIActionHandler):
    @async_action
    async def join(self, group: str):
        consumer = self.consumer
        await consumer.channel_layer.group_add(group, consumer.channel_name)


class Secret(Room):
    permission_classes = (MayView,)


class Mine(Room):
    permission_classes = (IsAuthenticated,)


class Presence(AsyncAPIConsumer):
    routepatterns = [path("secret/", Secret.as_aaah()), path("mine/", Mine.as_aaah())]

    @async_action
    async def who(self):
        return self.user.username


application = ProtocolTypeRouter(
    {"http": http, "websocket": protect(AuthMiddlewareStack(Presence.as_asgi()))}
)
