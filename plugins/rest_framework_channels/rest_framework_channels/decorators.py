"""Decorators."""

from __future__ import annotations

from aaah_async_action.decorators import async_action

__all__ = ["async_action"]
