"""Compiles a `Check`, or a composition of them, into what is asked at each of its moments."""

from __future__ import annotations

import dis
import inspect
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from types import CodeType
from typing import Any, Literal, TypeAlias

from asgiref.sync import async_to_sync, iscoroutinefunction

from aaah_core.errors import PermissionDenied, RequestError, WrongAnswer
from aaah_core.interfaces import Check, Composition
from aaah_core.logs import log_error
from aaah_core.messages import Call
from aaah_core.workers import run_sync

__all__ = ["NAMES", "Moment", "Moments", "blame", "compile_check", "granted"]

logger = logging.getLogger("aaah.calls")

Name: TypeAlias = Literal["connect", "call", "object", "event"]
NAMES: tuple[Name, ...] = ("connect", "call", "object", "event")


@dataclass(slots=True, frozen=True)
class Moment:
    """One question of a check."""

    ask: Callable[..., Any]
    #: Whether `ask` is a coroutine function; a plain one belongs in a worker thread.
    awaited: bool
    #: What a worker thread asks instead, which is plain.
    ask_in_worker: Callable[..., bool]
    #: Which method of whose check it is, for the log.
    source: str
    #: What gives the answer of `ask` at once, as True or False, where nothing has to wait for it.
    at_once: Callable[..., bool] | None = None

    @classmethod
    def plain(cls, ask: Callable[..., bool], source: str) -> Moment:
        """Return a question that only worker threads ask."""
        return cls(ask, False, ask, source)


#: The moments at which a check has a say.
Moments: TypeAlias = dict[Name, Moment | None]
CheckOf: TypeAlias = Callable[[Any], tuple[Check, object]]


def compile_check(check: Check, whose: object, check_of: CheckOf) -> Moments:
    """Return what a check asks at each moment; None where it has no say.

    Args:
        check: A plugin's answer for one permission.
        whose: The plugin.
        check_of: Finds the check of an operand, and the plugin it is of.
    """
    if not isinstance(check, Composition):
        return {name: _own(check, name, whose) for name in NAMES}
    operands = [compile_check(*check_of(operand), check_of) for operand in check.operands]
    combine = {"and": _all, "or": _any, "not": _not}[check.operator]
    return {name: combine(name, operands) for name in NAMES}


def granted(answer: Any, source: str, about: Any) -> bool:
    """Return whether a check's answer is a yes: True alone is one.

    Args:
        answer: What the check gave.
        source: That of its moment.
        about: What it was asked about first: a call, or the scope of a connection.

    Raises:
        PermissionDenied: It is no bool, which the log has as a `WrongAnswer`. Much that means no is
            true, such as `(False, "why")`; and the negation of it must not let anybody pass.
    """
    if answer is True or answer is False:
        return answer
    if inspect.iscoroutine(answer):
        answer.close()
    remedy = "`await` is missing in it" if inspect.isawaitable(answer) else "return True or False"
    error = WrongAnswer(
        f"{source} gave {type(answer).__name__}, and must give True or False: {remedy}. Whoever it "
        f"was asked about is denied."
    )
    call = about if isinstance(about, Call) else None
    log_error(logger, error, "Error %s: %s gave no bool, and denies", source, call=call)
    raise PermissionDenied


def blame(error: Exception, source: str) -> None:
    """Let the log say whose check raised an error.

    Args:
        error: What it raised.
        source: That of its moment.
    """
    note = f"Asked was {source}."
    # A refusal is no failure; and one exception may be raised for many calls.
    if not isinstance(error, RequestError) and note not in getattr(error, "__notes__", ()):
        error.add_note(note)


def _own(check: Check, name: Name, whose: object) -> Moment | None:
    method = getattr(check, name)
    if getattr(method, "__func__", None) is getattr(Check, name):
        return None
    source = f"{type(check).__qualname__}.{name} of {whose}"
    settled = _settled(method, source)
    if iscoroutinefunction(method):
        return Moment(method, True, settled, source, getattr(method, "at_once", None))
    return Moment.plain(settled, source)


