"""The site of docs/ and docstrings: `uv run --group docs sphinx-build -W docs docs/_build`."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import django

import aaah_core

HERE = Path(__file__).parent
sys.path.append(str(HERE / "_ext"))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "aaah_core.testing.settings")
django.setup()  # the reference imports what it shows

project = "AAAH"
project_copyright = "The AAAH contributors"
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "navigation", "reference"]
# `.markdown` is what the build copies: the pages of docs/ are `.md`.
source_suffix = {".md": "markdown", ".markdown": "markdown", ".rst": "restructuredtext"}
exclude_patterns = ["_build"]

html_theme = "furo"
html_title = project
html_copy_source = False
html_show_sphinx = False

# Anchors of headings as a code host makes them.
myst_heading_anchors = 6

# Annotations show a name where it is imported from, and what only type checkers import, too.
autodoc_type_aliases = {name: f"aaah_core.{name}" for name in aaah_core.__all__}
add_module_names = False
autodoc_default_options = {
    "members": True,
    "show-inheritance": True,
    "exclude-members": "base_send",  # Channels' own
}
autodoc_member_order = "bysource"
default_role = "py:obj"
maximum_signature_line_length = 80
napoleon_numpy_docstring = False
python_use_unqualified_type_names = True
toc_object_entries_show_parents = "hide"
