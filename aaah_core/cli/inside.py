"""A call in this process, through a consumer that records its steps."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from django.apps import apps
from django.core.management.base import CommandError

from aaah_core.cli.client import NO_REPLY, REPLY_LIMITS, REQUEST_ID, is_reply
from aaah_core.cli.trace import Trace, traced_registry
from aaah_core.close_codes import CloseCode
from aaah_core.consumers import AsyncAPIConsumer
from aaah_core.errors import AAAHError, ConfigurationError
from aaah_core.interfaces import Codec
from aaah_core.registry import use
from aaah_core.testing import Refused, connect

__all__ = ["traced_exchange"]


def traced_exchange(
    consumer_class: type[AsyncAPIConsumer],
    request: dict[str, Any],
    *,
    codec: Codec,
    headers: Sequence[tuple[str, str]],
    timeout: float,
    on_event: Callable[[Any], None],
    trace: Trace,
) -> dict[str, Any]:
    """Send one request to a consumer in this process, and return its reply.

    Where the project has sessions and users, a cookie says who calls, as it does over a socket.

    Args:
        consumer_class: Whom to ask.
        request: The request, without a `request_id`.
        codec: What to speak.
        headers: Headers of the handshake.
        timeout: Seconds until the reply must be there.
        on_event: Takes each payload that comes before the reply.

        trace: What records the steps, also of a call without a reply.

    Raises:
        CommandError: No reply came.
    """

    async def exchange() -> dict[str, Any]:
        with use(traced_registry(trace)):
            application = _with_users(consumer_class.as_asgi())
            trace.steps.clear()  # a start tries its codecs
            opening = connect(application, codec=codec, headers=dict(headers), timeout=timeout)
            async with opening as client:
                await client.send({**request, "request_id": REQUEST_ID})
                while True:
                    payload = codec.decode(await client.receive_frame(), REPLY_LIMITS)
                    if is_reply(payload):
                        return payload  # type: ignore[no-any-return]  # as `is_reply` says
                    on_event(payload)
                    if other_wire and not _is_of_ours(payload):
                        raise CommandError(other_wire, returncode=NO_REPLY)

    name, wire = consumer_class.__qualname__, consumer_class.wire
    other_wire = ""
    if wire != "aaah":
        other_wire = (
            f"{name} has the wire {wire!r}, and `call` speaks the wire aaah only: ask from a test, "
            f"with aaah_core.testing.connect."
        )
    try:
        return asyncio.run(exchange())
    except ConfigurationError as error:
        raise CommandError(str(error), returncode=NO_REPLY) from error
    except Refused as error:
        said = f"{name} closed the connection with {error.code} before it replied."
        said += _who_refused(trace, error.code)
        raise CommandError(said, returncode=NO_REPLY) from error
    except TimeoutError as error:
        said = f"{name} did not answer within {timeout:g} s: wait longer with --timeout."
        said = f"{said} {other_wire}" if other_wire else said
        raise CommandError(said, returncode=NO_REPLY) from error
    except AAAHError as error:
        said = f"{name} could not be asked, or understood: {error}"
        raise CommandError(said, returncode=NO_REPLY) from error


def _is_of_ours(payload: Any) -> bool:
    """Return whether a payload may come before a reply of the wire aaah, or of one much like it."""
    return isinstance(payload, dict) and ("event" in payload or "status" in payload)


def _who_refused(trace: Trace, code: int) -> str:
    asked = [step for step in trace.steps if step.name == "check connect"]
    if not asked or code != CloseCode.REFUSED:
        return ""
    last = asked[-1]  # one denial is enough, and nobody is asked after it
    return (
        f" The last check that was asked, {last.what} of the plugin {last.plugin!r}, said "
        f"{last.outcome}. Say who calls with --header 'NAME: VALUE' or --cookie NAME=VALUE."
    )


def _with_users(application: Any) -> Any:
    if not (
        apps.is_installed("django.contrib.sessions") and apps.is_installed("django.contrib.auth")
    ):
        return application
    from channels.auth import AuthMiddlewareStack  # it imports models

    return AuthMiddlewareStack(application)
