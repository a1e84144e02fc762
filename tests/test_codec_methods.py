"""A codec whose methods take other arguments is refused at start, and not by each message."""

from __future__ import annotations

import json

import pytest

from aaah_core import AsyncAPIConsumer, Codec, ConfigurationError
from aaah_core.testing import registry
from tests.conftest import plugin


def codec(**methods):
    """Return a codec with these methods in the place of right ones."""
    right = {
        "encode": lambda self, payload: json.dumps(payload),
        "decode": lambda self, frame, limits: json.loads(frame),
    }
    return type("Mine", (Codec,), {"name": "mine", "frame": "text", **right, **methods})()


def refusal(offered, codecs):
    made = type("Shop", (AsyncAPIConsumer,), {"codecs": codecs})
    with registry(plugin(aaah_codecs=lambda: offered)), pytest.raises(ConfigurationError) as said:
        made.as_asgi()
    return str(said.value)


@pytest.mark.parametrize(
    ("methods", "says"),
    [
        ({"decode": lambda self, frame: 1}, "its decode cannot be called as decode(frame, limits)"),
        ({"encode": lambda self: 1}, "its encode cannot be called as encode(payload)"),
        ({"encode": lambda self, payload, indent: 1}, "as encode(payload)"),
    ],
)
def test_it_is_told_with_how_it_is_called(methods, says):
    wrong = codec(**methods)
    assert says in refusal([wrong], ["mine"])
    assert says in refusal([], [wrong])


@pytest.mark.parametrize(
    "methods",
    [{}, {"decode": lambda self, *args: {}}, {"encode": lambda self, payload, indent=1: "{}"}],
)
def test_one_that_can_be_called_is_not(methods):
    made = type("Shop", (AsyncAPIConsumer,), {"codecs": [codec(**methods)]})
    with registry():
        assert made.as_asgi()
