"""DRF's exceptions as replies."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rest_framework.exceptions import APIException
from rest_framework.settings import api_settings

from aaah_core import Call, Reply

__all__ = ["reply_to"]


def reply_to(call: Call, error: APIException) -> Reply:
    """Return the reply to an exception of DRF's: its status, and an error object a message."""
    default = {"code": error.default_code, "detail": str(error.default_detail)}
    errors = list(_problems(error.detail, error.default_code, ())) or [default]
    wait = getattr(error, "wait", None)
    if wait is not None:
        for each in errors:
            each["retry_after"] = wait
    return Reply(status=error.status_code, errors=errors)


def _problems(
    detail: Any, default_code: str, path: tuple[str | int, ...]
) -> Iterator[dict[str, Any]]:
    if isinstance(detail, dict):
        for key, inner in detail.items():
            whole = key == api_settings.NON_FIELD_ERRORS_KEY
            yield from _problems(inner, default_code, path if whole else (*path, _step(key)))
    elif isinstance(detail, list):
        for index, inner in enumerate(detail):
            # A list holds either the messages about one value, or what is wrong with each of many.
            nested = isinstance(inner, (dict, list))
            yield from _problems(inner, default_code, (*path, index) if nested else path)
    else:
        field = {"field": list(path)} if path else {}
        yield {
            "code": getattr(detail, "code", None) or default_code,
            "detail": str(detail),
            **field,
        }


def _step(key: Any) -> str | int:
    return key if isinstance(key, int) else str(key)
