"""Every mistake that the author of a plugin can make: its class, and what its message says.

Each says which plugin of which distribution, what was found, what was expected and what to do.
"""

from __future__ import annotations

import pytest

from aaah_core import (
    OfferedTwice,
    PluginError,
    PluginNotLoaded,
    WrongAnswer,
    WrongCore,
    WrongHook,
    WrongSettings,
    errors,
)
from tests.moth import ACTION, ASYNC, CODEC, HOOK, install, refusal, require, returns

__all__ = ["install"]  # a fixture


LOADING = {
    "a module that raises": (
        "raise RuntimeError('the moon is full')",
        ["loading it raised RuntimeError: the moon is full", "mend the plugin"],
    ),
    "models at module level": (
        "from django.core.exceptions import AppRegistryNotReady\nraise AppRegistryNotReady('x')",
        ["AppRegistryNotReady", "import what needs settings or models inside the hook's body"],
    ),
    "an attribute that is missing": (
        "import os\nos.nope",
        ["AttributeError: module 'os' has no attribute 'nope'", "mend the plugin"],
    ),
    "a setting that is missing": (
        "from django.conf import settings\nsettings.NO_SUCH",
        ["AttributeError: ", "NO_SUCH", "mend the plugin"],
    ),
    "a mark with a misspelt option": (
        "@hookimpl(first=True)\ndef aaah_codecs(): ...",
        ["unexpected keyword argument 'first'", "write @hookimpl, with tryfirst=True or"],
    ),
    "no Python": (
        "def aaah_codecs(:",
        ["SyntaxError: invalid syntax (aaah_author_", "line 2) in /", "mend the plugin"],
    ),
    "an import that is missing": (
        "import nowhere_at_all",
        ["No module named 'nowhere_at_all'", "mend the plugin"],
    ),
}


@pytest.mark.parametrize(("source", "says"), LOADING.values(), ids=LOADING)
def test_a_module_that_does_not_load_is_not_loaded(install, source, says):
    install("moth", source)
    require(refusal(), PluginNotLoaded, [*says, "uninstall aaah-moth", "DISABLED_PLUGINS"])


@pytest.mark.parametrize(
    "declared", ["aaah_nowhere.plugin", "{}.plugin", "{}:nothing", "{}:plugin.nothing"]
)
def test_an_entry_point_to_nothing_is_not_loaded(install, declared):
    install("moth", f"{HOOK}\nplugin = 7", declared=declared)
    require(refusal(), PluginNotLoaded, ["mend [project.entry-points.aaah]", "install it again"])


def test_another_core_is_a_wrong_core(install):
    install("moth", HOOK, requires="aaah-core>=9,<10")
    require(refusal(), WrongCore, ["it needs aaah-core<10,>=9", "install versions that fit"])


@pytest.mark.parametrize(
    ("one", "what"),
    [
        (HOOK, "both offer a plugin of this name"),
        (
            returns("aaah_codecs", "[Tick()]", CODEC.format(name="tick", frame="text")),
            "The codec 'tick' is offered twice",
        ),
        (
            returns("aaah_actions", "{'say': " + ACTION.format("") + "}", ASYNC),
            "'say' is offered twice",
        ),
    ],
    ids=["a plugin", "a codec", "an action"],
)
def test_one_name_of_two_plugins_is_offered_twice(install, one, what):
    install("moth", one)
    install("moth" if one is HOOK else "wasp", one)
    says = [what, "aaah-moth-2" if one is HOOK else "aaah-wasp-2", "ninstall"]
    require(refusal(), OfferedTwice, says)


def test_one_name_of_two_codecs_of_one_plugin_is_offered_twice(install):
    before = CODEC.format(name="tick", frame="text")
    install("moth", returns("aaah_codecs", "[Tick(), Tick()]", before))
    says = "is offered twice: by Plugin 'moth' (aaah-moth 1.5). Rename it in 'moth'."
    require(refusal(), OfferedTwice, [says])


@pytest.mark.parametrize("hook", ["aaah_request_parser", "aaah_response_shaper"])
def test_one_wire_of_two_plugins_is_offered_twice(install, hook):
    install("moth", returns(hook, "print"))
    says = [f"The {hook} of the wire 'aaah' is offered twice", "Plugin 'wire' (aaah-core"]
    says.append("Test `consumer_class.wire` in 'moth', or uninstall or disable")
    require(refusal(), OfferedTwice, says)


def test_two_mistakes_of_two_kinds_are_told_together(install):
    install("moth", "raise RuntimeError")
    install("wasp", "def helper(): ...")
    error = refusal()
    assert type(error) is PluginError
    assert "aaah-moth 1.5" in str(error)
    assert "aaah-wasp-2 1.5" in str(error)


def test_each_class_of_a_mistake_has_its_test():
    kinds = {PluginNotLoaded, WrongCore, WrongHook, WrongAnswer, OfferedTwice, WrongSettings}
    assert set(PluginError.__subclasses__()) == kinds
    assert {kind.__name__ for kind in kinds} <= set(errors.__all__)
