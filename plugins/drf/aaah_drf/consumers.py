"""`GenericAsyncAPIConsumer`: the generic handler that owns the socket."""

from __future__ import annotations

from aaah_core import AsyncAPIConsumer
from aaah_drf.handlers import GenericAsyncAPIActionHandler

__all__ = ["GenericAsyncAPIConsumer"]


class GenericAsyncAPIConsumer(GenericAsyncAPIActionHandler, AsyncAPIConsumer):
    """A consumer over a queryset and its serializer."""
