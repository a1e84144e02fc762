"""Whether plugins and codecs keep the rules, and what is said of each that they break."""

from __future__ import annotations

import json
import math
import sys
import zlib
from io import BytesIO

import cbor2
import msgpack
import pytest
from django.test import override_settings

from aaah_core import Codec, DecodeError, conf, to_plain
from aaah_core.defaults.json import JSONCodec
from aaah_core.limits import check_bounds
from aaah_core.testing import assert_codec_conforms, assert_plugin_conforms
from aaah_msgpack.codec import MessagePackCodec

# Codecs.


class CBORCodec(Codec):
    """The shortest one that conforms."""

    name = "cbor"
    frame = "bytes"

    def encode(self, payload):
        return cbor2.dumps(to_plain(payload, keep_bytes=True))

    def decode(self, frame, limits):
        try:
            stream = BytesIO(frame)
            payload = cbor2.load(stream)
            if stream.read():
                raise ValueError("more than one item")
        except Exception as error:
            raise DecodeError from error
        check_bounds(payload, limits)
        return payload


@pytest.mark.parametrize(
    ("codec", "dumps", "duplicates"),
    [
        (JSONCodec(), json.dumps, '{"a": 1, "a": 2}'),
        (JSONCodec(), None, None),
        (MessagePackCodec(), msgpack.packb, b"\x82\xa1a\x01\xa1a\x02"),
        (MessagePackCodec(), None, None),
        (CBORCodec(), None, None),
        (CBORCodec(), cbor2.dumps, None),
    ],
)
def test_our_codecs_and_a_short_one_of_a_stranger_conform(codec, dumps, duplicates):
    assert_codec_conforms(codec, dumps=dumps, duplicates=duplicates)


def loads(frame):
    try:
        return json.loads(frame)
    except (ValueError, RecursionError, TypeError) as error:
        raise DecodeError from error


class Plain(Codec):
    """JSON by the standard library; its children break a rule each."""

    name = "plain"
    frame = "text"

    def encode(self, payload):
        return json.dumps(to_plain(payload))

    def decode(self, frame, limits):
        payload = loads(frame)
        check_bounds(payload, limits)
        return payload


class Named(Plain):
    name = "Not a token"


class Framed(Plain):
    frame = "letters"


class Kind(Plain):
    frame = "bytes"


class Raw(Plain):
    def encode(self, payload):
        return json.dumps(payload)


class Careless(Plain):
    def encode(self, payload):
        return json.dumps(payload, default=str)


class Unbounded(Plain):
    def decode(self, frame, limits):
        return loads(frame)


class Leaking(Plain):
    def decode(self, frame, limits):
        payload = json.loads(frame)
        check_bounds(payload, limits)
        return payload


class Mean(Plain):
    def decode(self, frame, limits):
        payload = super().decode(frame, limits)
        if isinstance(payload, list) and len(payload) > 30:
            raise DecodeError
        return payload


class Tupled(Plain):
    def decode(self, frame, limits):
        payload = super().decode(frame, limits)
        return tuple(payload) if isinstance(payload, list) else payload


class First(Plain):
    def decode(self, frame, limits):
        payload = super().decode(frame, limits)
        return {"a": 1} if payload == {"a": 2} else payload


class Hasty(Plain):
    def decode(self, frame, limits):
        try:
            payload, _ = json.JSONDecoder().raw_decode(frame)
        except (ValueError, RecursionError, TypeError) as error:
            raise DecodeError from error
        check_bounds(payload, limits)
        return payload


BROKEN = {
    "no codec": ("json", ["It is no Codec", "inherits aaah_core.Codec"]),
    "a name": (Named(), ["`name` is 'Not a token'", "use small letters"]),
    "a frame": (Framed(), ["`frame` is 'letters'", "use 'text' or 'bytes'"]),
    "a frame of the other kind": (Kind(), ["`encode` returned str", "`frame` says 'bytes'"]),
    "no table": (Raw(), ["raised TypeError", "let `encode` write to_plain(payload)"]),
    "another table": (Careless(), ["came back as", "EncodeError is due"]),
    "no bounds": (
        Unbounded(),
        ["too deep raised nothing", "too wide raised nothing", "check_bounds(payload, limits)"],
    ),
    "another error": (Leaking(), ["raised JSONDecodeError", "DecodeError, and nothing else"]),
    "too strict": (Mean(), ["raised DecodeError", "read what `encode` wrote"]),
    "what follows": (Hasty(), ["passed over", "refuse what comes after a payload"]),
    "tuples": (Tupled(), ["came back as ()"]),
}


