"""A permission class with one right method and one misspelt: nobody asks the latter."""

from __future__ import annotations

import pytest
from django.core.checks import Warning as CheckWarning
from django.urls import path
from rest_framework import permissions as drf

from aaah_core import (
    AllowAny,
    AsyncAPIActionHandler,
    AsyncAPIConsumer,
    BasePermission,
    IsAuthenticatedStrictly,
)
from tests.system_checks import found, no_leftovers

__all__ = ["no_leftovers"]  # a fixture that all here use


def permission(*names, parent=BasePermission):
    async def asked(self, *args, **kwargs):
        return True

    return type(parent)("IsPaid", (parent,), dict.fromkeys(names, asked))


class Below(AsyncAPIActionHandler):
    pass


def warnings(*permission_classes, below=()):
    """Return what is said of a consumer, and of a handler below it."""
    handler = type("Shelf", (Below,), {"permission_classes": below})
    routes = [path("shelf/", handler.as_aaah())]
    attributes = {"permission_classes": permission_classes, "routepatterns": routes}
    shop = type("Shop", (AsyncAPIConsumer,), attributes)
    return found("aaah.W005") if shop else None


@pytest.mark.parametrize("parent", [BasePermission, drf.BasePermission], ids=["native", "drf"])
@pytest.mark.parametrize(
    ("right", "misspelt", "near"),
    [
        ("has_permission", "has_object_permision", "has_object_permission"),
        ("has_permission", "has_obj_permission", "has_object_permission"),
        ("has_object_permission", "has_permissions", "has_permission"),
    ],
)
def test_a_misspelt_method_is_w005_with_the_class_and_the_right_name(parent, right, misspelt, near):
    (warning,) = warnings(permission(right, misspelt, parent=parent))
    assert isinstance(warning, CheckWarning)
    assert warning.msg.startswith(f"Nobody asks `{misspelt}` of the permission class ")
    assert warning.msg.endswith(f"IsPaid: did you mean `{near}`?")


@pytest.mark.parametrize(("parent", "times"), [(BasePermission, 1), (drf.BasePermission, 0)])
@pytest.mark.parametrize("misspelt", ["can_conect", "can_recieve"])
def test_the_methods_that_only_native_permissions_have_are_known_too(misspelt, parent, times):
    assert len(warnings(permission("has_permission", misspelt, parent=parent))) == times


@pytest.mark.parametrize("below", [False, True])
@pytest.mark.parametrize("parent", [BasePermission, drf.BasePermission], ids=["native", "drf"])
def test_operands_of_compositions_are_looked_at_wherever_they_stand(parent, below):
    wrong = permission("has_permission", "has_object_permision", parent=parent)
    other = AllowAny if parent is BasePermission else drf.IsAdminUser
    composed = (~(other & wrong) | other,)
    (warning,) = warnings(below=composed) if below else warnings(*composed)
    assert "IsPaid" in warning.msg


def test_an_object_and_a_class_that_stands_in_several_places_are_told_once():
    wrong = permission("has_permission", "has_object_permision")
    assert len(warnings(wrong(), wrong, below=(wrong,))) == 1


@pytest.mark.parametrize("parent", [BasePermission, drf.BasePermission], ids=["native", "drf"])
@pytest.mark.parametrize(
    "helper",
    [
        *("has_permissions", "has_permission_", "has_perm", "has_role", "has_read_permission"),
        *("has_object_read_permission", "has_any_permission", "has_model_permission"),
        *("check_object_permissions", "get_permissions", "can_disconnect", "_has_permision"),
    ],
)
def test_a_helper_is_no_misspelt_method(parent, helper):
    assert warnings(permission("has_permission", helper, parent=parent)) == []


def test_what_is_nearly_named_and_no_method_is_no_misspelt_one():
    IsPaid = permission("has_permission")
    IsPaid.has_object_permision = "read"
    assert warnings(IsPaid) == []


def test_an_inherited_method_is_answered():
    child = type(BasePermission)("Child", (IsAuthenticatedStrictly,), {"can_connects": print})
    assert warnings(child) == []


def test_a_class_of_another_kind_that_forgets_nothing_is_not_looked_at():
    assert warnings(*(each for each in vars(drf).values() if _is_permission(each))) == []


def _is_permission(value):
    return isinstance(value, type) and issubclass(value, drf.BasePermission)
