"""One small message there and back, in process."""

from __future__ import annotations

from tests.benchmarks.case import IN_PROCESS, Case, Goal, Series, in_process, repeat

__all__ = ["CASES", "everybody"]

_NAMES = {
    "aaah": "AAAH",
    "bare": "bare Channels",
    "raw": "raw ASGI",
    "rfc": "rest-framework-channels",
    "dcrf": "djangochannelsrestframework",
    "chanx": "chanx",
    "drf": "DRF over HTTP",
}


def everybody(scene: str, *contenders: str) -> tuple[Series, ...]:
    """Return a series for each contender, AAAH and bare Channels first."""
    return tuple(Series(_NAMES[each], each, scene) for each in ("aaah", "bare", *contenders))


CASES = (
    Case(
        name="echo",
        title="Async echo, in process, one in flight",
        series=everybody("echo", "raw", "rfc", "dcrf", "chanx"),
        units=IN_PROCESS,
        repetition=in_process,
        goals=(Goal("AAAH", 0.075, to="bare Channels"), Goal("AAAH", 1.6, to="raw ASGI")),
    ),
    Case(
        name="child",
        title="The same in a child route with `pk: int`, a permission and five more plugins",
        series=everybody("child", "raw", "rfc"),
        units=IN_PROCESS,
        repetition=in_process,
        goals=(Goal("AAAH", 1.6, to="raw ASGI"),),
    ),
    Case(
        name="sync",
        title="Sync action, in process, one in flight",
        series=everybody("sync", "rfc", "dcrf", "chanx"),
        units=IN_PROCESS,
        repetition=in_process,
        goals=(Goal("AAAH", 0.5, to="bare Channels"),),
    ),
    Case(
        name="parts",
        title="What AAAH does with the message of `child`, step by step, without loop and server",
        series=(
            Series("raw ASGI: decode, reply, encode", "raw", "work"),
            Series("decode, within the bounds", "parts", "decode"),
            Series("parse", "parts", "parse"),
            Series("dispatch: all from call to payload", "parts", "dispatch"),
            Series("- find the route's handler", "parts", "find"),
            Series("- middleware, checks, action, reply", "parts", "onion"),
            Series("- - both checks", "parts", "checks"),
            Series("- - bind the parameters and run", "parts", "action"),
            Series("- shape", "parts", "shape"),
            Series("encode", "parts", "encode"),
        ),
        units=("µs",),
        repetition=repeat,
        goals=(),
        base="raw ASGI: decode, reply, encode",
        agree=False,
    ),
)
