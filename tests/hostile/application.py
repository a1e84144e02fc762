"""What the hostile frames are sent to: `Hostile`, with actions for everything that they try."""

from __future__ import annotations

import enum
import os
import re
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

import django
import msgspec
from django.apps import apps
from django.urls import path

if not apps.ready:  # in a server's own process
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "aaah_core.testing.settings")
    django.setup()

from django.contrib.auth.models import Group
from rest_framework import serializers

from aaah_async_action.decorators import async_action
from aaah_core import AsyncAPIActionHandler, AsyncAPIConsumer, BasePermission
from aaah_crud.handlers import ModelAPIActionHandler
from tests.hostile.process import state

#: What no reply may hold.
SECRET = "a secret that no reply may hold"


class Colour(enum.Enum):
    RED = "red"


@dataclass
class Item:
    price: int
    tags: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.price < 0:
            raise ValueError("a price is not negative")


class Child(AsyncAPIActionHandler):
    @async_action
    async def hello(self, pk):
        return pk

    @async_action
    async def only_below(self):
        return None


class Nobody(BasePermission):
    def has_permission(self, scope, handler, action, **kwargs):
        return False


class Closed(AsyncAPIActionHandler):
    permission_classes = (Nobody,)

    @async_action
    async def hello(self):
        return SECRET


class Inner(serializers.Serializer):
    depth = serializers.IntegerField()


class Fields(serializers.Serializer):
    name = serializers.CharField(max_length=10)
    number = serializers.IntegerField(min_value=0, max_value=10)
    state = serializers.ChoiceField(["new", "old"])
    day = serializers.DateField(required=False)
    price = serializers.DecimalField(max_digits=5, decimal_places=2, required=False)
    active = serializers.BooleanField(required=False)
    mark = serializers.UUIDField(required=False)
    mail = serializers.EmailField(required=False)
    link = serializers.URLField(required=False)
    ip = serializers.IPAddressField(required=False)
    pause = serializers.DurationField(required=False)
    tags = serializers.ListField(child=serializers.CharField(), max_length=3, required=False)
    inner = Inner(required=False)


class GroupSerializer(serializers.ModelSerializer):
    class Meta:
        model = Group
        fields = ("id", "name")


class Things(ModelAPIActionHandler):
    queryset = Group.objects.all()
    serializer_class = GroupSerializer
    permission_classes = ()


class Typed:
    """An action for each type of a parameter."""

    @async_action
    async def take_int(self, value: int): ...

    @async_action
    async def take_float(self, value: float): ...

    @async_action
    async def take_bool(self, value: bool): ...

    @async_action
    async def take_str(self, value: str): ...

    @async_action
    async def take_date(self, value: date): ...

    @async_action
    async def take_datetime(self, value: datetime): ...

    @async_action
    async def take_uuid(self, value: UUID): ...

    @async_action
    async def take_decimal(self, value: Decimal): ...

    @async_action
    async def take_enum(self, value: Colour): ...

    @async_action
    async def take_literal(self, value: Literal["a", "b"]): ...

    @async_action
    async def take_list(self, value: list[int]): ...

    @async_action
    async def take_dict(self, value: dict[str, int]): ...

    @async_action
    async def take_item(self, value: Item): ...

    @async_action
    async def take_bounded(self, value: Annotated[int, msgspec.Meta(ge=1, le=10)]): ...

    @async_action
    async def take_pattern(self, value: Annotated[str, msgspec.Meta(pattern="^[a-z]{1,8}$")]): ...

    @async_action
    async def take_union(self, value: int | str | None): ...


class Hostile(Typed, AsyncAPIConsumer):
    codecs: Any = ("json", "msgpack")
    secret = SECRET
    routepatterns = [
        path("child/<int:pk>/", Child.as_aaah()),
        path("closed/", Closed.as_aaah()),
        path("things/<int:pk>/", Things.as_aaah()),
    ]

    def helper(self):
        return SECRET

    async def another(self):
        return SECRET

    async def chat_message(self, event):
        await self.send_json({"secret": SECRET})

    @async_action
    async def hello(self):
        return "hello"

    @async_action
    def plain(self):
        return "plain"

    @async_action
    async def take(self, value):
        return value

    @async_action
    def save(self, data=None):
        serializer = Fields(data=data)
        serializer.is_valid(raise_exception=True)
        return re.sub("x", "y", serializer.validated_data["name"])

    @async_action
    async def some(self):
        return {1}

    @async_action
    async def none(self):
        pass

    @async_action
    async def state(self):
        return state()
