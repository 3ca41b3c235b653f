"""The files of `qawait run`: found, named and read before anything is sent."""

from __future__ import annotations

import glob
import re
from pathlib import Path
from typing import TYPE_CHECKING

from qawait.errors import CircuitError, ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from qawait.circuits import Source

__all__ = ["file_name", "read_files"]

_UNSAFE = re.compile(r"[^\w.+=@,-]")
_LONGEST_NAME = 120


def read_files(names: Sequence[str], *, measure_all: bool) -> list[Source]:
    """Reads and checks every file; each circuit gets a label of its own.

    The label is the file's name without its ending; where two would be alike, the path
    from the directory that all have in common, joined by `_`.

    Args:
        names: Paths; a pattern that the shell has left as it is, is matched here.
        measure_all: Whether circuits that measure nothing get a measurement of all
            their qubits.

    Raises:
        CircuitError: One file cannot be used.
        ConfigurationError: Several cannot, each named on a line of its own.
    """
    from qawait import circuits
    from qawait.circuits.batch import for_each

    found = [path for paths in for_each(names, _matching) for path in paths]
    seen: set[Path] = set()

    def once(path: Path) -> Path:
        real = path.resolve()
        if real in seen:
            raise CircuitError(str(path), "is given twice")
        seen.add(real)
        return path

    paths = for_each(found, once)
    labelled = dict(zip(_labels(paths), paths, strict=True))
    return circuits.read(labelled, measure_all=measure_all)


def file_name(label: str) -> str:
    """A label as the name of a file: one segment of a path, not hidden, not too long.

    Labels can come from a service, so nothing in them may lead out of a directory.
    """
    safe = _UNSAFE.sub("_", label)[:_LONGEST_NAME]
    return "_" + safe[1:] if safe.startswith(".") else safe or "_"


def _matching(name: str) -> list[Path]:
    path = Path(name)
    if path.exists():
        return [path]
    if not glob.has_magic(name):
        raise CircuitError(name, "no such file")
    matches = sorted(glob.glob(name))  # noqa: PTH207 (pathlib takes no absolute pattern)
    if not matches:
        raise CircuitError(name, "no file matches this pattern")
    return [Path(match) for match in matches]


def _labels(paths: Sequence[Path]) -> list[str]:
    ways: tuple[Callable[[Path], Iterable[str]], ...] = (
        lambda path: (path.stem,),
        lambda path: path.with_suffix("").parts[_in_common(paths) :],
        lambda path: path.parts[_in_common(paths) :],
    )
    labels: list[str] = []
    for way in ways:
        labels = [file_name("_".join(way(path))) for path in paths]
        if len(set(labels)) == len(labels):
            return labels
    twice = next(label for label in labels if labels.count(label) > 1)
    alike = [str(p) for p, label in zip(paths, labels, strict=True) if label == twice]
    raise ConfigurationError(
        f"{' and '.join(alike[:2])} would have the same name {twice!r}: rename one"
    )


def _in_common(paths: Sequence[Path]) -> int:
    """How many leading parts all directories share."""
    shared = 0
    for parts in zip(*(path.parent.parts for path in paths), strict=False):
        if len(set(parts)) > 1:
            break
        shared += 1
    return shared
