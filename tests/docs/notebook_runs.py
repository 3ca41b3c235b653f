"""Run the example notebooks; `python -m tests.docs.notebook_runs` stores their outputs."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

NOTEBOOKS = sorted((Path(__file__).parents[2] / "docs/notebooks").glob("*.ipynb"))


def read(path: Path) -> Any:
    """A notebook as it is stored."""
    return nbformat.read(path, as_version=4)


def ran(path: Path, home: Path) -> Any:
    """A copy of a notebook with the outputs of a run in a directory of its own."""
    notebook = read(path)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    kept = {name: os.environ[name] for name in ("PATH", "TMPDIR") if name in os.environ}
    # the machine's settings must show neither in what is stored nor in what is tested
    env = {**kept, "HOME": str(home), "TZ": "UTC", "PYTHONUTF8": "1"}
    client = NotebookClient(
        notebook,
        timeout=120,
        kernel_name="python3",
        record_timing=False,
        resources={"metadata": {"path": str(home)}},
    )
    return client.execute(env=env)


def main() -> None:
    """Store the outputs of a new run in every notebook."""
    for path in NOTEBOOKS:
        with tempfile.TemporaryDirectory() as home:
            notebook = ran(path, Path(home))
        notebook.metadata.language_info = {"name": "python"}
        nbformat.write(notebook, path)


if __name__ == "__main__":
    main()
