"""`api_settings`: what ``REST_FRAMEWORK_CHANNELS`` says, read when somebody asks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.conf import settings
from django.core.signals import setting_changed
from rest_framework.settings import perform_import

from aaah_core import ConfigurationError
from rest_framework_channels import plugin

__all__ = [
    "DEFAULTS",
    "IMPORT_STRINGS",
    "APISettings",
    "FromSettings",
    "api_settings",
    "reload_api_settings",
]

DEFAULTS: dict[str, Any] = {
    "DEFAULT_PERMISSION_CLASSES": ("rest_framework_channels.permissions.AllowAny",),
    "JSON_ENCODER_CLASS": None,
    "DEFAULT_PAGINATION_CLASS": None,
    "DEFAULT_FILTER_BACKENDS": [],
    "PAGE_SIZE": None,
    # A project does not change DEBUG while it runs, but a test runner does, behind its back.
    "EXCEPTION_HANDLER": (
        "rest_framework_channels.exceptions.debug_exception_handlers"
        if settings.DEBUG
        else "rest_framework_channels.exceptions.production_exception_handlers"
    ),
}
#: The settings that may be import paths.
IMPORT_STRINGS = (
    "DEFAULT_PERMISSION_CLASSES",
    "JSON_ENCODER_CLASS",
    "DEFAULT_PAGINATION_CLASS",
    "DEFAULT_FILTER_BACKENDS",
    "EXCEPTION_HANDLER",
)


class APISettings:
    """Settings as attributes, import paths imported.

    Args:
        user_settings: What is set; ``REST_FRAMEWORK_CHANNELS`` if None.
        defaults: What holds otherwise.
        import_strings: The names of settings that may be import paths.
    """

    def __init__(
        self,
        user_settings: Mapping[str, Any] | None = None,
        defaults: Mapping[str, Any] | None = None,
        import_strings: Sequence[str] | None = None,
    ) -> None:
        self._given = user_settings or None
        self.defaults = DEFAULTS if defaults is None else defaults
        self.import_strings = IMPORT_STRINGS if import_strings is None else import_strings
        self._cached_attrs: set[str] = set()

    @property
    def user_settings(self) -> Mapping[str, Any]:
        """What is set.

        Raises:
            ConfigurationError: A key that does not exist: ignored, it would leave a door open.
        """
        if self._given is not None:
            return self._given
        values: Mapping[str, Any] = getattr(settings, "REST_FRAMEWORK_CHANNELS", {})
        for key in values:
            if key not in self.defaults:
                raise ConfigurationError(
                    f"REST_FRAMEWORK_CHANNELS has no key {key!r}. It knows: "
                    f"{', '.join(self.defaults)}."
                )
        return values

    def __getattr__(self, attr: str) -> Any:
        if attr not in self.defaults:
            raise AttributeError(f"Invalid API setting: '{attr}'")
        value = self._value(attr)
        if attr in self.import_strings:
            value = perform_import(value, attr)
        self._cached_attrs.add(attr)
        setattr(self, attr, value)
        return value

    def _value(self, attr: str) -> Any:
        if attr in self.user_settings:
            return self.user_settings[attr]
        shared = getattr(plugin.settings, attr, None) if self._given is None else None
        return self.defaults[attr] if shared is None else shared

    def reload(self) -> None:
        """Forget what was read, and what was given."""
        self._given = None
        for attr in self._cached_attrs:
            delattr(self, attr)
        self._cached_attrs.clear()


api_settings = APISettings()


class FromSettings:
    """Stands for a setting in a class until a child says otherwise."""

    def __init__(self, key: str) -> None:
        self.key = key

    def __get__(self, instance: object, owner: type[Any]) -> Any:
        return getattr(api_settings, self.key)


def reload_api_settings(*args: Any, setting: str, **kwargs: Any) -> None:
    """Read the settings again after a test changed them."""
    if setting in ("REST_FRAMEWORK_CHANNELS", "AAAH"):
        api_settings.reload()


setting_changed.connect(reload_api_settings)
