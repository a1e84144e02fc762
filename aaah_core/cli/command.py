"""The Django command behind ``aaah`` and ``manage.py aaah``: it hands on to one module each."""

from __future__ import annotations

from argparse import SUPPRESS, RawDescriptionHelpFormatter
from typing import Any

import importlib_metadata
from django.core.management.base import BaseCommand, CommandParser

from aaah_core.cli import call, new_plugin, plugins, routes

__all__ = ["Command"]

_SUBCOMMANDS = {
    "plugins": plugins,
    "routes": routes,
    "call": call,
    "new-plugin": new_plugin,
}


class Command(BaseCommand):
    """``aaah plugins``, ``aaah routes``, ``aaah call``, ``aaah new-plugin``."""

    help = "AAAH: what is installed, what a consumer offers, one call, and a new plugin."
    # A broken plugin must not keep anyone from listing it.
    requires_system_checks = ()

    def get_version(self) -> str:
        """Return the version of AAAH, not Django's."""
        return importlib_metadata.version("aaah-core")

    def add_arguments(self, parser: CommandParser) -> None:
        """Add a parser for each subcommand."""
        # Django joins the program's name and the command's, one of which may be empty.
        parser.prog = parser.prog.strip()
        subparsers = parser.add_subparsers(dest="subcommand", metavar="COMMAND", required=True)
        for name, module in _SUBCOMMANDS.items():
            subparser = subparsers.add_parser(
                name,
                help=module.HELP,
                description=module.DESCRIPTION,
                formatter_class=RawDescriptionHelpFormatter,
            )
            module.add_arguments(subparser)
            # Both also stand before the subcommand: without a default, what was said there stays.
            subparser.add_argument("--settings", default=SUPPRESS, help="the settings module")
            subparser.add_argument("--pythonpath", default=SUPPRESS, help="where to import from")

    def handle(self, *args: Any, subcommand: str, **options: Any) -> None:
        """Run one subcommand."""
        _SUBCOMMANDS[subcommand].run(self, options)
