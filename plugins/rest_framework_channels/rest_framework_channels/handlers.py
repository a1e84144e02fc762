"""Handlers."""

from __future__ import annotations

from rest_framework_channels.base_handlers import (
    APIActionHandlerMetaclass,  # noqa: F401 - it is imported from here too
    AsyncActionHandler,
    AsyncAPIActionHandler,
)
from rest_framework_channels.exceptions import (  # noqa: F401 - as above
    ActionMissingException,
    ActionNotAllowed,
    RouteMissingException,
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
from rest_framework_channels.permissions import (  # noqa: F401 - as above
    BasePermission,
    WrappedDRFPermission,
)
from rest_framework_channels.routings import RoutingManager  # noqa: F401 - as above

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
