"""The consumer that every consumer of this package comes from."""

from __future__ import annotations

from typing import Any

import aaah_core
from rest_framework_channels.answers import Leaving
from rest_framework_channels.base_handlers import AsyncAPIActionHandler
from rest_framework_channels.opening import Opening
from rest_framework_channels.overrides import overridden
from rest_framework_channels.plugin import WIRE
from rest_framework_channels.wire import encodable

__all__ = ["AsyncAPIConsumer", "AsyncAPIConsumerBase"]


class AsyncAPIConsumerBase(aaah_core.AsyncAPIConsumer, AsyncAPIActionHandler):
    """A handler that owns the socket; an instance of it is an application, as is `as_asgi()`.

    Attributes:
        group_send_lookup_kwargs: The value of the URL that names a group which every connection
            joins, and which its broadcasts go to.
    """

    wire = WIRE
    needs_app = False

    # A handler sends through its consumer, and the consumer itself.
    send = aaah_core.AsyncAPIConsumer.send  # type: ignore[assignment]  # Channels' own says no less
    close = aaah_core.AsyncAPIConsumer.close
    base_send = aaah_core.AsyncAPIConsumer.base_send

    async def __call__(self, scope: Any, receive: Any, send: Any) -> Any:
        """Run one connection.

        Raises:
            AssertionError: The URL does not capture what `group_send_lookup_kwargs` names.
            Exception: What an action raised and no exception handler answers.
        """
        captured = scope.get("url_route", {})
        self.args = tuple(captured.get("args", ()))
        self.kwargs = dict(captured.get("kwargs", {}))
        self._name_its_group()
        opening, left = Opening(receive, send), None
        self.base_receive = opening.receive
        try:
            await super().__call__(scope, opening.receive, opening.send)
        except Leaving as leaving:
            left = leaving.error
        if left is not None:
            raise left

    def _name_its_group(self) -> None:
        lookup, name = type(self).group_send_lookup_kwargs, type(self).__name__
        if lookup is None:
            return
        if lookup not in self.kwargs:
            raise AssertionError(
                f"Expected {name} to be called with a URL keyword argument "
                f'named "{lookup}". Fix your routepettern, or set the '
                f"`.group_send_lookup_kwargs` attribute on the {name} correctly."
            )
        if self.group_id is None:
            raise AssertionError("The group_send_lookup_kwargs of kwargs is None")
        # A list of its own: the class's is shared by all connections.
        self.groups = [*self.groups, str(self.group_id)]

    async def accept(self, subprotocol: str | None = None, headers: Any = None) -> None:
        """Accept the connection, which joins its groups."""
        # Here a group is what its author called it; the core would join one of another name too.
        vars(self)["group_send_lookup_kwargs"] = None
        try:
            await super().accept(subprotocol, headers)
        finally:
            del vars(self)["group_send_lookup_kwargs"]

    @property
    def group_id(self) -> Any:
        """The group that broadcasts go to, or None."""
        lookup: Any = type(self).group_send_lookup_kwargs
        return self.kwargs.get(lookup)

    async def send_json(self, content: Any, close: Any = False) -> None:
        """Send a payload of any shape, in the connection's codec; as JSON where a child overrides
        `encode_json`.
        """
        if overridden(type(self), "encode_json"):
            text = await self.encode_json(content)
            await aaah_core.AsyncAPIConsumer.send(self, text_data=text, close=close)
        else:
            await super().send_json(encodable(content, type(self)), close)

    async def general_broadcast(self, event: dict[str, Any]) -> None:
        """Send the client what a broadcast without a type of its own carries."""
        await self.send_json({key: value for key, value in event.items() if key != "type"})


class AsyncAPIConsumer(AsyncAPIConsumerBase):
    """A consumer whose clients call actions."""
