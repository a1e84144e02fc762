"""The project that a command looks at: its settings and its consumers."""

from __future__ import annotations

import os

from django import setup
from django.apps import apps
from django.conf import ENVIRONMENT_VARIABLE, settings
from django.core.management.base import CommandError
from django.utils.module_loading import import_string

from aaah_core.consumers import AsyncAPIConsumer

__all__ = ["NO_SETTINGS", "load_consumer", "set_up"]

NO_SETTINGS = f"No settings are named: set {ENVIRONMENT_VARIABLE}, or give --settings."


def set_up() -> str:
    """Set Django up with the project's settings, or else with minimal ones of our own.

    Returns:
        Why the project is not there, as a sentence; nothing if it is.
    """
    if apps.ready:  # by manage.py
        return ""
    problem = NO_SETTINGS
    if name := os.environ.get(ENVIRONMENT_VARIABLE):
        try:
            setup()
        except (Exception, SystemExit) as error:  # noqa: BLE001 - a stranger's code may raise anything
            problem = f"Setting Django up with {name!r} raised {type(error).__name__}: {error}."
        else:
            return ""
    if not settings.configured:
        settings.configure(INSTALLED_APPS=["aaah_core"])
        setup()
    return problem


def load_consumer(path: str) -> type[AsyncAPIConsumer]:
    """Return the consumer class that ``module:Class`` or ``module.Class`` names.

    Raises:
        CommandError: There is no project, or no consumer of that name in it.
    """
    if problem := set_up():
        raise CommandError(problem)
    try:
        found = import_string(path.replace(":", "."))
    except Exception as error:
        raise CommandError(
            f"{path!r} cannot be imported: {type(error).__name__}: {error}. "
            f"Name a consumer as module:Class."
        ) from error
    if not (isinstance(found, type) and issubclass(found, AsyncAPIConsumer)):
        raise CommandError(f"{path!r} is no AsyncAPIConsumer: {found!r}.")
    return found
