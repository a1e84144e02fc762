"""Finding and loading plugins, with distributions that a test installs for itself."""

from __future__ import annotations

import itertools
import sys
from dataclasses import dataclass

import pytest
from django.test import override_settings
from importlib_metadata import version

from aaah_core import AsyncAPIConsumer, ConfigurationError, PluginError, conf, plugin_settings
from aaah_core import registry as registries
from aaah_core.testing import registry as isolated
from tests.conftest import action, plugin

DEFAULTS = ["json", "permissions", "routes", "wire"]
HEAD = "from aaah_core import *\nfrom aaah_core import hookimpl, Codec\n"
CODEC = """
class Tick(Codec):
    name = "tick"
    frame = "text"
    def encode(self, payload): return "tick"
    def decode(self, frame, limits): return {}

@hookimpl
def aaah_codecs():
    return [Tick()]
"""
NOTHING = "@hookimpl\ndef aaah_middleware(): ...\n"

_modules = itertools.count(1)


class Chat(AsyncAPIConsumer):
    pass


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Install a distribution, which offers one plugin unless `declared` says otherwise."""
    made = []

    def install(distribution, name, source=NOTHING, *, version="1.5", requires=(), declared=None):
        module = f"aaah_stranger_{next(_modules)}"
        made.append(module)
        (tmp_path / f"{module}.py").write_text(HEAD + source)
        folder = tmp_path / f"{distribution.replace('-', '_')}-{version}.dist-info"
        folder.mkdir()
        needs = "".join(f"Requires-Dist: {each}\n" for each in requires)
        metadata = f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n{needs}"
        (folder / "METADATA").write_text(metadata)
        (folder / "entry_points.txt").write_text(f"[aaah]\n{name} = {declared or module}\n")
        return module

    monkeypatch.syspath_prepend(tmp_path)
    yield install
    for module in made:
        sys.modules.pop(module, None)


@pytest.fixture(autouse=True)
def no_declarations(monkeypatch):
    """Forget the settings that plugins of a test declared."""
    monkeypatch.setattr(conf, "declared", dict(conf.declared))


@pytest.fixture
def environ(monkeypatch):
    """Set environment variables, which are read once a process."""

    def environ(**variables):
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        conf.current.cache_clear()

    yield environ
    monkeypatch.undo()
    conf.current.cache_clear()


def refusal(consumer_class=Chat):
    """Return what a start says, with the plugins that are installed now."""
    with registries.use(registries.build()), pytest.raises(ConfigurationError) as caught:
        consumer_class.as_asgi()
    return str(caught.value)


def loaded(built=None):
    """Return the names of the plugins that are loaded, in their order."""
    plugins = (built or registries.build()).plugins.values()
    return [each.name for each in plugins if each.state == "loaded"]


def order(built):
    """Return the plugins that offer codecs, in the order that they are asked."""
    found = reversed(built.manager.hook.aaah_codecs.get_hookimpls())
    return [implementation.plugin_name for implementation in found]


# Loading.


def test_plugins_load_sorted_by_name_and_the_listing_has_what_they_are(install):
    install("aaah-zebra", "zebra", CODEC)
    module = install("aaah-ant", "ant", CODEC.replace("tick", "tock"), version="2.0")
    built = registries.build()
    assert loaded(built) == sorted(loaded(built))
    assert {"ant", "zebra", *DEFAULTS} <= set(loaded(built))
    ant = built.plugins["ant"]
    assert (ant.distribution, ant.version, ant.hooks) == ("aaah-ant", "2.0", ["aaah_codecs"])
    assert (ant.state, ant.error, ant.entry_point) == ("loaded", None, f"ant = {module}")


def test_the_first_by_name_is_asked_first_and_the_cores_own_last(install):
    install("aaah-zebra", "zebra", CODEC)
    install("aaah-ant", "ant", CODEC.replace("tick", "tock"))
    asked = order(registries.build())
    assert asked.index("ant") < asked.index("zebra") < asked.index("json") == len(asked) - 1


BROKEN = {
    "a misspelt hook": (
        "@hookimpl\ndef aaah_codec(): ...",
        ["aaah_codec, which is no hook; did you mean 'aaah_codecs'?", "mend the plugin"],
    ),
    "an argument that the hook does not have": (
        "@hookimpl\ndef aaah_codecs(request): ...",
        ["request", "aaah_codecs", "mend the plugin"],
    ),
    "a hook without its mark": (
        "def aaah_codecs(): ...",
        ["aaah_codecs is not marked with @hookimpl", "mend the plugin"],
    ),
    "an async hook": (
        "@hookimpl\nasync def aaah_codecs(): ...",
        ["aaah_codecs is async", "mend the plugin"],
    ),
    "an async generator for a hook": (
        "@hookimpl\nasync def aaah_codecs(): yield",
        ["aaah_codecs is async", "mend the plugin"],
    ),
    "a wrapper": (
        "@hookimpl(wrapper=True)\ndef aaah_codecs():\n    return (yield)",
        ["aaah_codecs is a wrapper", "mend the plugin"],
    ),
    "a wrapper of the old kind": (
        "@hookimpl(hookwrapper=True)\ndef aaah_codecs():\n    yield",
        ["aaah_codecs is a wrapper", "mend the plugin"],
    ),
    "an import that raises": (
        "raise RuntimeError('the moon is full')",
        ["RuntimeError: the moon is full", "uninstall aaah-moth", "DISABLED_PLUGINS"],
    ),
    "an import that exits": (
        "raise SystemExit(3)",
        ["SystemExit: 3", "uninstall aaah-moth", "DISABLED_PLUGINS"],
    ),
    "names that cannot be looked at": (
        "def __dir__(): raise OSError('no names')",
        ["no names", "mend the plugin"],
    ),
}


@pytest.mark.parametrize(("source", "says"), BROKEN.values(), ids=BROKEN)
def test_a_plugin_is_refused_with_distribution_entry_point_cause_and_remedy(install, source, says):
    module = install("aaah-moth", "moth", source)
    message = refusal()
    for part in ["aaah-moth 1.5", f"moth = {module}", *says]:
        assert part in message
    assert not any(end in message for end in ("?.", ".."))
    moth = registries.build().plugins["moth"]
    assert moth.state == "broken"
    assert moth.error in message


def test_an_entry_point_to_nothing_is_refused(install):
    install("aaah-moth", "moth", declared="nowhere_at_all")
    assert "moth = nowhere_at_all" in (message := refusal())
    assert "No module named 'nowhere_at_all'" in message


@pytest.mark.parametrize(
    "need", ["aaah-core>=9", "AAAH_Core (>=9)", "aaah-core>=9; python_version>'3'"]
)
def test_a_plugin_for_another_core_is_refused(install, need):
    install("aaah-moth", "moth", requires=["django", need])
    message = refusal()
    assert "Plugin 'moth' (aaah-moth 1.5)" in message
    assert f"it needs aaah-core>=9, and aaah-core {version('aaah-core')} is installed" in message
    assert "install versions that fit, or uninstall aaah-moth" in message


@pytest.mark.parametrize("need", ["aaah-core", "aaah-core>=0.1,<2", "aaah-core>=9; extra=='x'"])
def test_a_need_that_is_met_or_concerns_an_extra_is_none(install, need):
    install("aaah-moth", "moth", requires=[need])
    assert "moth" in loaded()


def test_a_need_that_cannot_be_read_is_the_plugins_fault_and_not_the_loaders(install):
    install("aaah-moth", "moth", requires=["aaah-core ~~ 3"])
    message = refusal()
    assert "aaah-moth 1.5" in message
    assert "InvalidRequirement" in message


def test_two_distributions_with_one_plugin_name_are_refused_and_named_both(install):
    install("aaah-moth", "moth")
    install("aaah-other", "moth", version="3")
    message = refusal()
    assert "aaah-moth 1.5" in message
    assert "aaah-other 3" in message
    assert "both offer a plugin of this name" in message
    assert "rename it in [project.entry-points.aaah]" in message


def test_a_plugin_that_takes_a_name_of_the_cores_own_is_the_one_at_fault(install):
    install("aaah-moth", "json")
    assert refusal().startswith("Plugin 'json' (aaah-moth 1.5) at the entry point")


def test_everything_is_listed_however_much_is_broken(install):
    install("aaah-ant", "ant")
    install("aaah-moth", "moth", "raise RuntimeError")
    install("aaah-wasp", "wasp", requires=["aaah-core>=9"])
    with override_settings(AAAH={"DISABLED_PLUGINS": ["ant"]}):
        plugins = registries.current().plugins
        assert "aaah-moth" in (message := refusal())
        assert "aaah-wasp" in message
    states = {name: plugins[name].state for name in ["ant", "moth", "wasp", "json"]}
    assert states == {"ant": "disabled", "moth": "broken", "wasp": "broken", "json": "loaded"}


def test_a_value_with_the_name_of_a_hook_is_no_hook(install):
    install("aaah-ant", "ant", f"{NOTHING}aaah_actions = 'a name like a hook'")
    assert "ant" in loaded()


def test_a_function_that_another_module_offers_unmarked_is_left_alone(install):
    source = "def aaah_codecs(): ...\naaah_codecs.__module__ = 'elsewhere'"
    install("aaah-ant", "ant", f"{NOTHING}{source}")
    ant = registries.build().plugins["ant"]
    assert (ant.state, ant.hooks) == ("loaded", ["aaah_middleware"])


def test_an_object_that_is_no_module_may_be_a_plugin_and_is_looked_at_as_strictly(core):
    class Careless:
        def aaah_codecs(self):
            """Nobody would ask this."""

    with isolated(Careless()) as built:
        assert "not marked with @hookimpl" in built.plugins["Careless"].error


def test_what_a_half_removed_distribution_left_behind_is_refused_and_not_raised(install, tmp_path):
    module = install("aaah-moth", "moth")
    (tmp_path / "aaah_moth-1.5.dist-info" / "METADATA").unlink()
    message = refusal()
    assert f"moth = {module}" in message
    assert "the metadata of its distribution cannot be read" in message
    assert "remove what is left of it" in message


# Two that offer one thing.


def test_one_codec_of_two_plugins_is_refused_and_both_are_named(install):
    install("aaah-ant", "ant", CODEC)
    install("aaah-bee", "bee", CODEC)
    message = refusal()
    assert "The codec 'tick' is offered twice" in message
    assert "Plugin 'ant' (aaah-ant 1.5)" in message
    assert "Plugin 'bee' (aaah-bee 1.5)" in message
    assert "Rename it in one of them, or uninstall or disable one of them." in message


def test_one_action_of_two_plugins_is_refused_and_both_are_named(install):
    source = (
        "@hookimpl\ndef aaah_actions(handler_class):\n"
        "    return {'say': Action('say', run=lambda handler, call: None, sync=True)}\n"
    )
    install("aaah-ant", "ant", source)
    install("aaah-bee", "bee", source)
    message = refusal()
    assert "The action of Chat 'say' is offered twice" in message
    assert "aaah-ant 1.5" in message
    assert "aaah-bee 1.5" in message


@pytest.mark.parametrize("hook", ["aaah_request_parser", "aaah_response_shaper"])
def test_one_wire_of_two_plugins_is_refused_and_both_are_named(install, hook):
    install("aaah-ant", "ant", f"@hookimpl\ndef {hook}():\n    return print")
    message = refusal()
    assert f"The {hook} of the wire 'aaah' is offered twice" in message
    assert "aaah-ant 1.5" in message
    assert "Plugin 'wire' (aaah-core" in message


# The setting AAAH.


def test_a_disabled_plugin_is_not_loaded_but_listed(install):
    install("aaah-moth", "moth", "raise RuntimeError")
    with override_settings(AAAH={"DISABLED_PLUGINS": ["moth"]}):
        built = registries.build()
    assert built.plugins["moth"].state == "disabled"
    assert built.problems() == []


def test_disabling_a_name_that_two_distributions_offer_is_a_way_out_too(install):
    install("aaah-moth", "moth")
    install("aaah-other", "moth")
    with override_settings(AAAH={"DISABLED_PLUGINS": ["moth"]}):
        assert registries.build().problems() == []


def test_a_default_may_be_disabled_so_that_a_stranger_takes_its_place(install):
    install("aaah-ant", "ant", CODEC.replace('"tick"', '"json"'))
    with override_settings(AAAH={"DISABLED_PLUGINS": ["json"]}):
        built = registries.build()
        with registries.use(built):
            Chat.as_asgi()
    assert "json" not in loaded(built)
    assert type(built.plans[Chat].codecs["json"]).__name__ == "Tick"


def test_a_method_of_a_disabled_plugin_is_an_error_and_not_a_silent_405():
    class Marked(AsyncAPIConsumer):
        @action
        def say(self): ...

    message = refusal(Marked)
    assert "Marked.say is marked as the action 'say', and no loaded plugin collects it" in message
    assert "Install or enable the plugin of its decorator" in message


def test_the_setting_orders_plugins_and_dots_stand_for_the_rest(install):
    for name in ["ant", "bee", "cat"]:
        install(f"aaah-{name}", name, CODEC.replace("tick", name))
    with override_settings(AAAH={"PLUGINS": ["cat", ..., "ant"]}):
        asked = order(registries.build())
    assert asked.index("cat") == 0
    assert asked.index("cat") < asked.index("bee") < asked.index("ant")


def test_a_list_without_dots_loads_what_it_names_and_the_defaults_and_lists_the_rest(install):
    install("aaah-ant", "ant")
    install("aaah-bee", "bee", "raise RuntimeError")
    with override_settings(AAAH={"PLUGINS": ["ant"]}):
        built = registries.build()
    assert sorted(loaded(built)) == ["ant", *DEFAULTS]
    assert built.plugins["bee"].state == "disabled"
    assert built.problems() == []


@pytest.mark.parametrize(
    ("names", "told"), [(["ant", ..., "ant", "ant"], "'ant'"), ([..., "ant", ...], "'...'")]
)
def test_a_name_that_stands_twice_is_refused_as_it_can_have_one_place(install, names, told):
    install("aaah-ant", "ant")
    with override_settings(AAAH={"PLUGINS": names}):
        built = registries.build()
    [problem] = built.problems()
    assert problem.startswith(f'AAAH["PLUGINS"] names {told} more than once')
    assert loaded(built).count("ant") == 1


def test_a_name_that_stands_twice_in_a_variable_is_said_to_be_there(install, environ):
    install("aaah-ant", "ant")
    environ(AAAH_PLUGINS="ant,...,ant")
    [problem] = registries.build().problems()
    assert problem.startswith("AAAH_PLUGINS names 'ant' more than once")


@pytest.mark.parametrize("key", ["PLUGINS", "DISABLED_PLUGINS", "PLUGIN_SETTINGS"])
def test_a_plugin_that_is_not_installed_is_refused_with_the_nearest_name(install, key):
    install("aaah-audit", "audit")
    value = {"audot": {}} if key == "PLUGIN_SETTINGS" else ["audot", *([...] * (key == "PLUGINS"))]
    with override_settings(AAAH={key: value}):
        message = refusal()
    assert f'AAAH["{key}"]' in message
    assert "'audot', and no such plugin is installed; did you mean 'audit'?" in message


def test_a_name_that_is_no_name_is_refused_like_any_other():
    with override_settings(AAAH={"PLUGINS": [["json"], ...]}):
        assert "names ['json'], and no such plugin is installed" in refusal()


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ({"PLUGIN": []}, "AAAH has no key 'PLUGIN'; did you mean 'PLUGINS'?"),
        ({7: []}, "AAAH has no key 7"),
        (
            {"WIRE": 7},
            'AAAH is set wrongly: WIRE is to be str, and not int. Write for example: "text".',
        ),
        ({"SYNC_WORKERS": 0}, "AAAH is set wrongly: SYNC_WORKERS is to be int >= 1."),
        ({"PLUGINS": "audit"}, "AAAH is set wrongly: PLUGINS is to be list, and not str."),
        ("audit", "AAAH is a dict of settings, and not 'audit'"),
        (None, "AAAH is a dict of settings, and not None"),
    ],
)
def test_a_wrong_setting_is_refused_and_plugins_are_listed_all_the_same(value, says):
    with override_settings(AAAH=value):
        assert says in refusal()
        [problem] = registries.current().problems()  # for the system check
        assert says in problem
        assert set(DEFAULTS) <= set(registries.current().plugins)


def test_the_environment_wins(install, environ):
    install("aaah-ant", "ant")
    install("aaah-bee", "bee")
    with override_settings(AAAH={"PLUGINS": ["ant"], "DISABLED_PLUGINS": []}):
        environ(AAAH_PLUGINS=" bee , ... ", AAAH_DISABLED_PLUGINS="ant")
        assert conf.current().PLUGINS == ["bee", ...]
        built = registries.build()
    assert built.plugins["ant"].state == "disabled"
    assert next(iter(built.plugins)) == "bee"


def test_an_empty_variable_names_no_plugin(environ):
    environ(AAAH_PLUGINS="")
    assert sorted(loaded()) == DEFAULTS


@pytest.mark.parametrize("key", ["PLUGINS", "DISABLED_PLUGINS"])
def test_a_wrong_name_in_a_variable_is_said_to_be_there(environ, key):
    environ(**{f"AAAH_{key}": "...,audot" if key == "PLUGINS" else "audot"})
    (problem,) = registries.build().problems()
    assert problem.startswith(f"AAAH_{key} names 'audot', and no such plugin is installed")


def test_overriding_the_setting_takes_effect_at_once_and_so_does_the_end_of_it(install):
    install("aaah-ant", "ant")
    before = registries.current()
    with override_settings(AAAH={"DISABLED_PLUGINS": ["ant"]}):
        assert registries.current().plugins["ant"].state == "disabled"
    assert registries.current() is not before
    assert registries.current().plugins["ant"].state == "loaded"
    assert registries.current() is registries.current()


def test_another_setting_changes_nothing():
    before = registries.current()
    with override_settings(DEBUG=True):
        assert registries.current() is before


# Settings of plugins.


@dataclass
class Settings:
    path: str = "here"
    size: int = 1


def test_the_settings_of_a_plugin_are_read_and_have_its_defaults():
    settings = plugin_settings("audit", Settings)
    assert (settings.path, settings.size) == ("here", 1)
    with override_settings(AAAH={"PLUGIN_SETTINGS": {"audit": {"size": 5}}}):
        assert (settings.path, settings.size) == ("here", 5)
    assert settings.size == 1
    with pytest.raises(AttributeError, match="colour"):
        settings.colour  # noqa: B018


def test_settings_declared_anew_are_read_anew():
    settings = plugin_settings("audit", Settings)
    assert settings.size == 1

    @dataclass
    class Other:
        size: int = 2

    plugin_settings("audit", Other)
    assert settings.size == 2


DECLARED = f"""{NOTHING}
from dataclasses import dataclass
@dataclass
class Settings:
    path: str = "here"
    size: int = 1
    def __post_init__(self):
        if self.size > 100:
            raise LookupError("too big")
