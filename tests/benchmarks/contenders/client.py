"""No contender: the process that the clients of the others run in."""

from __future__ import annotations

__all__ = ["setup"]


def setup() -> None:
    """Nobody is logged in."""
