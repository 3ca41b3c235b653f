"""Reads the docstrings of qawait as they are written, and links what they name.

They are Google's sections around plain sentences with `code` in single backticks, and
the types in signatures are often imported for type checkers only.
"""

from __future__ import annotations

import ast
import contextlib
import inspect
import pkgutil
import re
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Generic, TypeVar

import numpy.typing
from sphinx.ext.napoleon import GoogleDocstring
from sphinx.util.nodes import make_refnode

import qawait

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

    from docutils.nodes import Element
    from sphinx.addnodes import pending_xref
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment

_Number = TypeVar("_Number")

MADE_BY_QAWAIT = {
    "CircuitResult",
    "Client",
    "Job",
    "Point",
    "QawaitJob",
    "Result",
    "Sweep",
}
"""What users hold without having made it: listed without a constructor."""


class NDArray(Generic[_Number]):
    """Stands for numpy's, which shows itself as what it is an alias of."""


def load_types() -> None:
    """Give the modules of qawait the types that only type checkers see.

    Signatures are then read with their types, so that each one can be linked.
    """
    numpy.typing.NDArray = NDArray
    NDArray.__module__ = "numpy.typing"
    for module in pkgutil.walk_packages(qawait.__path__, "qawait."):
        # of an extra that is not installed; its page would say so
        with contextlib.suppress(ImportError):
            import_module(module.name)
    modules = [
        m for name, m in sys.modules.items() if name.partition(".")[0] == "qawait"
    ]
    for module in modules:
        _import_types(module)
    aliases = [
        (module, name)
        for module in modules
        for name, kind in getattr(module, "__annotations__", {}).items()
        if kind == "TypeAlias" and isinstance(getattr(module, name, None), str)
    ]
    while aliases:
        module, name = aliases.pop(0)
        alias = getattr(module, name)
        try:
            meant = eval(alias, vars(module))  # noqa: S307 (a type of ours)
        except TypeError:
            # it names another alias, which is still a text
            aliases.append((module, name))
        else:
            _replace(modules, name, alias, meant)


def _import_types(module: ModuleType) -> None:
    for statement in ast.parse(inspect.getsource(module)).body:
        match statement:
            case ast.If(test=ast.Name("TYPE_CHECKING"), body=body):
                for imported in body:
                    code = compile(ast.Module([imported], []), module.__name__, "exec")
                    with contextlib.suppress(ImportError):
                        exec(code, vars(module))
            case _:
                pass


def _replace(modules: list[ModuleType], name: str, alias: str, meant: object) -> None:
    """Put what an alias means wherever its text was imported to."""
    for module in modules:
        if vars(module).get(name) is alias:
            setattr(module, name, meant)


def readable(
    app: Sphinx,
    what: str,
    name: str,
    obj: object,
    options: object,
    signature: str | None,
    returns: str | None,
) -> tuple[str | None, str | None] | None:
    """Show no constructor of what users never make, errors included."""
    if signature is None:
        return None
    if what == "exception" or name.rpartition(".")[2] in MADE_BY_QAWAIT:
        return "", None
    # a field that begins as a new dict, which Sphinx could not read
    return signature.replace("<factory>", "..."), returns


def to_sphinx(
    app: Sphinx, what: str, name: str, obj: object, options: object, lines: list[str]
) -> None:
    """Make of a docstring what Sphinx reads the same way."""
    if what == "module":
        # the page around it says it better
        lines.clear()
    lines[:] = list(_without_fences(lines))
    # `Point`s
    spaced = [re.sub(r"(`[^`]+`)(?=\w)", r"\1\\ ", line) for line in lines]
    # of an attribute, what stands before a colon would be taken for its type
    kind = "object" if what in {"attribute", "data", "property"} else what
    sections = GoogleDocstring(spaced, app.config, app, kind, name, obj, options)
    lines[:] = sections.lines()


def _without_fences(lines: list[str]) -> Iterator[str]:
    """Code between fences as the block that Sphinx knows."""
    margin: str | None = None
    for line in lines:
        fence = re.match(r"( *)```(\w*)$", line)
        if fence is None:
            yield line if margin is None else f"    {line}"
        elif margin is None:
            margin = fence[1]
            yield from (f"{margin}.. code-block:: {fence[2] or 'text'}", "")
        else:
            margin = None
            yield ""


def link(
    app: Sphinx, env: BuildEnvironment, node: pending_xref, text: Element
) -> Element | None:
    """Link a name that is written shortly; what is no name of ours stays code.

    `Client.sweep` and `JobFailed` are names of the package, from wherever they are
    named.
    """
    if node.get("refdomain") != "py":
        return None
    entry = env.domains.python_domain.objects.get(f"qawait.{node['reftarget']}")
    if entry is not None:
        return make_refnode(
            app.builder, node["refdoc"], entry.docname, entry.node_id, text
        )
    return text if node["reftype"] == "obj" else None


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect the above to the build."""
    load_types()
    app.connect("autodoc-process-signature", readable)
    app.connect("autodoc-process-docstring", to_sphinx)
    app.connect("missing-reference", link)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
