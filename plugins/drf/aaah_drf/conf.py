"""The settings of the plugin: DRF's own, and what differs from them over a socket."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.module_loading import import_string

from aaah_core import MISSING, Composition, ConfigurationError, plugin_settings

__all__ = ["Default", "Settings", "default", "default_permissions"]


@dataclass(frozen=True)
class Settings:
    """The keys of ``AAAH["PLUGIN_SETTINGS"]["drf"]``; None leaves it to ``REST_FRAMEWORK``.

    Classes stand as dotted names, as in DRF's settings, or as themselves.
    """

    #: Of generic handlers and served viewsets that name no `permission_classes`.
    DEFAULT_PERMISSION_CLASSES: list[Any] | None = None
    #: The same of `throttle_classes`.
    DEFAULT_THROTTLE_CLASSES: list[Any] | None = None
    #: Rates by scope; a scope that is not here has DRF's rate.
    DEFAULT_THROTTLE_RATES: dict[str, str | None] | None = None
    #: The same of `filter_backends`.
    DEFAULT_FILTER_BACKENDS: list[Any] | None = None
    #: The same of `pagination_class`.
    DEFAULT_PAGINATION_CLASS: Any = None
    #: The size of a page, where a paginator's class sets none of its own.
    PAGE_SIZE: int | None = None


settings = plugin_settings("drf", Settings)


def default(name: str) -> Any:
    """Return a setting: the plugin's own, else DRF's.

    Raises:
        ConfigurationError: It names something that cannot be imported.
    """
    from rest_framework.settings import api_settings

    own = getattr(settings, name)
    try:
        return getattr(api_settings, name) if own is None else _imported(own)
    except (AttributeError, ImportError) as error:
        # An AttributeError would look as if the handler had no such attribute, and so no checks.
        raise ConfigurationError(f"The setting {name} of DRF is set wrongly: {error}.") from error


def _imported(value: Any) -> Any:
    if isinstance(value, list):
        return [_imported(each) for each in value]
    return import_string(value) if isinstance(value, str) else value


def default_permissions() -> Composition | None:
    """Return what asks the default permissions; None where they let everyone pass."""
    from rest_framework.permissions import AllowAny

    asked = [each for each in default("DEFAULT_PERMISSION_CLASSES") if each is not AllowAny]
    return Composition("and", asked) if asked else None


class Default:
    """Stands for a setting until a class says otherwise.

    Args:
        name: The setting.
        drfs: What DRF's views made of it when they were imported; what it says now, if left out.
    """

    def __init__(self, name: str, drfs: Any = MISSING) -> None:
        self._name, self._drfs = name, drfs

    def __get__(self, instance: object, owner: type[Any]) -> Sequence[Any] | Any:
        if self._drfs is not MISSING and getattr(settings, self._name) is None:
            return self._drfs
        return default(self._name)
