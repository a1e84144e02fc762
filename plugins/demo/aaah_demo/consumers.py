"""The consumer: the handler that owns the socket, and the table of routes below it."""

from __future__ import annotations

from django.urls import path, re_path

from aaah_core import AsyncAPIConsumer
from aaah_demo.handlers import BookHandler, BooksHandler, MemberHandler
from aaah_demo.page import ChildActionHandler

__all__ = ["Library"]


class Library(AsyncAPIConsumer):
    """Books, members, and the page's own handler; in JSON or MessagePack, as each client likes."""

    codecs = ("json", "msgpack")
    routepatterns = (
        path("books/", BooksHandler.as_aaah()),
        path("books/<int:pk>/", BookHandler.as_aaah()),
        path("members/me/", MemberHandler.as_aaah()),
        re_path(r"test_child_route/(?P<pk>[-\w]+)/$", ChildActionHandler.as_aaah()),
    )
