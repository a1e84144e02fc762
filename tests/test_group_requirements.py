"""What a start requires where every connection is to join a group: a channel layer."""

from __future__ import annotations

import pytest
from channels.layers import InMemoryChannelLayer, channel_layers
from django.test import override_settings

from aaah_core import AsyncAPIConsumer, ConfigurationError
from aaah_core.testing import Refused, connect
from tests.conftest import consumer
from tests.system_checks import found, no_leftovers

__all__ = ["no_leftovers"]  # a fixture that all here use

pytestmark = pytest.mark.usefixtures("core")


@pytest.fixture
def no_layer():
    with override_settings(CHANNEL_LAYERS={}):
        yield


NAMED = [{"groups": ["news"]}, {"group_send_lookup_kwargs": "pk"}]


@pytest.mark.parametrize("attributes", NAMED, ids=str)
def test_groups_without_a_layer_are_refused_at_start_and_by_a_check(no_layer, attributes):
    chat = consumer(**attributes)
    with pytest.raises(ConfigurationError, match=r"^Chat uses groups: set CHANNEL_LAYERS\.$"):
        chat.as_asgi()
    (error,) = found("aaah.E002")
    assert error.msg == "Chat uses groups: set CHANNEL_LAYERS."


def test_groups_in_a_layer_of_another_name_that_is_missing_are_refused_at_start():
    chat = consumer(groups=["news"], channel_layer_alias="events")
    with pytest.raises(ConfigurationError, match=r"set CHANNEL_LAYERS\['events'\]"):
        chat.as_asgi()


def test_a_layer_that_a_test_puts_there_will_do(no_layer):
    channel_layers.set("default", InMemoryChannelLayer())
    assert consumer(groups=["news"]).as_asgi()


@pytest.mark.parametrize("attributes", [{}, {"groups": []}, {"groups": None}], ids=str)
def test_a_consumer_that_joins_no_group_needs_no_layer(no_layer, attributes):
    assert consumer(**attributes).as_asgi()


async def test_groups_that_a_connection_names_are_told_at_its_handshake(no_layer, caplog):
    class Room(AsyncAPIConsumer):
        async def connect(self):
            self.groups = ["news"]
            await self.accept()

    with pytest.raises(Refused) as refused:
        async with connect(Room.as_asgi()):
            raise AssertionError
    assert refused.value.code == 4503
    assert "Room uses groups: set CHANNEL_LAYERS." in caplog.text