def _settled(method: Callable[..., Any], source: str) -> Callable[..., bool]:
    """Let a method answer with an awaitable: a worker can wait for it."""

    def ask(*arguments: Any) -> bool:
        try:
            answer = method(*arguments)
            answer = _result(answer) if inspect.isawaitable(answer) else answer
        except Exception as error:
            blame(error, source)
            raise
        return granted(answer, source, arguments[0])

    return ask


def _result(answer: Any) -> Any:
    """Return what an awaitable gives, in a worker thread.

    A coroutine that never waits runs in this thread. One that waits for something needs the event
    loop of its connection, to which all belongs that it may wait for; meanwhile this thread runs
    what the coroutine hands to threads, the async ORM above all: on the same database connection,
    in the same transaction.
    """
    if inspect.iscoroutine(answer) and not _waits(answer.cr_code):
        try:
            answer.send(None)
        except StopIteration as end:
            return end.value
    return async_to_sync(_wait)(answer)


@cache
def _waits(code: CodeType) -> bool:
    # Every `await`, `async for` and `async with` is made of this instruction.
    return any(instruction.opname == "SEND" for instruction in dis.get_instructions(code))


async def _wait(answer: Any) -> Any:
    return await answer


def _all(name: Name, operands: Sequence[Moments]) -> Moment | None:
    asked = [moment for operand in operands if (moment := operand[name]) is not None]
    return _fold(asked, decisive=False) if asked else None


def _any(name: Name, operands: Sequence[Moments]) -> Moment | None:
    if name == "object" and any(operand[name] is not None for operand in operands):
        # An operand grants an object only where it granted the call: `A | B` must not pass
        # because A granted the call and B, which refused it, says nothing of objects.
        asked = [_all(name, [_call_as_object(operand), operand]) for operand in operands]
    else:
        asked = [operand[name] for operand in operands]
    known = [moment for moment in asked if moment is not None]
    return _fold(known, decisive=True) if len(known) == len(asked) else None


def _call_as_object(operand: Moments) -> Moments:
    moment = operand["call"]
    if moment is None:
        return {"object": None}
    ask, ask_in_worker = moment.ask, moment.ask_in_worker
    return {
        "object": Moment(
            lambda call, obj: ask(call),
            moment.awaited,
            lambda call, obj: ask_in_worker(call),
            moment.source,
        )
    }


def _not(name: Name, operands: Sequence[Moments]) -> Moment | None:
    moment = operands[0][name]
    if moment is None:
        # Who lets every call pass, negated, lets none, nor gives anybody the events of one; where
        # a check has no say, nor has its negation.
        lets_all = name == "call" or (name == "event" and operands[0]["call"] is None)
        return Moment.plain(lambda *arguments: False, "What is negated") if lets_all else None
    ask, ask_in_worker, source = moment.ask, moment.ask_in_worker, f"~{moment.source}"

    def plain(*arguments: Any) -> bool:
        return not ask_in_worker(*arguments)

    async def negated(*arguments: Any) -> bool:
        return not granted(await ask(*arguments), moment.source, arguments[0])

    return Moment(negated, True, plain, source) if moment.awaited else Moment.plain(plain, source)


def _fold(moments: Sequence[Moment], *, decisive: bool) -> Moment:
    """Ask one after another until an answer decides; the others are not asked."""

    def plain(*arguments: Any) -> bool:
        for moment in moments:
            if moment.ask_in_worker(*arguments) is decisive:
                return decisive
        return not decisive

    async def mixed(*arguments: Any) -> bool:
        for moment in moments:
            asked = moment.ask(*arguments) if moment.awaited else run_sync(moment.ask, *arguments)
            if granted(await asked, moment.source, arguments[0]) is decisive:
                return decisive
        return not decisive

    source = f" {'|' if decisive else '&'} ".join(moment.source for moment in moments)
    awaited = any(moment.awaited for moment in moments)
    return Moment(mixed, True, plain, source) if awaited else Moment.plain(plain, source)
