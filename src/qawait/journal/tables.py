# pyright: basic
"""A journal as one table: for pandas and xarray, as Parquet, or as numpy files."""

from __future__ import annotations

import json
import os
from itertools import islice
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from qawait.errors import (
    ConfigurationError,
    Error,
    MissingExtra,
    NoLayout,
    NoShotData,
)
from qawait.journal.places import private_file
from qawait.journal.records import Standing  # noqa: TC001 (fields of Structs)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from qawait.circuit_result import CircuitResult
    from qawait.journal.reading import Reading, ReadJob

__all__ = [
    "Line",
    "dataset",
    "dataset_of",
    "frame",
    "frame_of",
    "lines",
    "to_npy",
    "to_parquet",
]

FIGURES = "figures"
_GROUP = 1024
"""Lines that are written at once; more than these are never in memory."""


class SentJob(Struct, frozen=True):
    """What a table shows of a job that was not read from a journal."""

    standing: Standing
    target: str
    job_id: str | None
    submission_id: str | None
    error: Error | None
    calibration_set_id: str | None = None


class Line(Struct, frozen=True):
    """One circuit that was sent, with its result if there is one."""

    job: ReadJob | SentJob
    key: str | None
    """Its point's; None for a job without points."""
    parameters: Mapping[str, float]
    label: str
    result: CircuitResult | None

    def about(self) -> dict[str, Any]:
        """What is known of it, without what was measured."""
        error = self.job.error
        return {
            "key": self.key,
            "label": self.label,
            "standing": self.job.standing.value,
            "target": self.job.target,
            "job_id": self.job.job_id,
            "submission_id": self.job.submission_id,
            "calibration_set_id": self.job.calibration_set_id,
            "shots": None if self.result is None else self.result.shots,
            "error": None if error is None else f"{type(error).__name__}: {error}",
        }


def lines(reading: Reading) -> Iterator[Line]:
    """Every point, and every circuit of a job without points, in order of submission."""
    for job in reading.jobs:
        result = job.result() if job.has_result else None
        if job.points:
            for place, point in enumerate(job.points):
                if reading.points[point.key].job is job:
                    found = None if result is None else result[place]
                    yield Line(job, point.key, point.parameters, point.label, found)
        elif result is None:
            yield Line(job, None, {}, "", None)
        else:
            for circuit in result:
                yield Line(job, None, {}, circuit.label, circuit)


def _counts(result: CircuitResult | None) -> dict[str, int] | None:
    if result is None or result.kind == "expectation":
        return None
    try:
        return result.counts()
    except NoLayout:
        return None


def _values(result: CircuitResult | None) -> dict[str, float] | None:
    if result is None or result.kind != "expectation":
        return None
    return dict(result.values)


def frame(reading: Reading) -> Any:
    """A pandas DataFrame with one row for each line.

    The columns are those of `Line.about`, one for each parameter, named as it is (and
    `parameter <name>` where that name is taken), `counts` and `values`: dictionaries, or
    None.

    Raises:
        MissingExtra: pandas is not installed.
    """
    return frame_of(lines(reading))


def frame_of(lines: Iterable[Line]) -> Any:
    """A DataFrame as `frame` gives, of any lines."""
    try:
        import pandas
    except ImportError as error:
        raise MissingExtra("frame", "data") from error
    return pandas.DataFrame([_row(line) for line in lines])


def _row(line: Line) -> dict[str, Any]:
    about = line.about()
    taken = {*about, "counts", "values"}
    for name, value in line.parameters.items():
        about[f"parameter {name}" if name in taken else name] = value
    about["counts"], about["values"] = _counts(line.result), _values(line.result)
    return about


def dataset(reading: Reading) -> Any:
    """An xarray Dataset over the parameters, or over `point` where they make no grid.

    `counts` has the dimension `outcome` beside them, in Qiskit's order, and `values` the
    dimension `observable`; a cell without a result is 0 in `counts`, with 0 in `shots`,
    and not a number in `values`. Points without parameters are told apart by their key.
    The quality figures of the target are in the attribute "figures", as JSON.

    Raises:
        MissingExtra: xarray is not installed.
        ConfigurationError: There are no points.
    """
    points = [line for line in lines(reading) if line.key is not None]
    if not points:
        raise ConfigurationError(f"journal {reading.path} has no points; see frame()")
    arrays = dataset_of(points)
    if reading.figures:
        arrays.attrs[FIGURES] = _figures(reading)
    return arrays