@pytest.mark.parametrize(("codec", "says"), BROKEN.values(), ids=BROKEN)
def test_a_codec_that_breaks_a_rule_is_told_which_and_what_to_do(codec, says):
    with pytest.raises(AssertionError) as caught:
        assert_codec_conforms(codec)
    for part in ["does not conform:\n- ", *says]:
        assert part in str(caught.value)


@pytest.mark.parametrize(
    "what", ["NaN", "Infinity", "an integer above 2**64 - 1", "an integer of 1,000 digits"]
)
def test_what_only_the_formats_own_writer_writes_must_be_refused(what):
    with pytest.raises(AssertionError) as caught:
        assert_codec_conforms(Unbounded(), dumps=json.dumps)
    assert f"A frame with {what} raised nothing" in str(caught.value)


def test_the_status_of_a_refusal_is_looked_at():
    class Strict(Plain):
        def decode(self, frame, limits):
            try:
                return super().decode(frame, limits)
            except DecodeError as error:
                raise DecodeError(status=400) from error

    with pytest.raises(AssertionError, match="too deep is refused with 400, and 413 is due"):
        assert_codec_conforms(Strict())


def test_the_last_of_two_keys_wins():
    with pytest.raises(AssertionError, match="the last of them wins"):
        assert_codec_conforms(First(), duplicates='{"a": 1, "a": 2}')


def test_what_is_read_must_be_plain_data():
    class Sets(Plain):
        def decode(self, frame, limits):
            return {1} if frame[:1] == "\x01" else super().decode(frame, limits)

    class Numbers(Plain):
        def decode(self, frame, limits):
            return math.inf if frame[:1] == "\x01" else super().decode(frame, limits)

    class Objects(Plain):
        def decode(self, frame, limits):
            return object() if frame[:1] == "\x01" else super().decode(frame, limits)

    for codec, says in ((Sets(), "no plain data"), (Numbers(), "no plain"), (Objects(), "JSON")):
        with pytest.raises(AssertionError, match=says):
            assert_codec_conforms(codec)


class Deflated(Plain):
    """Compressed JSON that never asks whether it has all of a frame; it may end with a newline."""

    frame = "bytes"
    end = b""

    def encode(self, payload):
        return zlib.compress(super().encode(payload).encode()) + self.end

    def decode(self, frame, limits):
        inflating = zlib.decompressobj()
        try:
            text = inflating.decompress(frame).decode()
        except (TypeError, ValueError, zlib.error) as error:
            raise DecodeError from error
        if inflating.unused_data not in (b"", self.end) or self.unfinished(inflating):
            raise DecodeError
        return super().decode(text, limits)

    def unfinished(self, inflating):
        return False


def test_a_frame_of_bytes_that_is_cut_off_must_be_refused():
    with pytest.raises(AssertionError, match=r"cut off after \d+ was read as .*has no end"):
        assert_codec_conforms(Deflated())


def test_a_newline_at_the_end_of_a_frame_may_be_cut_off():
    class Lines(Deflated):
        end = b"\n"

        def unfinished(self, inflating):
            return not inflating.eof

    assert_codec_conforms(Lines())


# Plugins.


@pytest.fixture(autouse=True)
def no_declarations(monkeypatch):
    """Forget the settings that plugins of a test declared."""
    monkeypatch.setattr(conf, "declared", dict(conf.declared))


CODEC = """
from aaah_core import hookimpl

@hookimpl
def aaah_codecs():
    return []
"""


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Install a package with one plugin, as a well-made distribution would."""
    made = []

    def install(
        name, source=CODEC, *, requires="aaah-core>=0.1,<0.2", init="", marker=True, single=False
    ):
        package = f"aaah_{name}"
        made.append(package)
        module = package if single else f"{package}.plugin"
        if single:
            (tmp_path / f"{package}.py").write_text(source)
        else:
            (tmp_path / package).mkdir()
            (tmp_path / package / "plugin.py").write_text(source)
            if init is not None:
                (tmp_path / package / "__init__.py").write_text(init)
            if marker:
                (tmp_path / package / "py.typed").touch()
        folder = tmp_path / f"{package}-1.0.dist-info"
        folder.mkdir()
        lines = ["Metadata-Version: 2.1", f"Name: aaah-{name}", "Version: 1.0"]
        lines += [f"Requires-Dist: {need}" for need in [requires] if need]
        (folder / "METADATA").write_text("\n".join([*lines, ""]))
        (folder / "entry_points.txt").write_text(f"[aaah]\n{name} = {module}\n")

    monkeypatch.syspath_prepend(tmp_path)
    yield install
    for module in list(sys.modules):
        if module.partition(".")[0] in made:
            del sys.modules[module]


def faults(name):
    with pytest.raises(AssertionError) as caught:
        assert_plugin_conforms(name)
    return str(caught.value)


def test_a_plugin_that_keeps_the_rules_conforms(install):
    install("moth")
    assert_plugin_conforms("moth")


@pytest.mark.parametrize("name", ["wire", "msgpack", "drf"])
def test_our_own_plugins_conform(name):
    assert_plugin_conforms(name)


def test_a_plugin_that_is_not_installed_is_told_how_to_be():
    message = faults("msgpak")
    for part in ["'msgpak' is installed; did you mean 'msgpack'?", "pip install -e ."]:
        assert part in message


SETTINGS = """
from dataclasses import dataclass
from aaah_core import plugin_settings

