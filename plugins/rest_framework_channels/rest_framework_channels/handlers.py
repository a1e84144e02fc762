"""Handlers."""

from __future__ import annotations

from rest_framework_channels.base_handlers import (
    APIActionHandlerMetaclass,  # noqa: F401 - it is imported from here too
    AsyncActionHandler,
    AsyncAPIActionHandler,
)
from rest_framework_channels.generics import (
    CreateAPIActionHandler,
    DestroyAPIActionHandler,
    GenericAsyncAPIActionHandler,
    ListAPIActionHandler,
    ListCreateAPIActionHandler,
    ModelAPIActionHandler,
    RetrieveAPIActionHandler,
    RetrieveDestroyAPIActionHandler,
    RetrieveUpdateAPIActionHandler,
    RetrieveUpdateDestroyAPIActionHandler,
    UpdateAPIActionHandler,
)

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
