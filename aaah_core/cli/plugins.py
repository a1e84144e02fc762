"""``aaah plugins``: every plugin, whatever became of it, and which one answers for a consumer."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from aaah_core.cli.explain import explain
from aaah_core.cli.project import set_up
from aaah_core.cli.table import table
from aaah_core.registry import Registry, current

__all__ = ["DESCRIPTION", "HELP", "add_arguments", "run"]

HELP = "list the plugins, the disabled and the broken too"
DESCRIPTION = """\
List the plugins in the order they are asked, the disabled and the broken too. It always runs:
without settings, with broken settings and with broken plugins."""

_KEYS = ("name", "distribution", "version", "hooks", "state", "error")


def add_arguments(parser: ArgumentParser) -> None:
    """Add what ``aaah plugins`` takes."""
    parser.add_argument("--json", action="store_true", help="as a list of JSON objects")
    parser.add_argument(
        "--explain",
        metavar="CONSUMER",
        help="hook by hook, which plugin answers for module:Class and the handlers it reaches",
    )
    parser.add_argument(
        "--route", metavar="R", help="with --explain: what a message with this route passes"
    )
    parser.add_argument(
        "--action", metavar="A", help="with --explain: what a call of this action passes"
    )


def run(command: BaseCommand, options: dict[str, Any]) -> None:
    """List the plugins, or explain a consumer.

    Raises:
        CommandError: The consumer to explain is not there, or cannot be compiled; or none is named.
    """
    if options["explain"]:
        explain(command, options)
        return
    if options["route"] is not None or options["action"] is not None:
        raise CommandError("--route and --action go with --explain CONSUMER.")
    if problem := set_up():
        command.stderr.write(f"{problem} The plugins are listed all the same.", str)  # no red
    registry = current()
    for error in registry.errors:
        command.stderr.write(error)
    if options["json"]:
        records = [{key: getattr(p, key) for key in _KEYS} for p in registry.plugins.values()]
        command.stdout.write(json.dumps(records, indent=2))
    else:
        _write_table(command, registry)


def _write_table(command: BaseCommand, registry: Registry) -> None:
    styles = {"broken": command.style.ERROR, "disabled": command.style.WARNING}
    plugins = list(registry.plugins.values())
    rows = [(p.name, p.distribution, p.version, p.state, ", ".join(p.hooks)) for p in plugins]
    heading, *lines = table([("name", "distribution", "version", "state", "hooks"), *rows])
    command.stdout.write(heading, command.style.MIGRATE_HEADING)
    for plugin, line in zip(plugins, lines, strict=True):
        # An error is long: it has the next line to itself.
        error = f"\n    error: {' '.join(plugin.error.split())}" if plugin.error else ""
        command.stdout.write(line + error, styles.get(plugin.state))