@dataclass
class Settings:
    path: str

settings = plugin_settings("{name}", Settings)
"""
HOOK = "from aaah_core import *\n@hookimpl\ndef {}:\n    return {}\n"
MISSHAPEN = {
    "a hook misspelt": (
        {"source": "from aaah_core import hookimpl\n@hookimpl\ndef aaah_codec(): ...\n"},
        ["aaah_codec, which is no hook; did you mean 'aaah_codecs'?"],
    ),
    "heavy imports": (
        {"source": f"import rest_framework\n{CODEC}"},
        ["imports rest_framework", "inside the hook's body"],
    ),
    "imports of what it needs": (
        {
            "source": f"import cbor2\n{CODEC}",
            "requires": "cbor2",
        },
        ["imports cbor2", "inside the hook's body", "does not need aaah-core"],
    ),
    "imports that need settings": (
        {"source": f"from django.contrib.auth.models import User\n{CODEC}"},
        ["cannot be imported before Django is set up", "inside the hook's body"],
    ),
    "settings of another name": (
        {"source": SETTINGS.format(name="moths").replace("str", "str = ''") + CODEC},
        ["declares its settings as 'moths'", "plugin_settings('moth', Settings)"],
    ),
    "an answer of the wrong kind": (
        {"source": HOOK.format("aaah_codecs()", "7")},
        ["its aaah_codecs returned 7"],
    ),
    "a codec that is taken": (
        {"source": HOOK.format("aaah_codecs()", "[type('J', (Codec,), dict(name='json', "
         "frame='text', encode=len, decode=max))()]")},
        ["The codec 'json' is offered twice"],
    ),
    "a codec that does not conform": (
        {"source": HOOK.format("aaah_codecs()", "[type('J', (Codec,), dict(name='jay', "
         "frame='text', encode=len, decode=max))()]")},
        ["does not conform", "let `encode` write to_plain(payload)"],
    ),
    "every wire": (
        {"source": HOOK.format(
            "aaah_request_parser(consumer_class)",
            "None if consumer_class.wire == 'aaah' else print")},
        ["aaah_request_parser answers for every wire", "return None unless"],
    ),
    "every permission": (
        {"source": HOOK.format("aaah_permission_check(permission)", "Check()")},
        ["answered for a plain object()", "return None for what is not its own"],
    ),
    "any core": ({"requires": "aaah-core"}, ["It needs aaah-core: say from and below which"]),
    "no end of cores": ({"requires": "aaah-core>=0.1"}, ["aaah-core>=0.1,<0.2"]),
    "one core": ({"requires": "aaah-core==0.1.0"}, ["It needs aaah-core==0.1.0"]),
    "an init that runs": ({"init": "VERSION = 1\n"}, ["__init__.py is not empty", "Empty it"]),
    "no init": ({"init": None}, ["has no __init__.py"]),
    "no marker": ({"marker": False}, ["has no py.typed"]),
    "no package": ({"single": True}, ["is a single file", "make it a package"]),
}  # fmt: skip


@pytest.mark.parametrize(("options", "says"), MISSHAPEN.values(), ids=MISSHAPEN)
def test_a_plugin_that_breaks_a_rule_is_told_which_and_what_to_do(install, options, says):
    install("moth", **options)
    message = faults("moth")
    for part in ["The plugin 'moth' does not conform:\n- ", *says]:
        assert part in message


@pytest.mark.parametrize("values", [{}, {"moth": {"path": "here"}}], ids=["unset", "set"])
def test_settings_without_defaults_are_refused_also_where_this_project_sets_them(install, values):
    install("moth", SETTINGS.format(name="moth") + CODEC)
    with override_settings(AAAH={"PLUGIN_SETTINGS": values}):
        message = faults("moth")
    assert "plugin_settings('moth', Settings): the key 'path' has no default" in message
    assert "Give it one. To go on, mend the plugin" in message


def test_a_need_that_is_not_installed_is_no_import(install):
    install("moth", requires="nowhere-at-all")
    message = faults("moth")
    assert "does not need aaah-core" in message
    assert "imports" not in message


def test_a_name_that_settings_could_not_say_is_refused(install):
    install("Moth")
    assert "name the entry point with small letters" in faults("Moth")
