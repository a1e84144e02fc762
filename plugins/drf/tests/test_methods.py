"""The method of a request, while parents and children are asked about one call."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.urls import path
from rest_framework import permissions, viewsets
from rest_framework.decorators import action
from rest_framework.response import Response

from aaah_async_action.decorators import async_action
from aaah_core import AsyncAPIConsumer, run_sync
from aaah_core.testing import connect
from aaah_drf.handlers import GenericAsyncAPIActionHandler
from aaah_drf.viewsets import serve

pytestmark = pytest.mark.django_db


class ReadOnly(permissions.BasePermission):
    def has_object_permission(self, request: Any, view: Any, obj: Any) -> bool:
        return request.method in permissions.SAFE_METHODS


class Above(permissions.BasePermission):
    """Is asked by the consumer, to which every action that it does not know is a POST."""


class ViewSet(viewsets.GenericViewSet[Group]):
    queryset = Group.objects.all()
    permission_classes = [ReadOnly]

    @action(detail=True)
    def report(self, request: Any, pk: str) -> Response:
        self.get_object()
        return Response(request.method)


class Handler(GenericAsyncAPIActionHandler):
    queryset = Group.objects.all()
    permission_classes = ()
    http_methods = {"report": "GET"}

    @async_action
    def report(self) -> str:
        request = self.request
        self.get_object()
        return str(request.method)


async def test_a_method_that_a_parent_was_asked_with_does_not_stay() -> None:
    await run_sync(Group.objects.create, pk=1, name="anna")

    class Consumer(AsyncAPIConsumer):
        permission_classes = (Above,)
        routepatterns = (
            path("viewset/", serve(ViewSet)),
            path("handler/<int:pk>/", Handler.as_aaah()),
        )

    async with connect(Consumer.as_asgi()) as client:
        for route in ("viewset/1/report/", "viewset/1/", "handler/1/"):
            answer = await client.call("report", route=route)
            assert (answer["status"], answer["data"]) == (200, "GET"), route
