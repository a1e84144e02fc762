"""Binary frames that break a rule of MessagePack, or a bound that it alone can break."""

from __future__ import annotations

HELLO = b"\xa6action\xa5hello"


def data(value: bytes) -> bytes:
    """Return a good request with these bytes as its data."""
    return b"\x82" + HELLO + b"\xa4data" + value


def key(value: bytes) -> bytes:
    """Return a good request with one more key, which is these bytes."""
    return b"\x82" + HELLO + value + b"\x02"


def short(name: str, *values: bytes) -> tuple[str, tuple[int, list[bytes]]]:
    return f"MessagePack: {name} is there as far as its head says", (
        400,
        [*values, *(data(each) for each in values)],
    )


#: By rule: a status, and frames that get it.
GRAMMAR: dict[str, tuple[int, list[bytes]]] = {
    "MessagePack: a frame holds an object": (400, [b""]),
    "MessagePack: it holds one": (
        400,
        [b"\x81" + HELLO + b"\x81" + HELLO, b"\x81" + HELLO + b"\0"],
    ),
    "MessagePack: 0xc1 is no type": (400, [b"\xc1", data(b"\xc1"), key(b"\xc1")]),
    **dict(
        [
            short("a fixmap", b"\x81", b"\x82" + HELLO, b"\x81\xa1a"),
            short("a map 16", b"\xde", b"\xde\0", b"\xde\0\x01", b"\xde\0\x02\xa1a\x01"),
            short("a map 32", b"\xdf", b"\xdf\0\0\0", b"\xdf\0\0\0\x01", b"\xdf\0\0\0\x01\xa1a"),
            short("a fixarray", b"\x91", b"\x92\x01"),
            short("an array 16", b"\xdc", b"\xdc\0", b"\xdc\0\x01"),
            short("an array 32", b"\xdd", b"\xdd\0\0\0", b"\xdd\0\0\0\x02\x01"),
            short("a fixstr", b"\xa1", b"\xa5hell", b"\xbf"),
            short("a str 8", b"\xd9", b"\xd9\x01", b"\xd9\xffx"),
            short("a str 16", b"\xda", b"\xda\0", b"\xda\0\x02x"),
            short("a str 32", b"\xdb", b"\xdb\0\0\0", b"\xdb\0\0\0\x02x"),
            short("a bin 8", b"\xc4", b"\xc4\x01", b"\xc4\xffx"),
            short("a bin 16", b"\xc5", b"\xc5\0", b"\xc5\0\x02x"),
            short("a bin 32", b"\xc6", b"\xc6\0\0\0", b"\xc6\0\0\0\x02x"),
            short("a float 32", b"\xca", b"\xca\0\0\0"),
            short("a float 64", b"\xcb", b"\xcb\0\0\0\0\0\0\0"),
            short("a uint 8", b"\xcc"),
            short("a uint 16", b"\xcd", b"\xcd\0"),
            short("a uint 32", b"\xce", b"\xce\0\0\0"),
            short("a uint 64", b"\xcf", b"\xcf\0\0\0\0\0\0\0"),
            short("an int 8", b"\xd0"),
            short("an int 16", b"\xd1", b"\xd1\0"),
            short("an int 32", b"\xd2", b"\xd2\0\0\0"),
            short("an int 64", b"\xd3", b"\xd3\0\0\0\0\0\0\0"),
        ]
    ),
    "MessagePack: text is UTF-8": (
        400,
        [data(each) for each in (b"\xa1\xff", b"\xa2\xc0\x80", b"\xa1\x80", b"\xa2\xe2\x82")],
    ),
    "MessagePack: text has no surrogate": (
        400,
        [data(b"\xa3\xed\xa0\x80"), key(b"\xa3\xed\xbf\xbf")],
    ),
    "MessagePack: a key is no integer": (
        400,
        [key(b"\x01"), b"\x81\x01\x02", key(b"\xd3" + bytes(8))],
    ),
    "MessagePack: a key is no float": (400, [key(b"\xcb" + bytes(8))]),
    "MessagePack: a key is no bool": (400, [key(b"\xc3"), key(b"\xc2")]),
    "MessagePack: a key is not nil": (400, [key(b"\xc0")]),
    "MessagePack: a key is not bytes": (400, [key(b"\xc4\x01a"), b"\x81\xc4\x06action\xa5hello"]),
    "MessagePack: a key is no array": (400, [key(b"\x90"), key(b"\x91\xa1a")]),
    "MessagePack: a key is no map": (400, [key(b"\x80")]),
    "MessagePack: a key is no extension": (400, [key(b"\xd4\x05a")]),
    "MessagePack: there is no fixext": (
        400,
        [data(bytes([0xD4 + n]) + b"\x05" + bytes(2**n)) for n in range(5)],
    ),
    "MessagePack: there is no ext of a length": (
        400,
        [
            data(each)
            for each in (
                b"\xc7\0\x05",
                b"\xc7\x01\x05a",
                b"\xc8\0\x01\x05a",
                b"\xc9\0\0\0\x01\x05a",
            )
        ],
    ),
    "MessagePack: an ext as long as nothing is, is none": (
        400,
        [data(b"\xc9\xff\xff\xff\xff\x05"), data(b"\xc8\xff\xff\x05"), b"\xc7\xff\x05"],
    ),
    "MessagePack: there is no timestamp": (
        400,
        [
            data(each)
            for each in (
                *(b"\xd6\xff\0\0\0\0", b"\xd7\xff" + bytes(8), b"\xc7\x0c\xff" + bytes(12)),
                *(b"\xd7\xff" + b"\xff" * 8, b"\xc7\x0c\xff" + b"\xff" * 12),
                *(b"\xc7\x05\xff" + bytes(5), b"\xc7\0\xff"),
            )
        ],
    ),
    "MessagePack: a number is a number": (
        400,
        [data(b"\xcb\x7f\xf8" + bytes(6)), data(b"\xca\x7f\xc0\0\0")],
    ),
    "a float is within its range": (
        400,
        [
            data(b"\xcb\x7f\xf0" + bytes(6)),
            data(b"\xcb\xff\xf0" + bytes(6)),
            data(b"\xca\x7f\x80\0\0"),
        ],
    ),
    "MessagePack: an action is text and not bytes": (400, [b"\x81\xa6action\xc4\x05hello"]),
    "MessagePack: a route is text and not bytes": (400, [b"\x82" + HELLO + b"\xa5route\xc4\x01a"]),
    "MessagePack: a request_id is not bytes": (400, [b"\x82" + HELLO + b"\xaarequest_id\xc4\x01a"]),
    "of a key that stands twice the last wins": (
        200,
        [b"\x82\xa6action\xa4none" + HELLO, b"\x82\xa6action\xc0" + HELLO],
    ),
}

