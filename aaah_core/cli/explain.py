"""``aaah plugins --explain``: hook by hook, who is asked, who answers, and what that makes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from aaah_core.answers import Answer
from aaah_core.cli.project import load_consumer
from aaah_core.cli.table import table
from aaah_core.cli.way import checks_of, middleware_of, steps_of
from aaah_core.errors import ConfigurationError
from aaah_core.plan import ConsumerPlan, Plan, consumer_plan
from aaah_core.registry import Plugin
from aaah_core.verification import HOOKS, arguments

__all__ = ["explain"]

_NOBODY = Plugin("", "", "")
_HEADING = ("hook", "about", "answered by", "distribution", "version", "won", "asked, in order")
_OF_HANDLERS = [name for name in HOOKS if "handler_class" in arguments(name)]


def explain(command: BaseCommand, options: dict[str, Any]) -> None:
    """Write who answers which hook, for a consumer and for each handler that its routes reach.

    With a route or an action, write what a message with them passes, step by step.

    Raises:
        CommandError: The consumer is not there, or cannot be compiled.
    """
    consumer_class = load_consumer(options["explain"])
    try:
        plan = consumer_plan(consumer_class)
    except ConfigurationError as error:
        raise CommandError(str(error)) from error
    if options["route"] is not None or options["action"] is not None:
        _write_steps(command, plan, options)
        return
    places = list(_places(plan, ""))
    if options["json"]:
        rows = [row for place, each in places for row in _rows(place, each)]
        command.stdout.write(json.dumps(rows, indent=2))
        return
    for place, each in places:
        command.stdout.write(place, command.style.MIGRATE_HEADING)
        cells = [
            [str(value) for key, value in row.items() if key not in ("place", "asked")]
            + [", ".join(row["asked"])]
            for row in _rows(place, each)
        ]
        command.stdout.write("\n".join(table([_HEADING, *cells], indent="    ")))
        if each.actions:
            command.stdout.write("\n".join(["", *_onions(each), ""]))


def _places(plan: Plan, above: str) -> Iterator[tuple[str, Plan]]:
    name = f"{plan.handler_class.__module__}.{plan.handler_class.__qualname__}"
    place = f"{above} > {name}" if above else name
    yield place, plan
    for child in plan.children.values():
        yield from _places(child, place)


def _rows(place: str, plan: Plan) -> Iterator[dict[str, Any]]:
    answers = [*plan.answers, *_selectors(plan)]
    for hook in HOOKS if plan.parent is None else _OF_HANDLERS:
        found = [answer for answer in answers if answer.hook == hook]
        seen: set[str] = set()
        for answer in found or [Answer(hook, "(nobody answers)", _NOBODY)]:
            yield {
                "place": place,
                "hook": hook,
                "subject": answer.subject,
                "plugin": answer.plugin.name,
                "distribution": answer.plugin.distribution,
                "version": answer.plugin.version,
                "won": _outcome(answer, seen),
                "asked": _asked(plan, hook),
            }
            seen.add(answer.subject)


def _outcome(answer: Answer, seen: set[str]) -> str:
    """Return what an answer is good for, where others answered about the same."""
    if answer.plugin is _NOBODY:
        return ""
    in_turn = {
        "aaah_select_codec": "the first to answer",
        "aaah_route_resolver": "the first to match",
        "aaah_permission_check": "yes",  # two entries may have one name
        "aaah_middleware": "all, outermost first",
        "aaah_connection": "all, outermost first",
    }
    if answer.hook in in_turn:
        return in_turn[answer.hook]
    return "no: another was first" if answer.subject in seen else "yes"


def _asked(plan: Plan, hook: str) -> list[str]:
    found = reversed(getattr(plan.registry.manager.hook, hook).get_hookimpls())
    return [implementation.plugin_name for implementation in found]


def _selectors(plan: Plan) -> Iterator[Answer]:
    """Name who is asked at each handshake: nothing of that stands in a plan."""
    hook = "aaah_select_codec"
    if isinstance(plan, ConsumerPlan):
        for name in _asked(plan, hook):
            yield Answer(hook, "(each handshake)", plan.registry.plugins[name])


def _onions(plan: Plan) -> list[str]:
    """Return a line for each action: what stands around it, the outermost first."""
    checks = [
        f"{check.name} ({check.plugin})" for check in checks_of(plan) if check.moments["call"]
    ]
    rows = [("action", "passes, outermost first")]
    for name in plan.actions:
        around = [f"{plugin}'s middleware" for plugin in middleware_of(plan, name)]
        rows.append((name, " > ".join([*around, *checks, "the action"])))
    return table(rows, indent="    ")


def _write_steps(command: BaseCommand, plan: ConsumerPlan, options: dict[str, Any]) -> None:
    steps = list(steps_of(plan, options["route"] or "", options["action"]))
    if options["json"]:
        keys = ("step", "by", "what")
        command.stdout.write(json.dumps([dict(zip(keys, row, strict=True)) for row in steps]))
        return
    rows = [(f"{number}.", *step) for number, step in enumerate(steps, 1)]
    command.stdout.write("\n".join(table(rows)))
