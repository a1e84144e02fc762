r"""Finds the regular expressions that a client could keep busy.

A length bounds nothing here: `(\w+)+` needs seconds for 27 characters. So a pattern is timed on
strings that are made to fail late: what leads up to one of its repetitions, then what is repeated,
many times over, then what does not belong there. All of it consists of the pattern's own characters
and classes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from re import _constants as op  # type: ignore[attr-defined]  # typeshed has it not, nor `_parser`
from re import _parser  # type: ignore[attr-defined]  # as above; nothing public takes a regex apart
from time import perf_counter
from typing import Any, TypeAlias

__all__ = ["SLOW", "backtracks"]

#: Seconds from which a match is slow.
SLOW = 0.005
#: Seconds from which strings grow in small steps: a large one more could take for ever.
_CAREFUL = 0.0001
#: Seconds after which a pattern has been looked at for long enough.
_ENOUGH = 0.5

#: A step of a regular expression, as Python's own parser has it: what, and of what.
Node: TypeAlias = tuple[Any, Any]

#: What stands for its class: those first that read best in a message.
_CHARACTERS = "a1/-_ .b0zAZ9!%\n\tΩé٣" + "".join(map(chr, range(33, 127)))
_REPEATS = {op.MAX_REPEAT, op.MIN_REPEAT, op.POSSESSIVE_REPEAT}
_ONE = {op.LITERAL, op.NOT_LITERAL, op.ANY, op.IN}
_CATEGORIES: dict[Any, Callable[[str], bool]] = {
    op.CATEGORY_DIGIT: str.isdecimal,
    op.CATEGORY_NOT_DIGIT: lambda each: not each.isdecimal(),
    op.CATEGORY_SPACE: str.isspace,
    op.CATEGORY_NOT_SPACE: lambda each: not each.isspace(),
    op.CATEGORY_WORD: lambda each: each.isalnum() or each == "_",
    op.CATEGORY_NOT_WORD: lambda each: not (each.isalnum() or each == "_"),
}


def backtracks(
    pattern: re.Pattern[str], matches: Callable[[str], Any], longest: int
) -> tuple[str, float] | None:
    """Return a string that takes a pattern long, with the seconds; None if none was found.

    Args:
        pattern: The pattern.
        matches: Its method that is used, `match` or `fullmatch`.
        longest: The characters of the longest string that it will ever be given.
    """
    tree = _parser.parse(pattern.pattern, pattern.flags & ~re.DEBUG)
    if sum(_is_choice(node) for node in _walk(tree)) < 2:
        return None  # one choice is made in one pass
    end = perf_counter() + _ENOUGH
    for before, pump, after in _attacks(tree):
        if (found := _grow(matches, before, pump, after, longest)) is not None:
            return found
        if perf_counter() > end:
            break
    return None


def _grow(
    matches: Callable[[str], Any], before: str, pump: str, after: str, longest: int
) -> tuple[str, float] | None:
    size, room = 4, longest - len(before) - len(after)
    while size <= room:
        text = before + pump * (size // len(pump)) + after
        seconds = _time(matches, text)
        # Once may be an accident: another process had the processor.
        if seconds > SLOW and (seconds := min(_time(matches, text) for _ in range(2))) > SLOW:
            return text, seconds
        size = min(
            size + (size // 2 if seconds < _CAREFUL else size // 10 + 1), max(room, size + 1)
        )
    return None


def _time(matches: Callable[[str], Any], text: str) -> float:
    begun = perf_counter()
    matches(text)
    return perf_counter() - begun


def _attacks(tree: Iterable[Node]) -> Iterator[tuple[str, str, str]]:
    ones = [node for node in _walk(tree) if node[0] in _ONE]
    # One character of each kind that the pattern tells apart, one that it does not know among them.
    kinds = {tuple(_accepts(one, each) for one in ones): each for each in reversed(_CHARACTERS)}
    characters = list(kinds.values())
    for before, body in _repetitions(tree, ""):
        inside = list(_walk(body))
        pumps = {
            each for each in characters for one in inside if one[0] in _ONE and _accepts(one, each)
        }
        branches = [branch for what, of in inside if what is op.BRANCH for branch in of[1]]
        pumps |= {_sample(each) for each in (body, *branches)}
        for pump in sorted(pumps - {""}):
            for after in ("", *characters):
                yield before, pump, after


def _repetitions(tree: Iterable[Node], before: str) -> Iterator[tuple[str, list[Node]]]:
    """Return what leads up to each repetition, and what is repeated."""
    for node in tree:
        if node[0] in _REPEATS and node[1][1] > 1:
            yield before, list(node[1][2])
        for inner in _inner(node):
            yield from _repetitions(inner, before)
        before += _sample([node])


def _is_choice(node: Node) -> bool:
    what, of = node
    return what is op.BRANCH or (what in _REPEATS and (of[1] > 1 or of[0] != of[1]))


def _walk(tree: Iterable[Node]) -> Iterator[Node]:
    for node in tree:
        yield node
        for inner in _inner(node):
            yield from _walk(inner)


def _inner(node: Node) -> list[Iterable[Node]]:
    what, of = node
    if what in _REPEATS:
        return [of[2]]
    if what is op.SUBPATTERN:
        return [of[3]]
    if what is op.BRANCH:
        return list(of[1])
    if what is op.ATOMIC_GROUP:
        return [of]
    if what in {op.ASSERT, op.ASSERT_NOT}:
        return [of[1]]
    if what is op.GROUPREF_EXISTS:
        return [each for each in of[1:] if each is not None]
    return []


def _sample(tree: Iterable[Node]) -> str:
    """Return a short text that is likely to match."""
    text = ""
    for node in tree:
        what, of = node
        if what in _ONE:
            text += next((each for each in _CHARACTERS if _accepts(node, each)), "")
        elif what in _REPEATS:
            text += _sample(of[2]) * min(of[0], 1_000)
        elif what in {op.SUBPATTERN, op.BRANCH, op.ATOMIC_GROUP}:
            text += _sample(_inner(node)[0])
    return text


def _accepts(node: Node, character: str) -> bool:
    what, of = node
    if what is op.IN:
        negated = of[0][0] is op.NEGATE
        return any(_accepts(each, character) for each in of[negated:]) is not negated
    if what is op.LITERAL:
        return bool(ord(character) == of)
    if what is op.NOT_LITERAL:
        return bool(ord(character) != of)
    if what is op.RANGE:
        return bool(of[0] <= ord(character) <= of[1])
    if what is op.CATEGORY:
        return _CATEGORIES[of](character)
    return character != "\n"  # ANY