def _figures(reading: Reading) -> str:
    """All that the target said of itself, as JSON: a list, oldest first."""
    return msgspec.json.encode(reading.figures).decode()


def dataset_of(
    points: list[Line], axes: Mapping[str, Sequence[float]] | None = None
) -> Any:
    """A Dataset as `dataset` gives, of any lines with keys.

    Args:
        points: The lines.
        axes: The parameters of a grid and their values, those without a point included;
            None finds out whether the parameters make a grid.

    Raises:
        MissingExtra: xarray is not installed.
    """
    try:
        import numpy as np
        import xarray
    except ImportError as error:
        raise MissingExtra("dataset", "data") from error
    coordinates, places = _grid(points) if axes is None else _on_grid(points, axes)
    shape = tuple(map(len, coordinates.values()))
    variables: dict[str, Any] = {}
    for name, kind in (("standing", object), ("job_id", object), ("shots", np.int64)):
        filled = (
            np.zeros(shape, kind) if kind is not object else np.full(shape, "", kind)
        )
        for line, place in zip(points, places, strict=True):
            filled[place] = line.about()[name] or filled[place]
        variables[name] = (tuple(coordinates), filled)
    tables = (
        ("counts", "outcome", [_counts(line.result) for line in points], np.int64, 0),
        (
            "values",
            "observable",
            [_values(line.result) for line in points],
            float,
            np.nan,
        ),
    )
    extra: dict[str, Any] = {}
    for name, axis, cells, kind, nothing in tables:
        columns = sorted({column for cell in cells for column in cell or ()})
        if not columns:
            continue
        table = np.full((*shape, len(columns)), nothing, kind)
        number = {column: n for n, column in enumerate(columns)}
        for cell, place in zip(cells, places, strict=True):
            for column, value in (cell or {}).items():
                table[(*place, number[column])] = value
        extra[axis] = columns
        variables[name] = ((*coordinates, axis), table)
    return xarray.Dataset(variables, coords={**coordinates, **extra})


def _grid(
    points: list[Line],
) -> tuple[dict[str, list[Any]], list[tuple[int, ...]]]:
    """The coordinates of a grid, and the place of each point on it."""
    names = list(points[0].parameters)
    reserved = {
        "outcome",
        "observable",
        "standing",
        "job_id",
        "shots",
        "counts",
        "values",
    }
    alike = all(list(line.parameters) == names for line in points)
    cells = {tuple(line.parameters.values()) for line in points}
    axes = [sorted({line.parameters[n] for line in points}) for n in names if alike]
    size = 1
    for axis in axes:
        size *= len(axis)
    # a scattered sweep would fill a grid with almost nothing
    fits = len(cells) == len(points) and size <= 4 * len(points)
    if not names or not alike or not fits or reserved & set(names):
        keys = [line.key for line in points]
        return {"point": keys}, [(n,) for n in range(len(points))]
    return _on_grid(points, dict(zip(names, axes, strict=True)))


def _on_grid(
    points: list[Line], axes: Mapping[str, Sequence[float]]
) -> tuple[dict[str, list[Any]], list[tuple[int, ...]]]:
    coordinates = {name: sorted(values) for name, values in axes.items()}
    numbers = {
        name: {value: n for n, value in enumerate(values)}
        for name, values in coordinates.items()
    }
    places = [
        tuple(number[line.parameters[name]] for name, number in numbers.items())
        for line in points
    ]
    return coordinates, places


# --- files ----------------------------------------------------------------------------


