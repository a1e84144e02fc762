"""What goes into the log of a failure: what helps, and nothing that a client sent or may forge."""

from __future__ import annotations

import logging
import re
import time
import traceback
import uuid
from collections.abc import Hashable, Iterable, Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_plus
from weakref import WeakKeyDictionary

from aaah_core.messages import Call, current_call

if TYPE_CHECKING:
    from aaah_core.consumers import AsyncAPIConsumer
    from aaah_core.interfaces import Scope

__all__ = ["log_error", "printable", "repeated"]

#: Characters of what an exception says that are written.
_LENGTH = 500
#: What is shorter is in every text by chance.
_SHORTEST = 4
#: How many characters tell that a text holds the beginning of something longer.
_HEAD = 16
#: How much of a text is looked through: it may quote thousands of what a client sent.
_READ = 10_000
_REMOVED = "[removed]"
#: Exceptions of one chain that are written.
_CHAIN = 10
#: Headers that say nothing of who sends them, and words of which stand in many a text.
_HARMLESS = {
    *(b"accept", b"accept-encoding", b"accept-language", b"cache-control", b"connection", b"host"),
    *(b"origin", b"pragma", b"sec-websocket-extensions", b"sec-websocket-key"),
    *(b"sec-websocket-version", b"upgrade", b"user-agent"),
}
#: The parts of a header or of a query string that may be secrets on their own.
_PARTS = re.compile(r"[\s,;&\"]+")
#: A token whose claims, and whose signature, are secrets on their own, wherever it stands. What it
#: must not begin amid, and never gives back, lets a long text be read once.
_TOKEN = re.compile(r"(?<![\w-])[\w-]{16,}+\.[\w-]{16,}+\.[\w-]{16,}+", re.ASCII)

#: How often one connection's failure of one kind is written within so many seconds.
_TIMES = 10
_SECONDS = 60.0
#: Kinds that are told apart on one connection.
_KINDS = 100


def log_error(
    logger: logging.Logger,
    error: BaseException,
    message: str,
    *args: Any,
    call: Call | None = None,
    consumer: AsyncAPIConsumer | None = None,
    scope: Scope | None = None,
) -> str:
    """Write down what went wrong, with a traceback that is safe to keep.

    What the exception says is escaped, cut, and rid of what the client sent with the call or the
    handshake, as errors often quote it. The record has the exception itself too, for tools that
    look at `exc_info`. A client who causes the same failure again and again is written down a few
    times a minute.

    Args:
        logger: Where to.
        error: What was raised.
        message: As for `Logger.error`; its first ``%s`` is the id.
        args: The others. What a client may have chosen is given as ``%.100r``.
        call: The call that failed, if it is not the one that runs here.
        consumer: The consumer whose connection failed, if that is not the call's.
        scope: The scope of the handshake, where no consumer has it yet.

    Returns:
        The id under which the log has it: a new one, or that of the last time it was written.
    """
    call = call or current_call.get(None)
    consumer = consumer or (call.consumer if call is not None else None)
    kind = type(error), _place(error), message, args
    error_id, more = repeated(consumer, kind)
    if more is not None and logger.isEnabledFor(logging.ERROR):
        path, line, function, _ = logger.findCaller(stacklevel=2)
        told = message + (" (and %d times before, which were not written)" if more else "")
        values = (error_id, *args, more) if more else (error_id, *args)
        info = (type(error), error, error.__traceback__)
        record = logger.makeRecord(
            logger.name, logging.ERROR, path, line, told, values, info, function
        )
        scope = scope or getattr(consumer, "_scope", None)
        secrets = sorted({*_secrets(call, scope)}, key=len, reverse=True)
        # What formatters write in the place of `exc_info`.
        record.exc_text = "\n".join(_lines(error, secrets, set()))
        logger.handle(record)
    return error_id


def printable(text: str, length: int = _LENGTH) -> str:
    """Return a text with nothing in it that moves a cursor, ends a line or turns its direction."""
    shown = "".join(each if each.isprintable() else _escaped(each) for each in text[:length])
    return shown if len(text) <= length else f"{shown}… ({len(text) - length} more)"


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode()


# The traceback.


