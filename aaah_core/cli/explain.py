"""``aaah plugins --explain``: hook by hook, which plugin answers."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator

from django.core.management.base import BaseCommand, CommandError

from aaah_core import hookspecs
from aaah_core.cli.project import load_consumer
from aaah_core.cli.table import table
from aaah_core.errors import ConfigurationError
from aaah_core.plan import Answer, ConsumerPlan, Plan, consumer_plan
from aaah_core.registry import Plugin

__all__ = ["explain"]

_NOBODY = Plugin("", "", "")

_HOOKS = [name for name in vars(hookspecs) if name.startswith("aaah_")]
_OF_HANDLERS = [
    name
    for name in _HOOKS
    if "handler_class" in inspect.signature(getattr(hookspecs, name)).parameters
]


def explain(command: BaseCommand, path: str, *, as_json: bool) -> None:
    """Write who answers which hook, for a consumer and for each handler that its routes reach.

    Raises:
        CommandError: The consumer is not there, or cannot be compiled.
    """
    consumer_class = load_consumer(path)
    try:
        plan = consumer_plan(consumer_class)
    except ConfigurationError as error:
        raise CommandError(str(error)) from error
    places = list(_places(plan, ""))
    if as_json:
        rows = [row for place, each in places for row in _rows(place, each)]
        command.stdout.write(json.dumps(rows, indent=2))
        return
    for place, each in places:
        command.stdout.write(place, command.style.MIGRATE_HEADING)
        cells = [list(row.values())[1:] for row in _rows(place, each)]
        for line in table(cells, indent="    "):
            command.stdout.write(line)


def _places(plan: Plan, above: str) -> Iterator[tuple[str, Plan]]:
    name = f"{plan.handler_class.__module__}.{plan.handler_class.__qualname__}"
    place = f"{above} > {name}" if above else name
    yield place, plan
    for child in plan.children.values():
        yield from _places(child, place)


def _rows(place: str, plan: Plan) -> Iterator[dict[str, str]]:
    answers = [*plan.answers, *_selectors(plan)]
    for hook in _HOOKS if plan.parent is None else _OF_HANDLERS:
        found = [answer for answer in answers if answer.hook == hook]
        for answer in found or [Answer(hook, "(nobody answers)", _NOBODY)]:
            yield {
                "place": place,
                "hook": hook,
                "subject": answer.subject,
                "plugin": answer.plugin.name,
                "distribution": answer.plugin.distribution,
                "version": answer.plugin.version,
            }


def _selectors(plan: Plan) -> Iterator[Answer]:
    """Name who is asked at each handshake: nothing of that stands in a plan."""
    hook = "aaah_select_codec"
    if isinstance(plan, ConsumerPlan):
        for implementation in reversed(getattr(plan.registry.manager.hook, hook).get_hookimpls()):
            plugin = plan.registry.plugins[implementation.plugin_name]
            yield Answer(hook, "(each handshake)", plugin)
