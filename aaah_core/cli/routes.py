"""``aaah routes``: what a consumer offers."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from collections.abc import Iterator, Mapping
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from aaah_core.cli.project import load_consumer
from aaah_core.cli.table import table
from aaah_core.description import describe
from aaah_core.errors import ConfigurationError

__all__ = ["DESCRIPTION", "HELP", "add_arguments", "run"]

HELP = "list the routes of a consumer, with their actions"
DESCRIPTION = "List the routes of a consumer, with actions, parameters and permissions."


def add_arguments(parser: ArgumentParser) -> None:
    """Add what ``aaah routes`` takes."""
    parser.add_argument("consumer", metavar="CONSUMER", help="module:Class, or module.Class")
    parser.add_argument("--json", action="store_true", help="as JSON, with the whole schemas")


def run(command: BaseCommand, options: dict[str, Any]) -> None:
    """Describe a consumer.

    Raises:
        CommandError: The consumer is not there, or cannot be compiled.
    """
    consumer_class = load_consumer(options["consumer"])
    try:
        description = describe(consumer_class)
    except ConfigurationError as error:
        raise CommandError(str(error)) from error
    if options["json"]:
        command.stdout.write(json.dumps(description, indent=2))
        return
    pairs = zip(description["codecs"], description["subprotocols"], strict=True)
    codecs = ", ".join(f"{name} (subprotocol {subprotocol})" for name, subprotocol in pairs)
    command.stdout.write(description["consumer"], command.style.MIGRATE_HEADING)
    command.stdout.write(f"    codecs: {codecs}\n    wire: {description['wire']}")
    for route in description["routes"]:
        heading = f"\n{route['route'] or '(no route)'}  {route['handler']}"
        command.stdout.write(heading, command.style.MIGRATE_HEADING)
        command.stdout.write("\n".join(_lines(route)))


def _lines(route: Mapping[str, Any]) -> Iterator[str]:
    yield f"    permissions: {', '.join(route['permissions']) or 'none'}"
    rows = [(_signature(action), _summary(action)) for action in route["actions"]]
    yield from table(rows, indent="    ") or ["    no actions"]


def _signature(action: Mapping[str, Any]) -> str:
    required = action["params"].get("required", ())
    parameters = [
        f"{name}{'' if name in required else '?'}: {_type(schema)}"
        for name, schema in action["params"].get("properties", {}).items()
    ]
    result = f" -> {_type(action['returns'])}" if action["returns"] else ""
    return f"{action['name']}({', '.join(parameters)}){result}"


def _summary(action: Mapping[str, Any]) -> str:
    mode = "" if action["mode"] == "response" else f"[{action['mode']}] "
    return mode + str(action["doc"]).strip().partition("\n")[0]


def _type(schema: Mapping[str, Any]) -> str:
    """Return a JSON Schema in a word or two."""
    if "anyOf" in schema:
        return " or ".join(map(_type, schema["anyOf"]))
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "enum" in schema:
        return " or ".join(map(json.dumps, schema["enum"]))
    name = schema.get("format") or schema.get("type", "anything")
    return f"array of {_type(schema['items'])}" if schema.get("items") else str(name)