def to_parquet(reading: Reading, path: Path) -> int:
    """Write the table as one Parquet file that only its owner can read.

    The quality figures of the target are in its metadata under "figures", as JSON.

    Returns:
        How many lines it has.

    Raises:
        MissingExtra: pyarrow is not installed.
        ConfigurationError: The file is there already, or cannot be written.
    """
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError as error:
        raise MissingExtra("Parquet", "data") from error
    text, number = pa.string(), pa.float64()
    schema = pa.schema(
        [
            *((name, text) for name in ("key", "label", "standing", "target")),
            *((name, text) for name in ("job_id", "submission_id")),
            ("calibration_set_id", text),
            ("shots", pa.int64()),
            ("error", text),
            ("parameters", pa.map_(text, number)),
            ("counts", pa.map_(text, pa.int64())),
            ("values", pa.map_(text, number)),
        ],
        {FIGURES: _figures(reading)},
    )
    written = 0
    source = lines(reading)
    with _new_file(path) as file, parquet.ParquetWriter(file, schema) as writer:
        while group := list(islice(source, _GROUP)):
            rows = [
                {
                    **line.about(),
                    "parameters": list(line.parameters.items()),
                    "counts": _items(_counts(line.result)),
                    "values": _items(_values(line.result)),
                }
                for line in group
            ]
            writer.write_table(pa.Table.from_pylist(rows, schema=schema))
            written += len(rows)
    return written


def _items(mapping: Mapping[str, Any] | None) -> list[tuple[str, Any]] | None:
    return None if mapping is None else list(mapping.items())


def _new_file(path: Path) -> Any:
    try:
        fd = private_file(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
    except OSError as error:
        raise ConfigurationError(f"{path}: {error.strerror}") from error
    return open(fd, "wb")  # noqa: PTH123 (a descriptor, not a path)


def to_npy(reading: Reading, directory: Path) -> int:
    """Write one numpy array for each line with shots, and a table of them all.

    `000000.npy` has the shape (shots, bits), column j is classical bit j; its number is
    that of the line in `points.jsonl`, one JSON object for each, where counts and values
    stand too. Names come from numbers alone, whatever the keys are. `figures.json` has the
    quality figures of the target, where there are any.

    Returns:
        How many lines there are.

    Raises:
        ConfigurationError: The directory is there already, or cannot be made.
    """
    import numpy as np

    try:
        directory.mkdir(mode=0o700, parents=True)
    except OSError as error:
        raise ConfigurationError(f"{directory}: {error.strerror}") from error
    written = 0
    with _new_file(directory / "points.jsonl") as table:
        for line in lines(reading):
            document = line.about()
            document["parameters"] = dict(line.parameters)
            document["counts"] = _counts(line.result)
            document["values"] = _values(line.result)
            bits = _bits(line.result)
            if bits is not None:
                document["bits"] = f"{written:06}.npy"
                with _new_file(directory / document["bits"]) as file:
                    np.save(file, bits, allow_pickle=False)
            table.write(json.dumps(document, allow_nan=False).encode() + b"\n")
            written += 1
    if reading.figures:
        with _new_file(directory / f"{FIGURES}.json") as file:
            file.write(_figures(reading).encode())
    return written


def _bits(result: CircuitResult | None) -> Any:
    if result is None:
        return None
    try:
        return result.bits()
    except (NoShotData, NoLayout):
        return None


def to_other(reading: Reading, path: Path, kind: str) -> int:
    """Write a table as CSV, or the arrays as netCDF or Zarr.

    Args:
        reading: The journal.
        path: Where to write it; a directory for Zarr.
        kind: "csv", "netcdf" or "zarr".

    Returns:
        How many lines there are.

    Raises:
        MissingExtra: pandas or xarray is not installed, or what they need for this.
        ConfigurationError: It is there already, or cannot be written.
    """
    if kind == "csv":
        table = frame(reading)
        with _new_file(path) as file:
            table.to_csv(file, index=False)
        return len(table)
    arrays = dataset(reading)
    # the formats have no type for text of mixed lengths
    for name in ("standing", "job_id"):
        arrays[name] = arrays[name].astype(str)
    try:
        if kind == "netcdf":
            content = bytes(arrays.to_netcdf())
            with _new_file(path) as file:
                file.write(content)
        else:
            # its files have the modes of the umask; nobody else comes as far as them
            import zarr  # noqa: F401 (before the directory is made)

            path.mkdir(mode=0o700)
            # version 3 has no settled type for text
            arrays.to_zarr(path, mode="a", zarr_format=2)
    except (ImportError, ValueError) as error:
        raise MissingExtra(f"writing {kind}", "data") from error
    return len(reading)
