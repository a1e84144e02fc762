"""Consumers."""

from __future__ import annotations

from rest_framework_channels.base_consumers import (
    AsyncAPIConsumer,
    AsyncAPIConsumerBase,
)
from rest_framework_channels.base_handlers import (
    AsyncAPIActionHandler,  # noqa: F401 - it is imported from here too
)
from rest_framework_channels.generics import (
    CreateAPIConsumer,
    DestroyAPIConsumer,
    GenericAsyncAPIConsumer,
    ListAPIConsumer,
    ListCreateAPIConsumer,
    ModelAPIConsumer,
    RetrieveAPIConsumer,
    RetrieveDestroyAPIConsumer,
    RetrieveUpdateAPIConsumer,
    RetrieveUpdateDestroyAPIConsumer,
    UpdateAPIConsumer,
)

__all__ = [
    "AsyncAPIConsumer",
    "AsyncAPIConsumerBase",
    "CreateAPIConsumer",
    "DestroyAPIConsumer",
    "GenericAsyncAPIConsumer",
    "ListAPIConsumer",
    "ListCreateAPIConsumer",
    "ModelAPIConsumer",
    "RetrieveAPIConsumer",
    "RetrieveDestroyAPIConsumer",
    "RetrieveUpdateAPIConsumer",
    "RetrieveUpdateDestroyAPIConsumer",
    "UpdateAPIConsumer",
]
