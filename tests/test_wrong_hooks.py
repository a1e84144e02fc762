"""Hooks that would not be asked: what a start says of them."""

from __future__ import annotations

import pytest

from aaah_core import WrongHook
from aaah_core import registry as registries
from tests.moth import HOOK, install, refusal, require

__all__ = ["install"]  # a fixture

#: By mistake: the class, the module of the plugin, and what the message says.
HOOKS = {
    "a hook that is misspelt": (
        "@hookimpl\ndef aaah_midleware(): ...",
        ["aaah_midleware, which is no hook", "did you mean 'aaah_middleware'?", "aaah_codecs"],
    ),
    "a hook that is misspelt and not marked": (
        "def aaah_midleware(): ...",
        ["aaah_midleware is no hook and has no mark", "did you mean 'aaah_middleware'?"],
    ),
    "a name of a hook that is misspelt": (
        "@hookimpl(specname='aaah_midleware')\ndef audit(): ...",
        ["it implements aaah_midleware, which is no hook", "did you mean 'aaah_middleware'?"],
    ),
    "a middleware for a hook": (
        "@hookimpl\ndef aaah_middleware(call, call_next): ...",
        ["takes 'call'", "A function of (call, call_next) is what it returns: return that one"],
    ),
    "an argument that is misspelt": (
        "@hookimpl\ndef aaah_middleware(handler_clas): ...",
        ["takes 'handler_clas'", "did you mean 'handler_class'?", "handler_class, action"],
    ),
    "an argument of another hook": (
        "@hookimpl\ndef aaah_codecs(consumer_class): ...",
        ["aaah_codecs takes 'consumer_class', which is no argument", "It may take: nothing"],
    ),
    "an argument with a default": (
        "@hookimpl\ndef aaah_middleware(action=None): ...",
        ["takes action=None", "without a default"],
    ),
    "any arguments": (
        "@hookimpl\ndef aaah_middleware(**kwargs): ...",
        ["takes **kwargs, and nothing is ever given so", "handler_class, action"],
    ),
    "a hook that is async": (
        "@hookimpl\nasync def aaah_middleware(): ...",
        ["aaah_middleware is async", "what they return may be async", "Write def"],
    ),
    "a hook that is a wrapper": (
        "@hookimpl(wrapper=True)\ndef aaah_codecs():\n    return (yield)",
        ["aaah_codecs is a wrapper", "Write a plain @hookimpl"],
    ),
    "a forgotten mark": (
        "def aaah_codecs(): ...",
        ["aaah_codecs is not marked with @hookimpl", "Write @hookimpl above it"],
    ),
    "no hook at all": (
        "def helper(): ...",
        ["it implements no hook", "let the entry point lead to the module that has one"],
    ),
    "a class that is never instantiated": (
        "class Audit:\n    @hookimpl\n    def aaah_middleware(self): ...",
        ["a method of the class Audit", "Write `plugin = Audit()`", ":plugin"],
    ),
    "a class with a method that takes no self": (
        "class Audit:\n    @hookimpl\n    def aaah_codecs(): ...\nplugin = Audit()",
        ["a method of the class Audit", "Write `plugin = Audit()`"],
    ),
    "DRF at module level": (
        f"from rest_framework.exceptions import APIException\n{HOOK}",
        ["imports APIException of rest_framework", "Import it inside the hook's body"],
    ),
    "DRF itself at module level": (
        f"import rest_framework.settings\n{HOOK}",
        ["it imports rest_framework at module level", "Import it inside the hook's body"],
    ),
}


@pytest.mark.parametrize(("source", "says"), HOOKS.values(), ids=HOOKS)
def test_a_hook_that_would_not_be_asked_is_a_wrong_hook(install, source, says):
    module = install("moth", source)
    require(refusal(), WrongHook, [f"entry point 'moth = {module}'", *says])


def test_an_entry_point_to_a_class_is_a_wrong_hook(install):
    source = "class Audit:\n    @hookimpl\n    def aaah_middleware(self): ..."
    install("moth", source, declared="{}:Audit")
    require(refusal(), WrongHook, ["Audit was never instantiated", "Write `plugin = Audit()`"])


def test_a_method_without_self_is_a_wrong_hook(install):
    source = "class Audit:\n    @hookimpl\n    def aaah_codecs(): ...\nplugin = Audit()"
    install("moth", source, declared="{}:plugin")
    require(refusal(), WrongHook, ["aaah_codecs is a method without self", "Write self first"])


def test_an_object_that_is_made_and_named_by_the_entry_point_is_none(install):
    source = "class Audit:\n    @hookimpl\n    def aaah_codecs(self): ...\nplugin = Audit()"
    install("moth", source, declared="{}:plugin")
    assert registries.build().problems() == []


def test_an_argument_of_the_functions_own_with_a_default_is_none(install):
    install("moth", "@hookimpl\ndef aaah_middleware(action, own=7): ...")
    assert registries.build().problems() == []


def test_a_hook_of_which_the_arguments_cannot_be_told_is_left_to_be_asked(install):
    install("moth", f"{HOOK}\naaah_middleware.__signature__ = 7")
    assert registries.build().problems() == []


def test_a_function_of_another_name_answers_the_hook_that_its_mark_names(install):
    install("moth", "@hookimpl(specname='aaah_middleware')\ndef audit(): ...")
    built = registries.build()
    assert built.problems() == []
    assert built.plugins["moth"].hooks == ["aaah_middleware"]


@pytest.mark.parametrize("name", ["aaah_settings", "aaah_middleware_of", "aaah_codec"])
def test_a_helper_that_is_named_like_no_hook_or_like_one_that_is_there_is_none(install, name):
    install("moth", f"{HOOK}\n@hookimpl\ndef aaah_codecs(): ...\ndef {name}(): ...")
    assert registries.build().problems() == []
