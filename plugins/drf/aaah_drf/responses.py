"""Responses, of DRF's or Django's, as replies."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import ItemsView, Iterator, KeysView, Mapping, ValuesView
from typing import Any

from django.db.models.query import QuerySet, RawQuerySet
from django.http.response import HttpResponseBase
from rest_framework.response import Response

from aaah_core import Reply

__all__ = ["reply_of"]

_VIEWS = (KeysView, ValuesView, ItemsView)
_MANY = (list, tuple, set, frozenset, deque, QuerySet, RawQuerySet, Iterator, *_VIEWS)


def reply_of(response: Any, raised: Exception | None = None) -> Reply:
    """Return the reply that a response stands for.

    Args:
        response: A response of DRF's or Django's.
        raised: What it is the answer to, where it is not what an action returned. The body is then
            the `detail` of the one error, unless the status says that there is none; where the body
            holds nothing but a `detail`, that is it.

    Raises:
        TypeError: It is no response, or a stream.
    """
    if not isinstance(response, HttpResponseBase):
        raise TypeError(f"a view returned {type(response).__name__} and no response")
    if not isinstance(response, Response):
        return _plain_reply(response)
    data, status = _evaluated(response.data), response.status_code
    if raised is None or status < 400:
        return Reply(data, status)
    detail = response.status_text if data is None else data
    if isinstance(detail, dict) and detail.keys() == {"detail"}:
        detail = detail["detail"]
    problem = {"code": _code(raised), "detail": detail}
    if (wait := getattr(raised, "wait", None)) is not None:
        problem["retry_after"] = wait
    return Reply(status=status, errors=[problem], exception=raised)


def _code(raised: Exception) -> str:
    code = getattr(getattr(raised, "detail", None), "code", None)
    return str(code or getattr(raised, "default_code", "error"))


def _evaluated(data: Any) -> Any:
    """Read what would ask the database while it is encoded, which no event loop may, and make lists
    of what DRF's encoder makes lists of.
    """
    if isinstance(data, Mapping):
        return {key: _evaluated(value) for key, value in data.items()}
    if isinstance(data, _MANY):
        return [_evaluated(value) for value in data]
    return data


def _plain_reply(response: Any) -> Reply:
    """Return the reply for a response of Django's own, as decorators and `JsonResponse` give."""
    status: int = response.status_code
    if getattr(response, "streaming", False):
        raise TypeError("a view returned a stream, which no reply carries")
    text = response.content.decode(response.charset)
    if status >= 400:
        return Reply(status=status, errors=[{"code": "error", "detail": response.reason_phrase}])
    if "Location" in response:
        return Reply({"location": response["Location"]}, status)
    if response.get("Content-Type", "").partition(";")[0] == "application/json":
        return Reply(json.loads(text), status)
    return Reply(text or None, status)
