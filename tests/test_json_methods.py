"""`encode_json` and `decode_json` of Channels, which consumers of ours leave to codecs."""

from __future__ import annotations

import pytest
from django.core.checks import Warning as CheckWarning

from aaah_core import AsyncAPIConsumer
from rest_framework_channels.consumers import AsyncAPIConsumer as OtherConsumer
from tests.system_checks import found, no_leftovers

__all__ = ["no_leftovers"]  # a fixture that all here use

pytestmark = pytest.mark.usefixtures("core")


@classmethod
async def plainly(cls, content):
    return content


@pytest.mark.parametrize("method", [plainly, staticmethod(print), lambda self, content: content])
@pytest.mark.parametrize("name", ["encode_json", "decode_json"])
def test_one_that_is_overridden_is_w006_and_says_what_to_write(name, method):
    shop = type("Shop", (AsyncAPIConsumer,), {name: method})
    child = type("Child", (shop,), {})
    (warning,) = found("aaah.W006")  # once, of the class that has it
    assert isinstance(warning, CheckWarning)
    assert warning.msg == f"Shop overrides {name}(), and nobody calls it."
    assert "codec" in warning.hint
    assert child.__name__ == "Child"


def test_one_whose_class_sends_by_itself_may_be_called_by_that():
    async def send_json(self, content, close=False):
        await self.send(text_data=await self.encode_json(content))

    shop = type("Shop", (AsyncAPIConsumer,), {"encode_json": plainly, "send_json": send_json})
    assert found("aaah.W006") == []
    assert shop.__name__ == "Shop"


def test_a_family_that_calls_it_is_left_alone():
    shop = type("Shop", (OtherConsumer,), {"encode_json": plainly})
    assert found("aaah.W006") == []
    assert shop.__name__ == "Shop"
