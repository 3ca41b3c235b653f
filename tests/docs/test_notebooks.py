"""The example notebooks run, and what is stored of their outputs is what they show."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from tests.docs.notebook_runs import NOTEBOOKS, ran, read

ROOT = Path(__file__).parents[2]

each = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def code_cells(notebook: Any) -> list[Any]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def shape(cell: Any) -> list[tuple[str, tuple[str, ...], str]]:
    """The kinds of a cell's outputs, and the words in them that are the same each time."""
    return [
        (
            output.output_type,
            tuple(sorted(output.get("data", {}))),
            words(output.get("text") or output.get("data", {}).get("text/plain", "")),
        )
        for output in cell.outputs
    ]


def words(text: str) -> str:
    """The text without what differs from run to run: numbers, ids and bit strings."""
    first = text.splitlines()[0] if text else ""
    if first.startswith("<"):
        # a repr that counts what a killed program had come to
        return "<"
    return " ".join(re.findall(r"(?<![\w-])[A-Za-z]+(?![\w-])", first))


@each
@pytest.mark.timeout(150)
def test_a_notebook_runs_and_shows_what_is_stored(path: Path, tmp_path: Path):
    """`python -m tests.docs.notebook_runs` stores the outputs of a new run."""
    stored, now = code_cells(read(path)), code_cells(ran(path, tmp_path))
    assert [shape(cell) for cell in now] == [shape(cell) for cell in stored]


@each
def test_what_is_stored_is_whole_and_tells_nothing_of_a_machine(path: Path):
    cells = code_cells(read(path))
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    outputs = [output for cell in cells for output in cell.outputs]
    assert not [
        o for o in outputs if o.output_type == "error" or o.get("name") == "stderr"
    ]
    assert not re.search(r"/(home|root|tmp|Users|work)/", path.read_text())


@each
def test_a_view_in_a_stored_notebook_is_its_last_state(path: Path):
    """Live views stay behind as they were last, and not as they were first."""
    texts = [
        output.data["text/plain"]
        for cell in code_cells(read(path))
        for output in cell.outputs
        if output.output_type == "display_data"
    ]
    views = [text for text in texts if text.startswith(("Job ", "Sweep "))]
    assert all(re.search(": (ready|complete)$", v.splitlines()[0]) for v in views)
    assert views or path.stem == "side-by-side"


def test_there_are_four_and_the_first_page_leads_to_them():
    index = (ROOT / "docs/index.md").read_text()
    assert len(NOTEBOOKS) == 4
    assert [p.name for p in NOTEBOOKS if f"(notebooks/{p.name})" not in index] == []
