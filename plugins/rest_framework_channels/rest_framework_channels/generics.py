"""Generic handlers and consumers: the actions of the mixins, in the usual combinations."""

from __future__ import annotations

from rest_framework_channels import mixins
from rest_framework_channels.base_consumers import AsyncAPIConsumer
from rest_framework_channels.base_generics import GenericAsyncAPIActionHandler

__all__ = [
    "CreateAPIActionHandler",
    "CreateAPIConsumer",
    "DestroyAPIActionHandler",
    "DestroyAPIConsumer",
    "GenericAsyncAPIActionHandler",
    "GenericAsyncAPIConsumer",
    "ListAPIActionHandler",
    "ListAPIConsumer",
    "ListCreateAPIActionHandler",
    "ListCreateAPIConsumer",
    "ModelAPIActionHandler",
    "ModelAPIConsumer",
    "RetrieveAPIActionHandler",
    "RetrieveAPIConsumer",
    "RetrieveDestroyAPIActionHandler",
    "RetrieveDestroyAPIConsumer",
    "RetrieveUpdateAPIActionHandler",
    "RetrieveUpdateAPIConsumer",
    "RetrieveUpdateDestroyAPIActionHandler",
    "RetrieveUpdateDestroyAPIConsumer",
    "UpdateAPIActionHandler",
    "UpdateAPIConsumer",
]


class CreateAPIActionHandler(mixins.CreateModelMixin, GenericAsyncAPIActionHandler):
    """The action `create`."""


class ListAPIActionHandler(mixins.ListModelMixin, GenericAsyncAPIActionHandler):
    """The action `list`."""


class RetrieveAPIActionHandler(mixins.RetrieveModelMixin, GenericAsyncAPIActionHandler):
    """The action `retrieve`."""


class UpdateAPIActionHandler(mixins.UpdateModelMixin, GenericAsyncAPIActionHandler):
    """The actions `update` and `partial_update`."""


class DestroyAPIActionHandler(mixins.DestroyModelMixin, GenericAsyncAPIActionHandler):
    """The action `destroy`."""


class ListCreateAPIActionHandler(
    mixins.ListModelMixin, mixins.CreateModelMixin, GenericAsyncAPIActionHandler
):
    """The actions `list` and `create`."""


class RetrieveUpdateAPIActionHandler(
    mixins.RetrieveModelMixin, mixins.UpdateModelMixin, GenericAsyncAPIActionHandler
):
    """The actions `retrieve`, `update` and `partial_update`."""


class RetrieveDestroyAPIActionHandler(
    mixins.RetrieveModelMixin, mixins.DestroyModelMixin, GenericAsyncAPIActionHandler
):
    """The actions `retrieve` and `destroy`."""


class RetrieveUpdateDestroyAPIActionHandler(
    mixins.RetrieveModelMixin,
    mixins.UpdateModelMixin,
    mixins.DestroyModelMixin,
    GenericAsyncAPIActionHandler,
):
    """The actions `retrieve`, `update`, `partial_update` and `destroy`."""


class ModelAPIActionHandler(
    mixins.CreateModelMixin,
    mixins.ListModelMixin,
    mixins.RetrieveModelMixin,
    mixins.UpdateModelMixin,
    mixins.DestroyModelMixin,
    GenericAsyncAPIActionHandler,
):
    """The actions `create`, `list`, `retrieve`, `update`, `partial_update` and `destroy`."""


class GenericAsyncAPIConsumer(AsyncAPIConsumer, GenericAsyncAPIActionHandler):
    """A consumer over a queryset and its serializer."""


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
