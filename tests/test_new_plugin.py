"""`aaah new-plugin`: what it writes passes its own tests; CI installs it from wheels besides."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tomllib

import pytest
from django.core.management import CommandError, call_command

from aaah_core import hookspecs
from aaah_core.cli.command import Command

HOOKS = [name for name in vars(hookspecs) if name.startswith("aaah_")]


def new_plugin(*arguments):
    """Run the command in this process, and return what it wrote."""
    out = io.StringIO()
    call_command(Command(), "new-plugin", *arguments, stdout=out)
    return out.getvalue()


def refusal(*arguments):
    with pytest.raises(CommandError) as caught:
        new_plugin(*arguments)
    return str(caught.value)


def files(folder):
    return {
        str(path.relative_to(folder)): path.read_text()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_a_plugin_has_what_a_distribution_needs(tmp_path):
    said = new_plugin("audit", "--directory", str(tmp_path))
    written = files(tmp_path / "aaah-audit")
    assert set(written) == {
        *(".github/workflows/ci.yml", ".gitignore", "CHANGELOG.md", "LICENSE", "README.md"),
        *("aaah_audit/__init__.py", "aaah_audit/middleware.py", "aaah_audit/plugin.py"),
        *("aaah_audit/py.typed", "pyproject.toml", "tests/__init__.py", "tests/conftest.py"),
        *("tests/test_middleware.py", "tests/test_plugin.py"),
    }
    project = tomllib.loads(written["pyproject.toml"])["project"]
    assert project["name"] == "aaah-audit"
    assert project["dependencies"] == ["aaah-core>=0.1,<0.2"]
    assert project["entry-points"]["aaah"] == {"audit": "aaah_audit.plugin"}
    assert written["aaah_audit/__init__.py"] == ""
    assert "${{ matrix.python }}" in written[".github/workflows/ci.yml"]
    assert f"cd {tmp_path / 'aaah-audit'}" in said
    assert not [text for text in written.values() if "$name" in text or "$package" in text]


@pytest.mark.parametrize("hook", HOOKS)
def test_each_hook_has_an_example_that_implements_it(tmp_path, hook):
    new_plugin("audit", "--directory", str(tmp_path), "--hook", hook.removeprefix("aaah_"))
    assert f"def {hook}(" in (tmp_path / "aaah-audit/aaah_audit/plugin.py").read_text()


def test_the_tests_of_a_plugin_with_every_hook_pass(tmp_path):
    hooks = [word for hook in HOOKS for word in ("--hook", hook)]
    new_plugin("all-of-them", "--directory", str(tmp_path), *hooks)
    folder = tmp_path / "aaah-all-of-them"
    info = folder / "aaah_all_of_them-0.1.0.dist-info"  # as an installer would write it
    info.mkdir()
    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    [need] = project["dependencies"]
    head = f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    (info / "METADATA").write_text(f"{head}Requires-Dist: {need}\n")
    [(name, module)] = project["entry-points"]["aaah"].items()
    (info / "entry_points.txt").write_text(f"[aaah]\n{name} = {module}\n")
    environment = {key: value for key, value in os.environ.items() if key[:6] != "DJANGO"}
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=folder,
        env=environment | {"PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert " passed" in ran.stdout


@pytest.mark.parametrize("given", ["my-audit", "my_audit", "aaah-my-audit"])
def test_a_name_is_one_word_for_all_however_it_is_joined(tmp_path, given):
    new_plugin(given, "--directory", str(tmp_path))
    assert (tmp_path / "aaah-my-audit/aaah_my_audit/plugin.py").is_file()
    text = (tmp_path / "aaah-my-audit/pyproject.toml").read_text()
    assert 'my_audit = "aaah_my_audit.plugin"' in text


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("Audit", ["not written as names are (PEP 503)", "did you mean 'audit'?"]),
        ("my plugin", ["no name of a distribution (PEP 503)", "did you mean 'my-plugin'?"]),
        ("a..b", ["not written as names are", "did you mean 'a_b'?"]),
        ("!", ["no name of a distribution", "with a letter first."]),
        ("9lives", ["begin it with a letter", "did you mean 'lives'?"]),
        ("9", ["begin it with a letter."]),
        ("core", ["aaah-core is a name of AAAH's own", "such as my_core"]),
        ("msgpack", ["A plugin 'msgpack' is installed, from aaah-msgpack", "my_msgpack"]),
        ("crud", ["A distribution aaah-crud is installed", "my_crud"]),
    ],
)
def test_a_name_that_cannot_be_is_refused_with_one_that_can(tmp_path, given, says):
    message = refusal(given, "--directory", str(tmp_path))
    for part in [*says, repr(given) if "PEP" in says[0] else ""]:
        assert part in message
    assert list(tmp_path.iterdir()) == []


def test_a_hook_that_is_none_is_refused_with_the_nearest():
    message = refusal("audit", "--hook", "middlware")
    assert "no hook 'middlware'; did you mean 'aaah_middleware'?" in message


def test_what_is_there_is_not_written_over(tmp_path):
    new_plugin("audit", "--directory", str(tmp_path))
    assert "is there already" in refusal("audit", "--directory", str(tmp_path))


def test_a_folder_that_cannot_be_written_is_said_to_be_so(tmp_path):
    (tmp_path / "file").touch()
    assert "cannot be written" in refusal("audit", "--directory", str(tmp_path / "file"))
