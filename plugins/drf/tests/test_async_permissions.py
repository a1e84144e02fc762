"""What async methods of DRF's permission classes say: True alone is a yes, as of any check."""

from __future__ import annotations

from typing import Any

import pytest
from rest_framework import permissions as drf

from aaah_async_action.decorators import async_action
from aaah_core import AsyncAPIConsumer
from aaah_core.testing import connect


@pytest.mark.parametrize(("answer", "status"), [(True, 200), (False, 403), (None, 403), (1, 403)])
async def test_what_is_no_bool_denies_and_is_told(answer: Any, status: int, caplog: Any) -> None:
    class IsReader(drf.BasePermission):
        async def has_permission(self, request: Any, view: Any) -> Any:  # type: ignore[override]  # on purpose
            return answer

    class Library(AsyncAPIConsumer):
        permission_classes = (IsReader,)

        @async_action
        async def read(self) -> str:
            return "open"

    async with connect(Library.as_asgi()) as client:
        assert (await client.call("read"))["status"] == status
    assert ("for IsReader gave" in caplog.text) is not isinstance(answer, bool)
    assert ("must give True or False" in caplog.text) is not isinstance(answer, bool)
