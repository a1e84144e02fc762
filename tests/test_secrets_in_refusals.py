"""A start that is refused shows no permission's repr, which may hold a secret."""

from __future__ import annotations

import pytest

from aaah_core import AsyncAPIConsumer, ConfigurationError, WrongAnswer
from aaah_core.testing import registry
from tests.conftest import plugin


class HasKey:
    def __init__(self, key="hunter2"):
        self.key = key

    def __repr__(self):
        return f"HasKey({self.key!r})"


def refusal(permission_classes, kind=ConfigurationError):
    consumer_class = type("Shop", (AsyncAPIConsumer,), {"permission_classes": permission_classes})
    with pytest.raises(kind) as refused:
        consumer_class.as_asgi()
    return str(refused.value)


def test_a_permission_that_nobody_knows_is_shown_by_its_class(core):
    said = refusal([HasKey()])
    assert "has an object of <class 'tests.test_secrets_in_refusals.HasKey'>, and no" in said
    assert "hunter2" not in said


def test_a_class_and_a_name_are_shown_as_they_are(core):
    assert "has <class 'tests.test_secrets_in_refusals.HasKey'>, and no" in refusal([HasKey])
    assert "has 'HasKey', and no" in refusal(["HasKey"])


def test_a_permission_that_stands_in_no_list_is_shown_by_its_class(core):
    said = refusal(HasKey())
    assert "Shop.permission_classes is an object of <class " in said
    assert "hunter2" not in said


def test_a_permission_whose_hook_raises_is_shown_by_its_class():
    def fails(permission):
        raise KeyError("key")

    with registry(plugin(aaah_permission_check=fails)):
        said = refusal([HasKey()], WrongAnswer)
    assert "asked about Shop, an object of <class " in said
    assert "hunter2" not in said
