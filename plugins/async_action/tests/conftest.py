"""What the tests share: an action run as the dispatcher runs it, without a socket."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import settings

from aaah_async_action.plugin import aaah_actions
from aaah_core import MISSING, Call, run_sync

# A busy machine is no counter-example.
settings.register_profile("aaah", deadline=None)
settings.load_profile("aaah")


@pytest.fixture(scope="session")
def run() -> Any:
    async def run(
        handler_class: type[Any],
        name: str,
        /,
        *,
        route: dict[str, Any] | None = None,
        captured: tuple[Any, ...] = (),
        data: Any = MISSING,
        call: Call | None = None,
        **params: Any,
    ) -> Any:
        call = call or Call(name, data=data, params=params, scope={}, consumer=SimpleNamespace())
        handler = handler_class()
        handler.call, handler.args, handler.kwargs = call, captured, route or {}
        action = aaah_actions(handler_class)[name]
        if action.sync:
            return await run_sync(action.run, handler, call)
        return await action.run(handler, call)

    return run
