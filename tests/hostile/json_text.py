"""Text frames that break a rule of JSON (RFC 8259), or a bound that JSON alone can break."""

from __future__ import annotations

#: By rule: a status, and frames that get it.
GRAMMAR: dict[str, tuple[int, list[str]]] = {
    "JSON: a text holds a value": (400, ["", "  ", "\n\t\r"]),
    "JSON: nothing follows the value": (
        400,
        ['{"action": "hello"}{"action": "hello"}', '{"action": "hello"} x', '{"action": "hello"}]'],
    ),
    "JSON: no byte order mark stands before it": (400, ['\ufeff{"action": "hello"}']),
    "JSON: white space is space, tab and line ends": (
        400,
        [f'{{"action":{each}"hello"}}' for each in "\xa0\f\v\u2028\u3000\x1f\x7f"],
    ),
    "JSON: there are three literal names": (
        400,
        ["hello", "undefined", "nul", "nulll", '{"action": none}', '{"a": truefalse}'],
    ),
    "JSON: literal names are of small letters": (400, ['{"a": True}', '{"a": NULL}', "FALSE"]),
    "JSON: an object ends with }": (400, ['{"action": "hello"', '{"action": {"a": 1}', "{"]),
    "JSON: an array ends with ]": (400, ['{"action": ["hello"', "[1", "[", '{"a": [1}']),
    "JSON: what is closed was opened": (400, ["]", "}", '{"a": 1]}', "[1}"]),
    "JSON: parentheses hold nothing": (400, ["()", '("action": "hello")', '{"a": (1, 2)}']),
    "JSON: a key is text": (
        400,
        ['{action: "hello"}', "{1: 2}", "{null: 1}", "{[]: 1}", "{: 1}", '{"a": 1, {}: 2}'],
    ),
    "JSON: a key is followed by a colon": (
        400,
        ['{"action" "hello"}', '{"action"}', '{"a", "b"}', '{"a" = 1}', '{"a" => 1}'],
    ),
    "JSON: there is one colon": (400, ['{"action":: "hello"}', '{"a": : 1}', '{"a": 1: 2}']),
    "JSON: a colon is followed by a value": (400, ['{"action":}', '{"a": , "b": 1}']),
    "JSON: a colon stands in no array": (400, ['["action": "hello"]', "[1: 2]"]),
    "JSON: a comma stands between members": (400, ['{"a": 1 "b": 2}', '{"a": 1; "b": 2}']),
    "JSON: a comma stands between items": (400, ["[1 2]", "[1; 2]", '["a" "b"]', "[[][]]"]),
    "JSON: no comma stands before the first": (400, ['{, "a": 1}', "[, 1]"]),
    "JSON: no comma stands after the last member": (400, ['{"action": "hello",}', "{,}"]),
    "JSON: no comma stands after the last item": (400, ["[1,]", "[,]", '{"a": [1, ]}']),
    "JSON: two commas have something between": (400, ["[1,, 2]", '{"a": 1,, "b": 2}']),
    "JSON: there are no comments": (
        400,
        ['{"action": /* or */ "hello"}', '{"action": "hello"} // it', '# it\n{"action": "hello"}'],
    ),
    "JSON: text stands in double quotes": (
        400,
        ["{'action': 'hello'}", "{\"action\": 'hello'}", '{"action": `hello`}', "\u201ca\u201d"],
    ),
    "JSON: text ends with its quote": (400, ['{"action": "hel', '"', '{"action": "hello}', '"\\"']),
    "JSON: text has no control character": (
        400,
        [f'{{"action": "hello", "data": "{chr(each)}"}}' for each in range(0x20)],
    ),
    "JSON: an escape is one of nine": (
        400,
        [f'{{"action": "hello", "data": "\\{each}"}}' for each in ("x41", "'", "0", "a", "U0041")],
    ),
    "JSON: an escape stands in text": (400, [r"\u0022action\u0022", r'{"a": \n1}', "\\"]),
    "JSON: an escape of a character has four digits of sixteen": (
        400,
        [
            f'{{"action": "hello", "data": "\\u{each}"}}'
            for each in ("", "12", "12g4", "{41}", "-001")
        ],
    ),
    "JSON: a high surrogate is followed by a low one": (
        400,
        [
            f'{{"action": "hello", "data": "{each}"}}'
            for each in (r"\ud800", r"\ud800x", r"\ud83d\ud83d", r"\udbff\u0041", r"\uD83D\n")
        ],
    ),
    "JSON: a low surrogate follows a high one": (
        400,
        [f'{{"action": "hello", "data": "{each}"}}' for each in (r"\udc00", r"\udfff\ud800")],
    ),
    "JSON: a number has no zero before it": (400, ["01", '{"a": 00}', '{"a": -01}', "[007]"]),
    "JSON: a number has no plus": (400, ["+1", '{"a": +0}']),
    "JSON: a minus stands before a digit": (400, ["-", "--1", '{"a": - 1}', "-a", "[\u22121]"]),
    "JSON: a digit stands before the point": (400, [".5", "-.5", '{"a": .0}']),
    "JSON: a digit stands after the point": (400, ["1.", "[1.]", "1.e5", '{"a": -0.}']),
    "JSON: a number has one point": (400, ["1.2.3", "[1..2]", "1e5.5"]),
    "JSON: an exponent has a digit": (400, ["1e", "1E+", "[1e-]", "1e+-1", "1ee5"]),
    "JSON: digits are of ten and of ASCII": (
        400,
        ["0x10", "0o7", "0b1", "\uff11\uff12", '{"a": 1F}', "\u0663"],
    ),
    "JSON: nothing separates digits": (400, ["1_000", "1 000", "1'000"]),
    "JSON: a number is a number": (
        400,
        [
            f'{{"action": "hello", "data": {each}}}'
            for each in ("NaN", "Infinity", "-Infinity", "nan")
        ],
    ),
}

