"""The handlers: each has the actions that its routes lead to."""

from __future__ import annotations

from aaah_async_action.decorators import async_action
from aaah_core import AsyncAPIActionHandler, IsAuthenticated
from aaah_crud.handlers import ListCreateAPIActionHandler, RetrieveUpdateDestroyAPIActionHandler
from aaah_demo.models import Book
from aaah_demo.serializers import BookSerializer

__all__ = ["BookHandler", "BooksHandler", "MemberHandler"]


class BooksHandler(ListCreateAPIActionHandler):
    """`list` and `create`."""

    queryset = Book.objects.all()
    serializer_class = BookSerializer


class BookHandler(RetrieveUpdateDestroyAPIActionHandler):
    """`retrieve`, `update`, `partial_update` and `remove`."""

    queryset = Book.objects.all()
    serializer_class = BookSerializer


class MemberHandler(AsyncAPIActionHandler):
    """For those who are logged in."""

    permission_classes = (IsAuthenticated,)

    @async_action
    async def whoami(self) -> dict[str, str]:
        """Say who is logged in."""
        return {"username": self.user.get_username()}
