"""Handlers."""

from __future__ import annotations

from aaah_core import AsyncActionHandler, AsyncAPIActionHandler
from aaah_crud.handlers import (
    CreateAPIActionHandler,
    DestroyAPIActionHandler,
    ListAPIActionHandler,
    ListCreateAPIActionHandler,
    ModelAPIActionHandler,
    RetrieveAPIActionHandler,
    RetrieveDestroyAPIActionHandler,
    RetrieveUpdateAPIActionHandler,
    RetrieveUpdateDestroyAPIActionHandler,
    UpdateAPIActionHandler,
)
from aaah_drf.handlers import GenericAsyncAPIActionHandler

__all__ = [
    "AsyncAPIActionHandler",
    "AsyncActionHandler",
    "CreateAPIActionHandler",
    "DestroyAPIActionHandler",
    "GenericAsyncAPIActionHandler",
    "ListAPIActionHandler",
    "ListCreateAPIActionHandler",
    "ModelAPIActionHandler",
    "RetrieveAPIActionHandler",
    "RetrieveDestroyAPIActionHandler",
    "RetrieveUpdateAPIActionHandler",
    "RetrieveUpdateDestroyAPIActionHandler",
    "UpdateAPIActionHandler",
]