#: Levels and lengths; whether its length or its end is what a codec finds wrong first is up to it.
BOUNDS: dict[str, tuple[tuple[int, ...], list[bytes]]] = {
    "a message has 32 levels at most": (
        (400, 413),
        [b"\x91" * each + b"\xc0" for each in (33, 1_000, 1_100, 100_000)]
        + [
            b"\xdc\x27\x10" * 1_020,
            b"\xde\x27\x10\xa1a" * 1_020,
            b"\x91" * 100_000,
            b"\x81\xa1a" * 33 + b"\xc0",
            b"\x81" * 100_000,
        ],
    ),
    "MessagePack: an array is no longer than a message": ((400, 413), [b"\xdd\xff\xff\xff\xff"]),
    "MessagePack: a map is no longer than a message": ((400, 413), [b"\xdf\xff\xff\xff\xff"]),
    "MessagePack: text is no longer than a message": ((400, 413), [b"\xdb\xff\xff\xff\xff"]),
    "MessagePack: bytes are no longer than a message": ((400, 413), [b"\xc6\xff\xff\xff\xff"]),
    "a message has 10,000 members at most": (
        (413,),
        [b"\xdd\0\x03\xff\xf0" + each * 0x3FFF0 for each in (b"\x90", b"\x80", b"\xc0")],
    ),
}

#: What only a codec of bytes refuses.
KIND: dict[str, tuple[int, list[str]]] = {
    "a codec of bytes reads bytes": (415, ['{"action": "hello"}', "", "x"]),
}
