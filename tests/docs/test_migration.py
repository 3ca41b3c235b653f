"""What the pages on migrating promise on qawait's side exists.

The vendors' side, and the programs there, are in `tests/conformance/test_how_to.py`.
"""

from __future__ import annotations

import builtins
import inspect
import re
from pathlib import Path

import pytest

import qawait
from qawait import errors, iqm, qoro

HOW_TO = Path(__file__).parents[2] / "docs" / "how-to"
PAGES = {
    name: (HOW_TO / f"{name}.md").read_text()
    for name in ("migrate-from-iqm-client", "migrate-from-qoro-divi")
}
HELD = {"client": qawait.Client, "job": qawait.Job, "service": qawait.QoroService}
ARGUMENTS = {
    name
    for call in (
        qawait.connect,
        qawait.Client.submit,
        qawait.Job.result,
        qawait.CircuitResult.counts,
        qawait.IQMService,
        qawait.QoroService,
        iqm.Options,
        iqm.Instruction,
        qoro.Options,
        qoro.Observables.of,
    )
    for name in inspect.signature(call).parameters
} | {"angle", "phase"}
"""What the calls in the tables take, and IQM's own names of angles."""

both = pytest.mark.parametrize("page", PAGES)


def column(page: str, heading: str, number: int) -> list[str]:
    """The cells of a table below a heading, without the first one; -1 is the last."""
    section = PAGES[page].split(f"## {heading}\n")[1].split("\n## ")[0]
    rows = [row for row in section.splitlines() if row.startswith("| ")]
    return [re.split(r"(?<!\\)\|", row)[1:-1][number] for row in rows[1:]]


def new_code(page: str) -> str:
    headings = ["Line by line", "Options"]
    return "\n".join(
        span
        for heading in headings
        if f"## {heading}\n" in PAGES[page]
        for cell in column(page, heading, -1)
        for span in re.findall("`([^`]+)`", cell)
    )


@both
def test_every_method_of_the_new_column_exists(page: str):
    named = re.findall(r"\b(client|job|service)\.(\w+)", new_code(page))
    assert len(named) > 5
    for holder, name in named:
        kind = HELD[holder]
        own = inspect.getsource(kind)
        assert (
            hasattr(kind, name)
            or f"self.{name} = " in own
            or (re.search(rf"self\.{name}:", own))
        ), f"{holder}.{name}"


@both
def test_every_name_of_the_new_column_is_public(page: str):
    code = new_code(page)
    for module, names in (("iqm", iqm.__all__), ("qoro", qoro.__all__)):
        for name in re.findall(rf"\bqawait\.{module}\.(\w+)", code):
            assert name in names, f"qawait.{module}.{name}"
    named = re.findall(r"\bqawait\.(\w+)", code)
    assert named
    assert set(named) <= set(qawait.__all__)


@both
def test_every_argument_of_the_new_column_is_taken(page: str):
    given = set(re.findall(r"\b(\w+)=", new_code(page)))
    assert len(given) > 4
    assert given <= ARGUMENTS


@both
def test_every_error_of_the_new_column_is_one(page: str):
    cells = column(page, "Errors", -1)
    assert len(cells) > 5
    for cell in cells:
        named = re.findall(r"`(\w+)`", cell)
        assert named, cell
        for name in named:
            assert name in errors.__all__ or hasattr(builtins, name), name
