"""The ASGI application."""

from __future__ import annotations

import os

from channels.auth import AuthMiddlewareStack
from channels.routing import ProtocolTypeRouter, URLRouter
from django.core.asgi import get_asgi_application
from django.urls import path

__all__ = ["application"]

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "aaah_demo.settings")
http = get_asgi_application()  # sets Django up, so it comes before the consumers

from aaah_core import protect  # noqa: E402
from aaah_demo.consumers import Library  # noqa: E402

application = ProtocolTypeRouter(
    {
        "http": http,
        "websocket": protect(AuthMiddlewareStack(URLRouter([path("ws/", Library.as_asgi())]))),
    }
)
