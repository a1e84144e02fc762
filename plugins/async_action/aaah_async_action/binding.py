"""Binds what a call brings to the parameters of an action, by name."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, get_type_hints

from aaah_async_action.conversion import as_key, as_sent, converter, unchanged
from aaah_async_action.schema import has_duration, params_schema, returns_schema, type_schema
from aaah_core import MISSING, Call, ConfigurationError, ValidationError

__all__ = ["Binding", "Parameter", "compile_binding"]

_EMPTY = inspect.Parameter.empty
_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
_SPREAD = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
_FROM_THE_CALL = {
    "action": attrgetter("action"),
    "data": attrgetter("data"),
    "request_id": attrgetter("request_id"),
}
# No client has a say in these, only a route that captures one by its name.
_RESERVED = frozenset({"self", "partial", "scope", "handler", "consumer"})
_NOT_IN_SCHEMA = _RESERVED | {"action", "request_id"}


@dataclass(slots=True, frozen=True)
class Parameter:
    """One named parameter of an action."""

    name: str
    is_required: bool
    #: Whether a capture without a name may fill it.
    takes_capture: bool
    from_route: Callable[[Any], Any]
    #: Returns the converted value: the route's, else the client's, else the default. It raises a
    #: `ValidationError` where there is none, or one of the wrong type.
    value: Callable[[Mapping[str, Any], Call], Any]
    #: Types of the route's values, and of the client's, that it takes as they are.
    ready_of_route: frozenset[Any] = frozenset()
    ready_of_client: frozenset[Any] = frozenset()


@dataclass(slots=True, frozen=True)
class Binding:
    """The parameters of an action, ready to be filled."""

    positional: tuple[Parameter, ...]
    keyword_only: tuple[Parameter, ...]
    takes_args: bool
    takes_kwargs: bool
    #: What `**kwargs` never holds.
    names: frozenset[str]
    #: Whether all it has are positional parameters.
    is_plain: bool
    #: JSON Schema.
    params: Mapping[str, Any]
    #: JSON Schema.
    returns: Mapping[str, Any]

    def route_alone_fills(self) -> list[str]:
        """Return the required parameters that no client, but only a route, has a say in."""
        required = [each for each in (*self.positional, *self.keyword_only) if each.is_required]
        return [each.name for each in required if each.name in _RESERVED]

    def arguments(self, handler: Any, call: Call) -> tuple[list[Any], dict[str, Any]]:
        """Return what to call the action with.

        Raises:
            ValidationError: A parameter is missing or of the wrong type.
        """
        route, captured = handler.kwargs, handler.args
        args = []
        for each in self.positional:
            if captured and each.takes_capture and each.name not in route:
                args.append(each.from_route(captured[0]))
                captured = captured[1:]
            else:
                args.append(each.value(route, call))
        if self.takes_args:
            args.extend(captured)
        kwargs = {each.name: each.value(route, call) for each in self.keyword_only}
        if self.takes_kwargs:
            for name, value in route.items():
                if name not in self.names:
                    kwargs[name] = as_key(value) if name == "pk" else value
        return args, kwargs


def compile_binding(function: Callable[..., Any], where: str) -> Binding:
    """Read a method's signature, once.

    Args:
        function: The method as it was written.
        where: Class and method, for messages.

    Raises:
        ConfigurationError: The method has no `self`, or a parameter an annotation to which nothing
            can be converted.
    """
    signature = inspect.signature(function)
    every = list(signature.parameters.values())
    if not every or every[0].kind not in (*_POSITIONAL, inspect.Parameter.VAR_POSITIONAL):
        raise ConfigurationError(f"{where} takes no `self`. Make that its first parameter.")
    named = [each for each in every[1:] if each.kind not in _SPREAD]
    types = {each.name: _parameter_type(function, each, where) for each in named}
    built = {each.name: _parameter(each, types[each.name]) for each in named}
    shown = [each for each in named if each.name not in _NOT_IN_SCHEMA]
    kinds = {each.kind for each in every}
    is_plain = kinds <= set(_POSITIONAL)
    return Binding(
        positional=tuple(built[each.name] for each in named if each.kind in _POSITIONAL),
        keyword_only=tuple(built[each.name] for each in named if each.kind not in _POSITIONAL),
        takes_args=inspect.Parameter.VAR_POSITIONAL in kinds,
        takes_kwargs=inspect.Parameter.VAR_KEYWORD in kinds,
        names=frozenset({every[0].name, *built}),
        is_plain=is_plain,
        params=params_schema(
            {each.name: types[each.name] for each in shown},
            [each.name for each in shown if each.default is _EMPTY],
        ),
        returns=_returns(function, signature.return_annotation),
    )


def _parameter(parameter: inspect.Parameter, annotation: Any) -> Parameter:
    name, default = parameter.name, parameter.default
    from_route: Callable[[Any], Any] = as_sent
    from_payload: Callable[[Any], Any] = as_sent
    ready: list[frozenset[Any]] = []
    if name == "pk" and parameter.annotation is _EMPTY:
        from_route = as_key
    elif annotation is not Any:
        from_route = converter(name, annotation, strict=False)
        # Strictly, msgspec reads a duration from ISO 8601 only, and ours travel as seconds.
        strict = not has_duration(type_schema(annotation))
        from_payload = converter(name, annotation, strict=strict)
        ready = [unchanged(annotation, False), unchanged(annotation, strict)]
    sent = _nothing if name in _RESERVED else _FROM_THE_CALL.get(name)

    def value(route: Mapping[str, Any], call: Call) -> Any:
        if name in route and name != "action":
            return from_route(route[name])
        value = call.params.get(name, MISSING) if sent is None else sent(call)
        if value is not MISSING:
            return from_payload(value)
        if default is not _EMPTY:
            return default
        raise ValidationError("This parameter is required.", code="required", field=[name])

    takes_capture = name not in _RESERVED and name not in _FROM_THE_CALL
    ready = ready if takes_capture else []
    return Parameter(name, default is _EMPTY, takes_capture, from_route, value, *ready)


def _nothing(call: Call) -> Any:
    return MISSING


def _parameter_type(function: Callable[..., Any], parameter: inspect.Parameter, where: str) -> Any:
    annotation = parameter.annotation
    if annotation is _EMPTY:
        return Any
    place = f"{where}, parameter {parameter.name!r}: the annotation {annotation!r}"
    try:
        resolved = _resolved(function, annotation)
        type_schema(resolved)
    except TypeError as error:
        raise ConfigurationError(
            f"{place} is no type that a value can be converted to ({str(error).splitlines()[-1]}). "
            f"Take one that msgspec knows, such as a dataclass, or typing.Any for the value as it "
            f"comes."
        ) from error
    except Exception as error:  # resolving runs code of theirs
        raise ConfigurationError(
            f"{place} cannot be resolved ({error}). Define or import what it names at the top of "
            f"its module, not below `if TYPE_CHECKING:`, or take typing.Any for the value as it "
            f"comes."
        ) from error
    return Any if resolved is object else resolved


def _returns(function: Callable[..., Any], annotation: Any) -> Mapping[str, Any]:
    if annotation is _EMPTY:
        return {}
    try:
        return returns_schema(_resolved(function, annotation))
    except Exception:  # noqa: BLE001 - resolving runs code of theirs, and only a document needs it
        return {}


def _resolved(function: Callable[..., Any], annotation: Any) -> Any:
    def holder() -> None: ...

    # By itself: one annotation that cannot be resolved must not spoil the others.
    holder.__annotations__ = {"it": annotation}
    namespace = getattr(inspect.unwrap(function), "__globals__", {})
    return get_type_hints(holder, namespace, include_extras=True)["it"]
