"""Native permission classes whose methods nobody could ask are refused at start."""

from __future__ import annotations

from functools import wraps

import pytest

from aaah_core import AllowAny, AsyncAPIConsumer, BasePermission, ConfigurationError

pytestmark = pytest.mark.usefixtures("core")


def refusal(**methods):
    permission = type(BasePermission)("IsPaid", (BasePermission,), methods)
    shop = type("Shop", (AsyncAPIConsumer,), {"permission_classes": [permission]})
    with pytest.raises(ConfigurationError) as refused:
        shop.as_asgi()
    assert str(refused.value).startswith("permission_classes of Shop has ")
    assert "test_permission_methods.IsPaid" in str(refused.value)
    return str(refused.value)


@pytest.mark.parametrize(
    ("methods", "near"),
    [
        ({}, ""),
        ({"has_permision": print}, "did you mean `has_permission` by `has_permision`?"),
        ({"can_conect": print}, "did you mean `can_connect` by `can_conect`?"),
    ],
)
def test_one_that_overrides_nothing_is_told_with_the_names_there_are(methods, near):
    said = refusal(**methods)
    assert "overrides none of `can_connect`, `has_permission`, `has_object_permission`" in said
    assert near in said
    assert "inherit AllowAny" in said
    assert "Plugin" not in said


@pytest.mark.parametrize(
    ("name", "method", "asked"),
    [
        ("has_permission", lambda self, request, view: 1, "(scope, handler, action, **kwargs)"),
        (
            "has_object_permission",
            lambda self, request, view, obj: 1,
            "(scope, handler, action, obj, **kwargs)",
        ),
        ("can_connect", lambda self, scope: 1, "(scope, handler)"),
        ("can_receive", lambda self, event: 1, "(scope, handler, event)"),
    ],
)
def test_one_with_other_parameters_is_told_with_how_it_is_asked(name, method, asked):
    assert f"`{name}` cannot be called as {name}{asked}" in refusal(**{name: method})


def of_user(method):
    """Give a method the user alone, and be asked as any other."""

    @wraps(method)
    def asked(self, scope, handler, action, **kwargs):
        return method(self, scope["user"])

    return asked


@pytest.mark.parametrize(
    ("name", "method"),
    [
        ("has_permission", of_user(lambda self, user: True)),
        ("has_permission", lambda self, *args, **kwargs: True),
        ("has_permission", lambda self, scope, handler, action: True),
        ("has_permission", lambda self, scope, handler, action, pk=None, **kwargs: True),
        ("has_object_permission", lambda self, scope, handler, action, obj, pk: True),
        ("can_connect", lambda self, scope, handler: True),
        ("can_connect", lambda self, scope, handler, message=None: True),
        ("can_receive", lambda self, scope, handler, event: True),
        ("has_permission", staticmethod(lambda scope, handler, action, **kwargs: True)),
    ],
)
def test_one_that_can_be_asked_is_not(name, method):
    permission = type(BasePermission)("IsPaid", (BasePermission,), {name: method})
    for entry in (permission, permission(), ~permission & AllowAny):
        shop = type("Shop", (AsyncAPIConsumer,), {"permission_classes": [entry]})
        assert shop.as_asgi()
