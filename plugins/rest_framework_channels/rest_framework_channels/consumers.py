"""Consumers."""

from __future__ import annotations

from aaah_core import AsyncAPIConsumer
from aaah_crud.consumers import (
    CreateAPIConsumer,
    DestroyAPIConsumer,
    ListAPIConsumer,
    ListCreateAPIConsumer,
    ModelAPIConsumer,
    RetrieveAPIConsumer,
    RetrieveDestroyAPIConsumer,
    RetrieveUpdateAPIConsumer,
    RetrieveUpdateDestroyAPIConsumer,
    UpdateAPIConsumer,
)
from aaah_drf.consumers import GenericAsyncAPIConsumer

__all__ = [
    "AsyncAPIConsumer",
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
