"""The setting `AAAH`, and the settings of plugins, read as dataclasses."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from functools import cache
from typing import Annotated, Any, TypeVar, cast

import msgspec
from django.conf import settings as django_settings
from django.core.signals import setting_changed

from aaah_core.errors import WrongSettings

__all__ = ["Settings", "plugin_settings"]

T = TypeVar("T")


@dataclass(frozen=True)
class Settings:
    """The keys of the setting `AAAH`."""

    #: The order of plugins; `...` stands for the rest, and a list without it loads only what it
    #: names.
    PLUGINS: list[Any] = field(default_factory=lambda: [...])
    #: Plugins that are not loaded.
    DISABLED_PLUGINS: list[str] = field(default_factory=list)
    #: The settings of each plugin, by its name.
    PLUGIN_SETTINGS: dict[str, dict[str, Any]] = field(default_factory=dict)
    #: The codecs of consumers that name none, the default first.
    CODECS: list[Any] = field(default_factory=lambda: ["json"])
    #: The wire of consumers that name none.
    WIRE: str = "aaah"
    #: The fields of `Limits` that differ from the defaults.
    LIMITS: dict[str, Any] = field(default_factory=dict)
    #: How many threads run sync code.
    SYNC_WORKERS: Annotated[int, msgspec.Meta(ge=1)] = 16
    #: Seconds that a call to the channel layer may take.
    LAYER_TIMEOUT: Annotated[float, msgspec.Meta(gt=0)] = 5.0
    #: Seconds between two messages that a process sends itself to learn whether the layer is lost;
    #: None for none.
    LAYER_CANARY: Annotated[float, msgspec.Meta(gt=0)] | None = 1.0
    #: Seconds that calls may take to end when the server does.
    LEAVE_TIMEOUT: Annotated[float, msgspec.Meta(ge=0)] = 10.0
    #: Seconds over which the connections are closed then, where they are many.
    LEAVE_SPREAD: Annotated[float, msgspec.Meta(ge=0)] = 5.0
    #: The origins of the web pages that may open a socket behind `protect`; None for those of the
    #: host that they connect to.
    ALLOWED_ORIGINS: list[str] | None = None
    #: Seconds between two looks at whether those who are connected may still be; None for no look.
    IDENTITY_INTERVAL: Annotated[float, msgspec.Meta(gt=0)] | None = 25


@cache
def current() -> Settings:
    """Return the settings in force; the environment's `AAAH_PLUGINS` and `AAAH_DISABLED_PLUGINS`
    win.

    Raises:
        WrongSettings: An unknown key, or a value of the wrong type.
    """
    values = dict(mapping(getattr(django_settings, "AAAH", {}), "AAAH"))
    for key in ("PLUGINS", "DISABLED_PLUGINS"):
        if (text := os.environ.get(f"AAAH_{key}")) is not None:
            names = [name.strip() for name in text.split(",") if name.strip()]
            values[key] = [... if name == "..." else name for name in names]
    return read(values, Settings, "AAAH")


def read(values: Mapping[str, Any], schema: type[T], where: str) -> T:
    """Return `values` as an instance of the dataclass `schema`.

    Args:
        values: The keys and values somebody set.
        schema: A dataclass with a default for every optional key.
        where: What to call it in an error, e.g. ``AAAH["LIMITS"]``.

    Raises:
        WrongSettings: An unknown key, or a value of the wrong type.
    """
    known = [item.name for item in fields(cast(Any, schema))]
    for key in mapping(values, where):
        if key not in known:
            raise WrongSettings(
                f"{where} has no key {key!r}{nearest(str(key), known)} It knows: "
                f"{', '.join(known)}."
            )
    try:
        return msgspec.convert(values, schema)
    except msgspec.ValidationError as error:
        raise WrongSettings(f"{where} is set wrongly: {_told(values, schema, error)}") from error


#: What msgspec says of a value: its words are those of JSON, and a setting is written in Python.
_SAID = re.compile(r"Expected (.+?)(?:, got `(.+?)`)?(?: - at `\$\.?(.*)`)?")
_WORDS = {"array": "list", "object": "dict", "null": "None"}
_EXAMPLES = {"list": '["name"]', "dict": '{"name": …}', "str": '"text"', "bool": "True"}


def _told(values: Mapping[str, Any], schema: type[Any], error: msgspec.ValidationError) -> str:
    """Return what is wrong with which key, and nothing of a value: it may be a secret."""
    if (said := _SAID.fullmatch(str(error))) is None:
        return f"{error}."
    due, got, place = said.groups(default="")
    due = re.sub(r"\w+", lambda word: _WORDS.get(word[0], word[0]), due.replace("`", ""))
    told = f"{_place(values, schema, place)} is to be {due}"
    told += f", and not {_WORDS.get(got, got)}." if got else "."
    example = _EXAMPLES.get(due.split(" ")[0])
    return f"{told} Write for example: {example}." if example else told


def _place(values: Mapping[str, Any], schema: type[Any], place: str) -> str:
    """Return the place of a value with the key or number that msgspec leaves out."""
    key, within, rest = place.partition("[...]")
    held: Any = values.get(key) if within else None
    pairs = held.items() if isinstance(held, Mapping) else enumerate(held or ())
    for name, value in pairs:
        alone = {name: value} if isinstance(held, Mapping) else [value]
        try:
            msgspec.convert({**values, key: alone}, schema)
        except msgspec.ValidationError:
            return f"{key}[{name!r}]{rest}"
    return place


def mapping(values: Any, where: str) -> Mapping[str, Any]:
    """Return `values`, or say that `where` is no dict.

    Raises:
        WrongSettings: It is something else.
    """
    if not isinstance(values, Mapping):
        raise WrongSettings(f"{where} is a dict of settings, and not {values!r}.")
    return values


def nearest(word: str, known: Iterable[str]) -> str:
    """Return the end of a sentence: `; did you mean 'x'?` where one of `known` is close to `word`,
    else a full stop.
    """
    close = difflib.get_close_matches(word, list(known), n=1)
    return f"; did you mean {close[0]!r}?" if close else "."


#: What plugins declared, by plugin name: the registry holds `PLUGIN_SETTINGS` against it at start.
declared: dict[str, type[Any]] = {}


def plugin_settings(name: str, schema: type[T]) -> T:
    """Declare the settings of a plugin and return an object that reads them.

    ``settings = plugin_settings("audit", Settings)`` may stand at module level: Django's settings
    are read when an attribute is. They are validated at start, and read again when a test overrides
    them.

    Args:
        name: The plugin's name, which is its key in ``AAAH["PLUGIN_SETTINGS"]``.
        schema: A dataclass; its defaults are the plugin's defaults.

    Raises:
        WrongSettings: `schema` is no dataclass, or a key has no default, or one of another type.
            Of a `default_factory` that raises, a start says so: it may need the apps.
    """
    if not (isinstance(schema, type) and is_dataclass(schema)):
        raise WrongSettings(
            f"plugin_settings({name!r}, …) got {schema!r}, which is no dataclass. Write @dataclass "
            f"above a class, and give each of its keys a type and a default."
        )
    require_defaults(name, schema)
    declared[name] = schema
    read_plugin.cache_clear()
    return cast(T, _PluginSettings(name))


def require_defaults(name: str, schema: type[Any]) -> None:
    """Refuse a key without a default that is of its type: to install a plugin is enough.

    Raises:
        WrongSettings: A default is missing, or of another type.
    """
    defaults: dict[str, Any] = {}
    for item in fields(schema):
        if item.default is not MISSING:
            defaults[item.name] = item.default
        elif item.default_factory is not MISSING:
            try:
                defaults[item.name] = item.default_factory()
            except Exception:  # noqa: BLE001, S112 - it may need the apps, which a start has
                continue
        else:
            raise WrongSettings(
                f"plugin_settings({name!r}, {schema.__qualname__}): the key {item.name!r} has no "
                f"default, so that installing the plugin is not enough. Give it one."
            )
    try:
        msgspec.convert(defaults, schema)
    except msgspec.ValidationError as error:
        raise WrongSettings(
            f"plugin_settings({name!r}, {schema.__qualname__}): the default of "
            f"{_told(defaults, schema, error)} Mend the default, or its type."
        ) from error
    except Exception:  # noqa: BLE001, S110 - what else is wrong with it, a start says
        pass


class _PluginSettings:
    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, attribute: str) -> Any:
        return getattr(read_plugin(self._name), attribute)


@cache
def read_plugin(name: str) -> Any:
    """Return the validated settings of one plugin that declared some."""
    values = current().PLUGIN_SETTINGS.get(name, {})
    return read(values, declared[name], f'AAAH["PLUGIN_SETTINGS"][{name!r}]')


def _forget(*, setting: str, **kwargs: Any) -> None:
    if setting == "AAAH":
        current.cache_clear()
        read_plugin.cache_clear()


setting_changed.connect(_forget)
