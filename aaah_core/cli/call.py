"""``aaah call``: one request over a real WebSocket."""

from __future__ import annotations

import json
from argparse import ArgumentParser, ArgumentTypeError
from typing import Any

import msgspec
from django.core.management.base import BaseCommand, CommandError

from aaah_core.answers import ask
from aaah_core.cli.client import NO_REPLY, exchange
from aaah_core.cli.project import NO_SETTINGS, load_consumer, set_up
from aaah_core.cli.table import table
from aaah_core.conf import nearest
from aaah_core.errors import ConfigurationError
from aaah_core.interfaces import Codec
from aaah_core.messages import MISSING
from aaah_core.plain import to_plain
from aaah_core.registry import current

__all__ = ["DESCRIPTION", "HELP", "add_arguments", "run"]

HELP = "call one action of a running server"
DESCRIPTION = f"""\
Send one request in the wire aaah and print its reply as JSON; events that come before it go to
stderr. With --trace, module:Class stands in the place of the URL: the call runs in this process, on
the project's database, and each step that it passes goes to stderr: when it began, how long it
took, what it was, whose, and what came of it.

exit status:
  0  the reply's status is below 400
  1  it is 4xx
  2  it is 5xx (or the command line is not right)
  {NO_REPLY}  no reply: no server, refused, closed or too late"""


def add_arguments(parser: ArgumentParser) -> None:
    """Add what ``aaah call`` takes."""
    parser.add_argument(
        "url", metavar="URL", help="such as ws://127.0.0.1:8000/ws/; with --trace, module:Class"
    )
    parser.add_argument("action", metavar="ACTION", help="the action's name")
    parser.add_argument(
        "--route", help="the route, such as books/5/; the consumer's own if left out"
    )
    parser.add_argument("--data", metavar="JSON", type=_json, default=MISSING, help="the body")
    parser.add_argument(
        "--param",
        metavar="KEY=VALUE",
        type=_parameter,
        action="append",
        help="a parameter; the value is JSON where it can be, else text",
    )
    parser.add_argument("--codec", default="json", help="json if left out")
    parser.add_argument("--cookie", metavar="NAME=VALUE", type=_cookie, action="append")
    parser.add_argument("--header", metavar="'NAME: VALUE'", type=_header, action="append")
    parser.add_argument(
        "--timeout", metavar="SECONDS", type=_seconds, default=60.0, help="60 if left out"
    )
    parser.add_argument(
        "--trace", action="store_true", help="call in this process, and show each step with times"
    )


# What these raise never holds what was typed: it may be a secret.


def _json(text: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, ValueError) as error:
        raise ArgumentTypeError(f"it is not JSON: {error}") from error


def _parameter(text: str) -> tuple[str, Any]:
    name, value = _pair(text, "=", "KEY=VALUE")
    try:
        return name, _json(value)
    except ArgumentTypeError:
        return name, value


def _cookie(text: str) -> str:
    return "=".join(_pair(text, "=", "NAME=VALUE"))


def _header(text: str) -> tuple[str, str]:
    name, value = _pair(text, ":", "'Name: value'")
    return name, value.strip()


def _pair(text: str, separator: str, shape: str) -> tuple[str, str]:
    name, found, value = text.partition(separator)
    if not (found and name.strip()):
        raise ArgumentTypeError(f"write it as {shape}")
    return name.strip(), value


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise ArgumentTypeError("it is a number of seconds above 0")
    return seconds


def run(command: BaseCommand, options: dict[str, Any]) -> None:
    """Send the request, print the reply and exit with a status that tells the reply's.

    Raises:
        CommandError: There is no reply.
        SystemExit: The reply's status is 400 or more.
    """
    if (problem := set_up()) not in ("", NO_SETTINGS):
        command.stderr.write(problem)
    headers = list(options["header"] or ())
    if options["cookie"]:
        headers.append(("Cookie", "; ".join(options["cookie"])))

    def on_event(event: Any) -> None:
        command.stderr.write(_pretty(event, None), str)  # it is no error: no red

    how: dict[str, Any] = {
        "codec": _codec(options["codec"]),
        "headers": headers,
        "timeout": options["timeout"],
        "on_event": on_event,
    }
    if options["trace"]:
        # Here: a call over a socket needs none of what this imports.
        from aaah_core.cli.inside import traced_exchange
        from aaah_core.cli.trace import Trace

        consumer_class, trace = load_consumer(options["url"]), Trace()
        try:
            reply = traced_exchange(consumer_class, _request(options), trace=trace, **how)
        finally:
            if trace.steps:
                heading = ("began", "took", "step", "plugin", "")
                command.stderr.write("\n".join(table([heading, *trace.rows()])), str)
    else:
        reply = exchange(options["url"], _request(options), **how)
    command.stdout.write(_pretty(reply, 2))
    if (status := reply["status"]) >= 400:
        raise SystemExit(1 if status < 500 else 2)


def _request(options: dict[str, Any]) -> dict[str, Any]:
    request = dict(options["param"] or ())
    request["action"] = options["action"]
    if options["route"] is not None:
        request["route"] = options["route"]
    if options["data"] is not MISSING:
        request["data"] = options["data"]
    return request


def _codec(name: str) -> Codec:
    registry = current()
    try:
        answers = [codecs for _, codecs in ask(registry, "aaah_codecs")]
    except ConfigurationError as error:
        raise CommandError(str(error), returncode=NO_REPLY) from error
    offered: dict[str, Codec] = {codec.name: codec for codecs in answers for codec in codecs}
    if name in offered:
        return offered[name]
    reason = (
        f"No loaded plugin offers the codec {name!r}{nearest(name, offered)} Offered: "
        f"{', '.join(offered)}. If its plugin is not installed: pip install aaah-{name}"
    )
    raise CommandError("\n".join([reason, *registry.problems()]), returncode=NO_REPLY)


def _pretty(payload: Any, indent: int | None) -> str:
    return json.dumps(to_plain(payload), indent=indent, ensure_ascii=False)
