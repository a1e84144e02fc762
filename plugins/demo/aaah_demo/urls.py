"""No pages: everything is behind the WebSocket."""

from __future__ import annotations

from typing import Any

urlpatterns: list[Any] = []
