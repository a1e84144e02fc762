"""A handler of rest_framework_channels', as it stands on that package's page about actions."""

from __future__ import annotations

from rest_framework_channels.decorators import async_action
from rest_framework_channels.handlers import AsyncAPIActionHandler

__all__ = ["ChildActionHandler"]


class ChildActionHandler(AsyncAPIActionHandler):
    """One action of its own."""

    @async_action()
    def your_custom_action(self, pk, *args, **kwargs):  # type: ignore[no-untyped-def]  # as there
        """Answer the `pk` of the route."""
        # Note: you should return the data and status code.
        return {"message": "your_custom_action will be handled", "model_id": pk}, 200
