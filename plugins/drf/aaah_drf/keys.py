"""Keys of objects that came in a message, and not in the route."""

from __future__ import annotations

from typing import Any

from django.http import Http404

__all__ = ["matchable", "require_key"]

#: Characters of a key that a regular expression is asked about: those of a route, where its limit
#: is the default. One that needs a millisecond for so many may need minutes for a whole frame.
LONGEST = 256


def require_key(value: Any) -> None:
    """Refuse what is no key, though a field would make one of it: int(True) is 1, as is int(1.9).

    Raises:
        Http404: It is neither text nor an integer.
    """
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        raise Http404


def matchable(value: int | str) -> str:
    """Return a key as text that a route could have brought.

    Raises:
        Http404: It is longer than any.
    """
    text = str(value)
    if len(text) > LONGEST:
        raise Http404
    return text
