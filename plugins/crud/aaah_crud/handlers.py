"""Generic handlers: the actions of the mixins, in the combinations that are asked for most."""

from __future__ import annotations

from aaah_crud.mixins import (
    CreateModelMixin,
    DestroyModelMixin,
    ListModelMixin,
    RetrieveModelMixin,
    UpdateModelMixin,
)

__all__ = [
    "CreateAPIActionHandler",
    "DestroyAPIActionHandler",
    "ListAPIActionHandler",
    "ListCreateAPIActionHandler",
    "ModelAPIActionHandler",
    "RetrieveAPIActionHandler",
    "RetrieveDestroyAPIActionHandler",
    "RetrieveUpdateAPIActionHandler",
    "RetrieveUpdateDestroyAPIActionHandler",
    "UpdateAPIActionHandler",
]


class CreateAPIActionHandler(CreateModelMixin):
    """The action `create`."""


class ListAPIActionHandler(ListModelMixin):
    """The action `list`."""


class RetrieveAPIActionHandler(RetrieveModelMixin):
    """The action `retrieve`."""


class UpdateAPIActionHandler(UpdateModelMixin):
    """The actions `update` and `partial_update`."""


class DestroyAPIActionHandler(DestroyModelMixin):
    """The action `remove`."""


class ListCreateAPIActionHandler(ListModelMixin, CreateModelMixin):
    """The actions `list` and `create`."""


class RetrieveUpdateAPIActionHandler(RetrieveModelMixin, UpdateModelMixin):
    """The actions `retrieve`, `update` and `partial_update`."""


class RetrieveDestroyAPIActionHandler(RetrieveModelMixin, DestroyModelMixin):
    """The actions `retrieve` and `remove`."""


class RetrieveUpdateDestroyAPIActionHandler(
    RetrieveModelMixin, UpdateModelMixin, DestroyModelMixin
):
    """The actions `retrieve`, `update`, `partial_update` and `remove`."""


class ModelAPIActionHandler(
    CreateModelMixin, ListModelMixin, RetrieveModelMixin, UpdateModelMixin, DestroyModelMixin
):
    """All six actions."""