#: What only JSON can say.
BOUNDS: dict[str, tuple[int, list[str]]] = {
    "a float is within its range": (
        400,
        [f'{{"action": "hello", "data": {each}}}' for each in ("1e400", "-1e999", "[1e309]")],
    ),
    "an integer is 2**64 - 1 at most": (
        400,
        [
            '{"action": "hello", "data": 18446744073709551616}',
            '{"action": "hello", "request_id": 18446744073709551616}',
            '{"action": "hello", "data": ' + "9" * 640 + "}",
        ],
    ),
    "an integer is -2**63 at least": (
        400,
        ['{"action": "hello", "data": -9223372036854775809}', '{"action": -' + "9" * 30 + "}"],
    ),
    "an integer has 640 digits at most": (
        413,
        [
            '{"action": "hello", "data": ' + "9" * each + "}"
            for each in (641, 4_300, 5_000, 200_000)
        ],
    ),
    "a message has 32 levels at most": (
        413,
        ["[" * 100_000, "[" * 100_000 + "]" * 100_000, '{"a":' * 50_000, "[" * 1_000 + "]" * 1_000],
    ),
    "an escaped NUL is one too": (
        400,
        [r'{"action": "hello", "data": "\u0000"}', r'{"action": "hello", "\u0000": 1}'],
    ),
    "of a key that stands twice the last wins": (
        200,
        ['{"action": "nothing", "action": "hello"}', '{"action":"hello","data":{"a":1,"a":2}}'],
    ),
    "an escaped key is the key": (200, ['{"\\u0061ction": "\\u0068ello"}']),
}

#: A character that UTF-8 does not have: only a server that did not look could bring it.
NO_UTF8 = {"text is UTF-8": (400, ['{"action": "hello", "data": "\ud800"}', '{"\udfff": 1}'])}

#: What only a codec of text refuses.
KIND: dict[str, tuple[int, list[bytes]]] = {
    "a codec of text reads text": (415, [b'{"action": "hello"}', b"", b"\x81\xa6action\xa5hello"]),
}
