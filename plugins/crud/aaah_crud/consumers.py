"""The generic handlers as consumers: each owns a socket."""

from __future__ import annotations

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
from aaah_drf.consumers import GenericAsyncAPIConsumer

__all__ = [
    "CreateAPIConsumer",
    "DestroyAPIConsumer",
    "ListAPIConsumer",
    "ListCreateAPIConsumer",
    "ModelAPIConsumer",
    "RetrieveAPIConsumer",
    "RetrieveDestroyAPIConsumer",
    "RetrieveUpdateAPIConsumer",
    "RetrieveUpdateDestroyAPIConsumer",
    "UpdateAPIConsumer",
]


class CreateAPIConsumer(CreateAPIActionHandler, GenericAsyncAPIConsumer):
    """`CreateAPIActionHandler` as a consumer."""


class ListAPIConsumer(ListAPIActionHandler, GenericAsyncAPIConsumer):
    """`ListAPIActionHandler` as a consumer."""


class RetrieveAPIConsumer(RetrieveAPIActionHandler, GenericAsyncAPIConsumer):
    """`RetrieveAPIActionHandler` as a consumer."""


class UpdateAPIConsumer(UpdateAPIActionHandler, GenericAsyncAPIConsumer):
    """`UpdateAPIActionHandler` as a consumer."""


class DestroyAPIConsumer(DestroyAPIActionHandler, GenericAsyncAPIConsumer):
    """`DestroyAPIActionHandler` as a consumer."""


class ListCreateAPIConsumer(ListCreateAPIActionHandler, GenericAsyncAPIConsumer):
    """`ListCreateAPIActionHandler` as a consumer."""


class RetrieveUpdateAPIConsumer(RetrieveUpdateAPIActionHandler, GenericAsyncAPIConsumer):
    """`RetrieveUpdateAPIActionHandler` as a consumer."""


class RetrieveDestroyAPIConsumer(RetrieveDestroyAPIActionHandler, GenericAsyncAPIConsumer):
    """`RetrieveDestroyAPIActionHandler` as a consumer."""


class RetrieveUpdateDestroyAPIConsumer(
    RetrieveUpdateDestroyAPIActionHandler, GenericAsyncAPIConsumer
):
    """`RetrieveUpdateDestroyAPIActionHandler` as a consumer."""


class ModelAPIConsumer(ModelAPIActionHandler, GenericAsyncAPIConsumer):
    """`ModelAPIActionHandler` as a consumer."""
