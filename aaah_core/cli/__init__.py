"""The command `aaah`: what is installed, what a consumer offers, and one call from a shell."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run ``aaah``.

    Args:
        arguments: What follows the command's name; what the shell gave if left out.
    """
    from aaah_core.cli.command import Command

    # A project is found where one stands, as with manage.py.
    sys.path.insert(0, str(Path.cwd()))
    try:
        Command().run_from_argv(["aaah", "", *(sys.argv[1:] if arguments is None else arguments)])
    except KeyboardInterrupt:
        sys.exit(130)
