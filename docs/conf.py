"""How the documentation is built: `sphinx-build -W -n docs .cache/site`."""

from __future__ import annotations

import sys
from pathlib import Path

import qawait

sys.path.insert(0, str(Path(__file__).parent / "extensions"))

project = "qawait"
author = "the qawait authors"
version = release = qawait.__version__
html_title = f"qawait {release}"
html_theme = "furo"
pygments_dark_style = "github-dark"
html_copy_source = False
html_show_copyright = False
html_show_sphinx = False
html_static_path = ["static"]
html_css_files = ["tables.css"]
exclude_patterns = ["examples/**", "extensions/**", "images/**"]

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "docstrings",
    "self_contained",
]

# Pages are Markdown as GitHub shows it, with the anchors that GitHub makes.
myst_heading_anchors = 4
myst_enable_extensions = ["deflist"]

# Notebooks are run by a test; the site shows the outputs that are stored in them.
# `-D nb_execution_mode=cache` would run what has changed.
nb_execution_mode = "off"
nb_execution_raise_on_error = True
nb_execution_timeout = 120
# widgets would be loaded from another host
nb_ipywidgets_js = {}

autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
autodoc_default_options = {"members": True, "undoc-members": True}
autodoc_class_signature = "mixed"
python_maximum_signature_line_length = 72
python_display_short_literal_types = True
add_module_names = False
toc_object_entries_show_parents = "hide"
# `docstrings` calls it, since it takes "The state: ..." for a type
napoleon_google_docstring = False
napoleon_numpy_docstring = False
napoleon_use_ivar = True

# `name` in a docstring is code, and a link where it is the name of something.
default_role = "py:obj"

nitpicky = True
nitpick_ignore_regex = [
    # other libraries' types: their inventories would be asked for over the network
    (r"py:.*", r"(?!qawait\b)[\w.]+\..*"),
    # type variables, and the keyword arguments of `connect`, which it describes
    (r"py:class", r"qawait\..*\._\w+"),
    (r"py:class", r"qawait\.connecting\.ConnectOptions"),
    (r"py:class", r"qawait\.qiskit\.work\.RunOptions"),
    # what is named in a signature and nobody needs to know
    (r"py:class", r"qawait\.(_\w+|local|qiskit|testing)\..*"),
    # in what Qiskit says of the methods that its jobs have
    (r"py:exc", r"JobTimeoutError"),
    (r"py:class", r"qawait\.circuits\.compiled\.Template"),
]
