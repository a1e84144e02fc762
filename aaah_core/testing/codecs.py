"""Whether a codec keeps the rules that all codecs keep."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from aaah_core.errors import DecodeError, EncodeError
from aaah_core.interfaces import Codec
from aaah_core.limits import Limits
from aaah_core.plain import MAX_DEPTH, to_plain
from aaah_core.requirements import CODEC_NAME
from aaah_core.testing.samples import FOREIGN, REFUSED, VALUES, nested, rubbish

__all__ = ["assert_codec_conforms"]

_FRAMES: dict[str, type[str | bytes]] = {"text": str, "bytes": bytes}


def assert_codec_conforms(
    codec: Codec,
    *,
    dumps: Callable[[Any], str | bytes] | None = None,
    duplicates: str | bytes | None = None,
) -> None:
    """Hold a codec to the rules of all codecs: what it writes, reads and refuses, and how.

    It tries the same frames each time, in well under a second.

    Args:
        codec: The codec, as a plugin offers it.
        dumps: The format's own writer, such as ``json.dumps``: for what a client can send and the
            codec would not write. What it cannot write either is left out.
        duplicates: A frame of an object that has the key `a` twice, first 1 and then 2, where the
            format can say that.

    Raises:
        AssertionError: It breaks rules; the message has a line for each, with what to do.
    """
    faults = _faults_of_class(codec)
    if not faults:
        faults += _faults_of_writing(codec)
    if not faults:
        frames = [codec.encode(value) for value in VALUES]
        faults += _faults_of_bounds(codec)
        faults += _faults_of_foreign(codec, dumps)
        faults += _faults_of_duplicates(codec, duplicates)
        faults += _faults_of_more(codec)
        faults += _faults_of_cut_frames(codec)
        faults += _faults_of_rubbish(codec, frames)
    if faults:
        lines = "\n".join(f"- {fault}" for fault in dict.fromkeys(faults))
        raise AssertionError(f"The codec {codec!r} does not conform:\n{lines}")


def _faults_of_class(codec: Any) -> list[str]:
    if not isinstance(codec, Codec):
        return ["It is no Codec: give an object of a class that inherits aaah_core.Codec."]
    name, frame = getattr(codec, "name", None), getattr(codec, "frame", None)
    faults = []
    if not (isinstance(name, str) and CODEC_NAME.fullmatch(name)):
        faults.append(
            f"Its `name` is {name!r}, and stands in the subprotocol aaah.<name>: use small "
            f"letters, digits, dots, hyphens and underscores."
        )
    if frame not in _FRAMES:
        faults.append(f"Its `frame` is {frame!r}: use 'text' or 'bytes'.")
    return faults


def _faults_of_writing(codec: Codec) -> list[str]:
    faults = []
    for value in VALUES:
        try:
            frame = codec.encode(value)
            read = codec.decode(frame, Limits(digits=1000))
        except Exception as error:  # noqa: BLE001 - whatever a codec raises, it is to be said
            faults.append(
                f"{_short(value)} raised {error!r}: let `encode` write to_plain(payload), and "
                f"`decode` read what `encode` wrote."
            )
            continue
        if type(frame) is not _FRAMES[codec.frame]:
            faults.append(
                f"`encode` returned {type(frame).__name__}, and `frame` says {codec.frame!r}."
            )
        if not any(_same(read, to_plain(value, keep_bytes=keep)) for keep in (False, True)):
            faults.append(
                f"{_short(value)} came back as {_short(read)}: let `encode` write "
                f"to_plain(payload), which is {_short(to_plain(value))}."
            )
    for value in [*REFUSED, nested(MAX_DEPTH + 1)]:
        said = _raised(codec.encode, value)
        if not isinstance(said, EncodeError):
            faults.append(
                f"Writing {_short(value)} {_told(said)}, and EncodeError is due: let `encode` "
                f"write to_plain(payload), which raises it."
            )
    return faults


def _faults_of_bounds(codec: Codec) -> list[str]:
    limits = Limits(depth=5, items=50)
    within = [nested(5), [0] * 50, {str(n): n for n in range(50)}, [[0] * 24, [0] * 24]]
    beyond = [
        ("deep", nested(6)),
        ("deep", nested(90)),
        ("wide", [0] * 51),
        ("wide", {str(n): n for n in range(51)}),
        ("wide", [[0] * 25, [0] * 25]),
    ]
    call = "let `decode` call check_bounds(payload, limits) at its end"
    faults = [
        f"{_short(value)} is within its limits, and reading it {_told(said)}."
        for value in within
        if (said := _raised(codec.decode, codec.encode(value), limits)) is not None
    ]
    for kind, value in beyond:
        said = _raised(codec.decode, codec.encode(value), limits)
        if (fault := _refusal(said, (413,))) is not None:
            faults.append(f"A payload that is too {kind} {fault}: {call}.")
    return faults


def _faults_of_foreign(codec: Codec, dumps: Callable[[Any], str | bytes] | None) -> list[str]:
    faults = []
    for what, value, statuses in FOREIGN:
        try:
            frame = (dumps or codec.encode)(value)
        except Exception:  # noqa: BLE001, S112 - what nobody can write, nobody can send
            continue
        said = _raised(codec.decode, frame, Limits())
        if said is None and dumps is None and _same(codec.decode(frame, Limits()), [None]):
            continue  # a NaN that went out as null
        if (fault := _refusal(said, statuses)) is not None:
            faults.append(
                f"A frame with {what} {fault}: let `decode` call check_bounds(payload, limits)."
            )
    return faults


def _faults_of_duplicates(codec: Codec, frame: str | bytes | None) -> list[str]:
    if frame is None:
        return []
    try:
        read = codec.decode(frame, Limits())
    except Exception as error:  # noqa: BLE001 - as above
        return [f"A key that comes twice raised {error!r}: the last of them wins."]
    if read != {"a": 2}:
        return [f"A key that comes twice gave {_short(read)}: the last of them wins, {{'a': 2}}."]
    return []


def _faults_of_more(codec: Codec) -> list[str]:
    """Look at a frame of two payloads: the second must not vanish."""
    frame: Any = codec.encode([1])
    try:
        read = codec.decode(frame + codec.encode([2]), Limits())
    except Exception:  # noqa: BLE001 - what it raises is looked at with the rubbish
        return []
    if read != [1]:
        return []
    return [
        "What follows a payload in its frame is passed over: refuse what comes after a payload."
    ]


def _faults_of_cut_frames(codec: Codec) -> list[str]:
    """Look at frames that end too early: of a number, a part may be a number; of these, none is.

    A format of text may end anywhere, as YAML does.
    """
    if codec.frame == "text":
        return []
    for value in ({"a": [1, "b"], "c": {}}, ["x" * 40, {"a": None}]):
        frame: Any = codec.encode(value)
        for length in range(1, len(frame.rstrip())):
            try:
                read = codec.decode(frame[:length], Limits())
            except Exception:  # noqa: BLE001, S112 - what it raises is looked at with the rubbish
                continue
            told = f"A frame of {len(frame)} bytes that is cut off after {length} was read as"
            return [f"{told} {_short(read)}: let `decode` refuse what has no end."]
    return []


def _faults_of_rubbish(codec: Codec, frames: list[str | bytes]) -> Iterator[str]:
    for frame in rubbish(codec, frames):
        try:
            read = codec.decode(frame, Limits())
            if not _same(read, to_plain(read, keep_bytes=True)):
                yield (
                    f"The frame {_short(frame)} was read as {_short(read)}, which is no plain "
                    f"data: let `decode` call check_bounds(payload, limits)."
                )
        except DecodeError:
            continue
        except EncodeError as error:
            yield (
                f"The frame {_short(frame)} was read as what JSON does not have ({error}): let "
                f"`decode` call check_bounds(payload, limits)."
            )
        except Exception as error:  # noqa: BLE001 - as above
            yield (
                f"The frame {_short(frame)} raised {type(error).__name__}: let `decode` raise "
                f"DecodeError, and nothing else, for whatever arrives."
            )
            return  # one is enough to go on with


def _same(one: Any, other: Any) -> bool:
    """Return whether two payloads are the same, to the types of their values."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(_same, one, other))
    return bool(one == other)


def _raised(function: Callable[..., Any], *arguments: Any) -> Exception | None:
    try:
        function(*arguments)
    except Exception as error:  # noqa: BLE001 - what it is is the question
        return error
    return None


def _refusal(said: Exception | None, statuses: tuple[int, ...]) -> str | None:
    """Return what is wrong with what a codec made of a frame that it must refuse."""
    wanted = " or ".join(map(str, statuses))
    if not isinstance(said, DecodeError):
        return f"{_told(said)}, and DecodeError with {wanted} is due"
    if said.status not in statuses:
        return f"is refused with {said.status}, and {wanted} is due"
    return None


def _told(said: Exception | None) -> str:
    return "raised nothing" if said is None else f"raised {type(said).__name__}"


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:50]}… ({len(text)} characters)"
