"""JSON Schema of what actions take and return, for documents and consoles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, get_args, get_origin

import msgspec

from aaah_core import Reply

__all__ = ["has_duration", "params_schema", "returns_schema", "type_schema"]


def params_schema(types: Mapping[str, Any], required: Sequence[str]) -> dict[str, Any]:
    """Return the schema of an object with a property for each parameter.

    Args:
        types: Types that `type_schema` accepted, by parameter.
        required: The parameters without a default.
    """
    schemas, components = msgspec.json.schema_components(
        types.values(), schema_hook=_object, ref_template="#/$defs/{name}"
    )
    properties = dict(zip(types, schemas, strict=True))
    schema: dict[str, Any] = {"type": "object", "properties": properties, "required": [*required]}
    if components:
        schema["$defs"] = components
    seconds: dict[str, Any] = _in_seconds(schema)
    return seconds


def returns_schema(annotation: Any) -> dict[str, Any]:
    """Return the schema of the data in a reply; empty for a `Reply`, which does not tell.

    Raises:
        TypeError: msgspec does not know the type.
    """
    arguments = get_args(annotation)
    if get_origin(annotation) is tuple and len(arguments) == 2 and arguments[1] is int:
        annotation = arguments[0]  # of a pair of data and status
    return {} if annotation is Reply else _in_seconds(type_schema(annotation))


def type_schema(annotation: Any) -> dict[str, Any]:
    """Return what msgspec says of one type.

    Raises:
        TypeError: msgspec cannot convert to it.
    """
    return msgspec.json.schema(annotation, schema_hook=_object)


def has_duration(schema: Any) -> bool:
    """Say whether a `timedelta` is anywhere in the schema of a type."""
    if isinstance(schema, dict):
        return schema.get("format") == "duration" or any(map(has_duration, schema.values()))
    return isinstance(schema, list) and any(map(has_duration, schema))


def _in_seconds(schema: Any) -> Any:
    """Return the schema with durations as they travel."""
    if isinstance(schema, list):
        return [_in_seconds(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("format") == "duration":
        kept = {key: value for key, value in schema.items() if key != "format"}
        return {"description": "seconds", **kept, "type": "number"}
    return {key: _in_seconds(value) for key, value in schema.items()}


def _object(annotation: type) -> dict[str, Any]:
    """Let `object` pass where `Any` would, as in ``dict[str, object]``."""
    if annotation is object:
        return {"description": "anything"}  # msgspec takes an empty answer for none
    raise NotImplementedError