settings = plugin_settings("audit", Settings)
"""


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"pth": "x"}, "has no key 'pth'; did you mean 'path'? It knows: path, size"),
        ({"size": "x"}, "is set wrongly: size is to be int, and not str."),
        ({"size": 101}, "too big"),
    ],
)
def test_wrong_settings_of_a_plugin_are_refused_at_start(install, values, says):
    install("aaah-audit", "audit", DECLARED)
    with override_settings(AAAH={"PLUGIN_SETTINGS": {"audit": values}}):
        message = refusal()
        assert registries.build().plugins["audit"].state == "broken"
    for part in ["aaah-audit 1.5", says, "mend the setting"]:
        assert part in message


def test_right_settings_of_a_plugin_are_not(install):
    install("aaah-audit", "audit", DECLARED)
    with override_settings(AAAH={"PLUGIN_SETTINGS": {"audit": {"size": 2}}}):
        assert registries.build().problems() == []


def test_settings_for_a_plugin_without_any_are_refused(install):
    install("aaah-audit", "audit")
    with override_settings(AAAH={"PLUGIN_SETTINGS": {"audit": {"size": 2}}}):
        assert "has 'audit', and that plugin has no settings" in refusal()


def test_settings_of_a_plugin_that_is_disabled_are_left_alone(install):
    install("aaah-audit", "audit", DECLARED)
    wrong = {"PLUGIN_SETTINGS": {"audit": {"pth": 1}}, "DISABLED_PLUGINS": ["audit"]}
    with override_settings(AAAH=wrong):
        assert registries.build().problems() == []


def test_settings_that_no_loaded_plugin_declared_are_not_read_at_start():
    plugin_settings("nobody", Settings)
    assert registries.build().problems() == []


def test_a_plugin_that_was_refused_answers_no_hook(install):
    install("aaah-moth", "moth", CODEC + "@hookimpl\ndef aaah_actions(request): ...")
    assert "moth" not in order(registries.build())


# A registry of one's own.


def test_an_isolated_registry_has_the_defaults_and_what_it_is_given(install):
    install("aaah-ant", "ant")
    install("aaah-bee", "bee")
    own = plugin()
    with isolated("ant", own) as built:
        assert registries.current() is built
        assert sorted(loaded(built)) == sorted(["ant", own.__name__, *DEFAULTS])
        assert "bee" not in built.plugins
    assert registries.current() is not built


def test_an_isolated_registry_says_which_plugin_is_not_installed(install):
    install("aaah-ant", "ant")
    with isolated("amt") as built:
        assert built.problems() == ["No plugin 'amt' is installed; did you mean 'ant'?"]


def test_an_isolated_registry_minds_no_setting_about_plugins_it_leaves_out(install):
    install("aaah-ant", "ant")
    install("aaah-audit", "audit", DECLARED)
    project = {"PLUGINS": ["audit", ...], "PLUGIN_SETTINGS": {"audit": {"size": 2}}}
    with override_settings(AAAH=project), isolated("ant") as built:
        assert built.problems() == []
        assert "audit" not in built.plugins


def test_two_plugins_of_one_class_are_two_plugins():
    class Same:
        pass

    with isolated(Same(), Same()) as built:
        assert [name for name in built.plugins if name.startswith("Same")] == ["Same", "Same_1"]


def test_an_isolated_registry_stays_while_a_setting_changes_and_compiles_anew():
    with isolated() as built:
        Chat.as_asgi()
        with override_settings(AAAH={"LIMITS": {"depth": 5}}):
            assert registries.current() is built
            Chat.as_asgi()
            assert built.plans[Chat].limits.depth == 5
        Chat.as_asgi()
        assert built.plans[Chat].limits.depth == 32


def test_every_problem_is_raised_at_once():
    built = registries.Registry()
    built.errors = ["one", "two"]
    with pytest.raises(PluginError, match="one\ntwo"):
        built.raise_problems()


# Distributions whose metadata is broken.


def folder_of(tmp_path, name="aaah_moth-1.5"):
    return tmp_path / f"{name}.dist-info"


@pytest.mark.parametrize(
    "content", [b"[aaah]\nfoo\n", b"[aaah]\nfoo = x\xff\n"], ids=["garbage", "bytes"]
)
def test_entry_points_that_cannot_be_read_are_a_broken_plugin_of_their_distribution(
    install, tmp_path, content
):
    install("aaah-ant", "ant")
    install("aaah-moth", "moth")
    (folder_of(tmp_path) / "entry_points.txt").write_bytes(content)
    built = registries.build()
    assert built.plugins["ant"].state == "loaded"
    assert built.plugins["aaah-moth"].state == "broken"
    message = refusal()
    for part in ["aaah-moth 1.5", "entry_points.txt", str(tmp_path), "install that distribution"]:
        assert part in message
    with override_settings(AAAH={"DISABLED_PLUGINS": ["aaah-moth"]}):
        assert registries.build().problems() == []


@pytest.mark.parametrize(
    "content", [b"[console_scripts]\nfoo\n", b"[console_scripts]\nfoo = x\xff\n"]
)
def test_entry_points_that_cannot_be_read_and_are_not_ours_are_left_alone(
    install, tmp_path, content
):
    install("aaah-moth", "moth")
    (folder_of(tmp_path) / "entry_points.txt").write_bytes(content)
    built = registries.build()
    assert built.problems() == []
    assert not {"moth", "aaah-moth"} & set(built.plugins)


def test_entry_points_that_are_hidden_may_be_ours_and_are_refused(install, tmp_path):
    install("aaah-moth", "moth")
    hidden = folder_of(tmp_path) / "entry_points.txt"
    hidden.unlink()
    hidden.symlink_to(hidden)  # which leads in a circle
    message = refusal()
    assert "aaah-moth" in message
    assert "its entry_points.txt" in message
    assert "cannot be read (OSError" in message


def test_a_distribution_of_which_nothing_can_be_read_is_named_by_its_place(install, tmp_path):
    install("aaah-moth", "moth")
    (folder_of(tmp_path) / "METADATA").unlink()
    (folder_of(tmp_path) / "entry_points.txt").write_bytes(b"[aaah]\nfoo\n")
    assert registries.build().plugins["unknown"].state == "broken"
    assert str(tmp_path) in refusal()


@pytest.mark.parametrize("metadata", [b"Name: aaah-moth\n", b"Name: aaah-moth\nVersion: \xff\n"])
def test_a_distribution_without_a_version_is_refused(install, tmp_path, metadata):
    install("aaah-moth", "moth")
    (folder_of(tmp_path) / "METADATA").write_bytes(metadata)
    assert "has no name or version" in refusal()
    assert registries.build().plugins["moth"].version == "0"


def test_what_is_left_of_an_older_version_is_overlooked(install, tmp_path):
    install("aaah-moth", "moth", version="1.4")
    install("aaah-moth", "moth", version="1.5")
    (folder_of(tmp_path, "aaah_moth-1.4") / "METADATA").unlink()
    moth = registries.build().plugins["moth"]
    assert (moth.state, moth.version) == ("loaded", "1.5")


def test_a_distribution_that_another_of_its_name_shadows_counts_once(
    install, tmp_path, monkeypatch
):
    module = install("aaah-moth", "moth")
    above = tmp_path / "above"
    for name, points in {"aaah_moth": f"[aaah]\nmoth = {module}\n", "aaah_bee": None}.items():
        folder = folder_of(above, f"{name}-2.0")
        folder.mkdir(parents=True)
        head = f"Metadata-Version: 2.1\nName: {name.replace('_', '-')}\nVersion: 2.0\n"
        (folder / "METADATA").write_text(head)
        if points:
            (folder / "entry_points.txt").write_text(points)
    install("aaah-bee", "bee")
    monkeypatch.syspath_prepend(above)
    built = registries.build()
    assert (built.plugins["moth"].state, built.plugins["moth"].version) == ("loaded", "2.0")
    assert "bee" not in built.plugins  # the one that is imported has no plugin


@pytest.mark.parametrize(("hides", "version"), [(False, "0"), (True, "1.5")])
def test_metadata_that_nobody_can_read_shadows_what_is_below_unless_it_is_hidden(
    install, tmp_path, monkeypatch, hides, version
):
    module = install("aaah-moth", "moth")
    folder = folder_of(tmp_path / "above", "aaah_moth-2.0")
    folder.mkdir(parents=True)
    (folder / "entry_points.txt").write_text(f"[aaah]\nmoth = {module}\n")
    if hides:
        (folder / "METADATA").symlink_to(folder / "METADATA")  # which leads in a circle
    else:
        (folder / "METADATA").write_bytes(b"Name: aaah-moth\nVersion: \xff\n")
    monkeypatch.syspath_prepend(tmp_path / "above")
    assert registries.build().plugins["moth"].version == version


def test_a_distribution_whose_folder_has_another_name_is_found(install, tmp_path):
    install("aaah-moth", "moth")
    folder_of(tmp_path).rename(tmp_path / "other.dist-info")
    assert registries.build().plugins["moth"].distribution == "aaah-moth"


EXITS = "class Exits(BaseException): pass\n"


@pytest.mark.parametrize(
    "source",
    [
        "class Leaves(SystemExit): pass\nraise Leaves(3)",
        f"{EXITS}raise Exits('x')",
        f"{EXITS}def __dir__(): raise Exits('x')",
    ],
)
def test_a_plugin_that_raises_what_is_no_exception_is_refused_like_any_other(install, source):
    install("aaah-moth", "moth", source)
    assert registries.build().plugins["moth"].state == "broken"
    assert "aaah-moth 1.5" in refusal()


@pytest.mark.parametrize(
    "source", ["raise KeyboardInterrupt", "def __dir__(): raise KeyboardInterrupt"]
)
def test_an_interrupt_goes_on(install, source):
    install("aaah-moth", "moth", source)
    with pytest.raises(KeyboardInterrupt):
        registries.build()


def test_settings_that_exit_are_refused_and_an_interrupt_goes_on(install):
    install("aaah-audit", "audit", DECLARED.replace("LookupError", "SystemExit"))
    install(
        "aaah-bee",
        "bee",
        DECLARED.replace("LookupError", "KeyboardInterrupt").replace('"audit"', '"bee"'),
    )
    with override_settings(AAAH={"PLUGIN_SETTINGS": {"audit": {"size": 101}}}):
        assert "too big" in refusal()
    with (
        override_settings(AAAH={"PLUGIN_SETTINGS": {"bee": {"size": 101}}}),
        pytest.raises(KeyboardInterrupt),
    ):
        registries.build()
