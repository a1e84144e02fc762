"""Converts what a call brings to the type of a parameter, and says what is wrong with it."""

from __future__ import annotations

import re
from collections.abc import Callable
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin

import msgspec

from aaah_core import ValidationError

__all__ = ["as_key", "as_sent", "converter", "unchanged"]

# " - at `$.items[0].price`", and " - at `key` in `$.items`" for the key of a dict.
_PLACE = re.compile(r"(.*) - at (?:`key` in )?`\$([^`]*)`", re.DOTALL)
_STEP = re.compile(r"\.([^.\[]+)|\[(\d+)\]")
_MISSING_FIELD = re.compile(r"Object missing required field `(.*)`")
_SIMPLE: frozenset[Any] = frozenset({str, int, float, bool, NoneType})
# What follows these words is what the client sent.
_ECHO = re.compile(
    r"(Invalid enum value|Invalid value|Object contains unknown field) .*", re.DOTALL
)


def converter(name: str, annotation: Any, *, strict: bool) -> Callable[[Any], Any]:
    """Return what converts a value to the type of the parameter `name`.

    Args:
        name: The parameter.
        annotation: A type that `type_schema` accepted.
        strict: False also reads numbers and the like from text.
    """
    # A struct, because msgspec compiles it once, and puts the name before the path of an error.
    holder: Any = msgspec.defstruct("Parameter", [("value", annotation)], rename={"value": name})
    ready = unchanged(annotation, strict)

    def convert(value: Any) -> Any:
        if type(value) in ready:
            return value
        try:
            return msgspec.convert({name: value}, holder, strict=strict, str_keys=True).value
        except msgspec.ValidationError as error:
            raise _refusal(name, error) from error
        except (TypeError, ValueError) as error:  # a list in a set, for one
            raise ValidationError(field=[name]) from error

    return convert


def unchanged(annotation: Any, strict: bool) -> frozenset[Any]:
    """Return the types whose values are what they are to be; in a union text may be a number."""
    union = strict and get_origin(annotation) in (Union, UnionType)
    members = get_args(annotation) if union else (annotation,)
    return frozenset(each for each in members if isinstance(each, type)) & _SIMPLE


def as_sent(value: Any) -> Any:
    """Return the value as it came."""
    return value


def as_key(value: Any) -> Any:
    """Return a captured primary key: an int if nothing of the text is lost by it."""
    if isinstance(value, str):
        try:
            number = int(value)
        except ValueError:
            return value
        if str(number) == value:
            return number
    return value


def _refusal(name: str, error: msgspec.ValidationError) -> ValidationError:
    place = _PLACE.fullmatch(str(error))
    detail, path = place.groups() if place else (str(error), f".{name}")
    # Past the value of a dict the path says "[...]", and nobody knows where.
    steps = _STEP.findall(path.partition("[...]")[0])
    field = [int(index) if index else key for key, index in steps]
    if missing := _MISSING_FIELD.fullmatch(detail):
        return ValidationError(detail, code="required", field=[*field, missing[1]])
    if isinstance(error.__cause__, TypeError):  # a bug in somebody's __post_init__
        return ValidationError(field=field)
    return ValidationError(_ECHO.sub(r"\1", detail), field=field)
