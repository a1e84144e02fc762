"""Where in a request a fault is: `field` of an error is a path, also where text is given."""

from __future__ import annotations

import pytest

from aaah_core import RequestError, ValidationError, apublish, publish


@pytest.mark.parametrize(
    ("given", "path"), [("pk", ["pk"]), (["pk"], ["pk"]), (("items", 0), ["items", 0]), ("", [""])]
)
def test_a_text_is_a_path_of_one_and_no_list_of_letters(given, path):
    assert ValidationError("no", field=given).errors[0]["field"] == path


def test_without_one_there_is_none():
    assert "field" not in RequestError("no").errors[0]


@pytest.mark.parametrize("name", [{"x": 1}, None, 7])
async def test_an_event_whose_name_is_no_text_is_refused_by_who_publishes(name):
    says = rf"name of an event is text, and not {type(name).__name__}: publish\(group, name, data\)"
    with pytest.raises(TypeError, match=says):
        await apublish("desk", name)


def test_so_it_is_in_sync_code():
    with pytest.raises(TypeError, match="name of an event is text"):
        publish("desk", {"x": 1})