def _lines(error: BaseException, secrets: list[str], seen: set[int]) -> Iterator[str]:
    if len(seen) >= _CHAIN:
        return
    seen.add(id(error))
    cause = error.__cause__
    context = None if error.__suppress_context__ else error.__context__
    for before, why in (
        (cause, "The above exception was the direct cause of the following exception:"),
        (context, "During handling of the above exception, another exception occurred:"),
    ):
        if before is not None and id(before) not in seen:
            yield from _lines(before, secrets, seen)
            yield f"\n{why}\n"
    if error.__traceback__ is not None:
        yield "Traceback (most recent call last):"
        yield "".join(traceback.format_tb(error.__traceback__)).rstrip()
    yield f"{type(error).__qualname__}: {_said(error, secrets)}"
    for note in getattr(error, "__notes__", ()):
        yield printable(_without(str(note), secrets))
    if isinstance(error, BaseExceptionGroup):
        for each in error.exceptions:
            yield from _lines(each, secrets, seen)


def _said(error: BaseException, secrets: list[str]) -> str:
    try:
        said = str(error)
    except Exception:  # noqa: BLE001 - an exception of somebody else's, whose text may fail
        return "(an exception that cannot be shown)"
    return printable(_without(said, secrets))


def _without(whole: str, secrets: list[str]) -> str:
    text = whole[:_READ]
    for secret in secrets:
        begin = text.find(secret[:_HEAD])
        while begin >= 0:
            # Errors quote the beginning of what is long.
            length = next(
                (
                    at
                    for at in range(len(secret))
                    if text[begin + at : begin + at + 1] != secret[at]
                ),
                len(secret),
            )
            text = f"{text[:begin]}{_REMOVED}{text[begin + length :]}"
            begin = text.find(secret[:_HEAD], begin + len(_REMOVED))
    # What was cut there may be too short to tell.
    return text if len(whole) <= _READ else text[:-_HEAD]


# What a client sent.


def _secrets(call: Call | None, scope: Scope | None) -> Iterator[str]:
    for secret in _sent(call, scope or {}):
        if len(secret) >= _SHORTEST:
            yield secret
            yield repr(secret)[1:-1]
            for token in _TOKEN.findall(secret):
                yield from (token, *token.split("."))


def _sent(call: Call | None, scope: Scope) -> Iterator[str]:
    if call is not None:
        yield from _texts([call.data, call.params, call.route, call.request_id])
    yield from _parts(_text(scope.get("query_string", b"")))
    for name, value in scope.get("headers", ()):
        if name not in _HARMLESS:
            yield from _parts(_text(value))
    yield from scope.get("subprotocols") or ()


def _texts(values: Iterable[Any]) -> Iterator[str]:
    pending = list(values)
    while pending:
        value = pending.pop()
        if isinstance(value, dict):
            pending.extend(value.values())
        elif isinstance(value, list):
            pending.extend(value)
        elif isinstance(value, bytes):
            yield _text(value)
        elif isinstance(value, (str, int, float)) and not isinstance(value, bool):
            yield str(value)


def _text(value: bytes | str) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def _parts(text: str) -> Iterator[str]:
    yield text
    for part in _PARTS.split(text):
        yield part
        value = part.partition("=")[2]
        yield from (value, unquote_plus(value))


# What comes again and again.

_seen: WeakKeyDictionary[Any, dict[Hashable, _Repetition]] = WeakKeyDictionary()


class _Repetition:
    __slots__ = ("error_id", "kept_back", "since", "times")

    def __init__(self) -> None:
        self.since = time.monotonic()
        self.times = self.kept_back = 0
        self.error_id = ""


def repeated(owner: Any, kind: Hashable) -> tuple[str, int | None]:
    """Count something that may come again and again.

    Args:
        owner: Whose it is: a consumer or a class; None is nobody's, and is always written.
        kind: What counts as the same.

    Returns:
        An id to write it under, and how many of it were kept back since the last that was written;
        None where this one is to be kept back too, and then the id is that of the last one.
    """
    if owner is None:
        return _new_id(), 0
    kinds = _seen.setdefault(owner, {})
    if kind not in kinds and len(kinds) >= _KINDS:
        kind = None
    found = kinds.setdefault(kind, _Repetition())
    if time.monotonic() - found.since >= _SECONDS:
        found.since, found.times = time.monotonic(), 0
    if found.times >= _TIMES:
        found.kept_back += 1
        return found.error_id, None
    found.times += 1
    found.error_id = _new_id()
    kept_back, found.kept_back = found.kept_back, 0
    return found.error_id, kept_back


def _new_id() -> str:
    return uuid.uuid4().hex[:12]


def _place(error: BaseException) -> tuple[str, int] | None:
    place = None
    step = error.__traceback__
    while step is not None:
        place = step.tb_frame.f_code.co_filename, step.tb_lineno
        step = step.tb_next
    return place
