"""The parts of a sweep, made for one client and put together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

import anyio.to_thread
from msgspec import Struct, to_builtins

from qawait._batch import options_for
from qawait._points import checked_shots, observables_for
from qawait._sweep.axes import Axes, axes_of
from qawait._sweep.chunks import Chunks, JobLimits
from qawait._sweep.flow import Flow
from qawait._sweep.items import Items, items_of
from qawait._sweep.kept import Kept
from qawait._sweep.line import Line
from qawait._sweep.opening import Written, journal_of
from qawait._sweep.outcomes import Outcomes
from qawait._sweep.preparing import Making, is_single
from qawait._sweep.purse import Purse
from qawait._sweep.record import OPEN, Record, unfinished
from qawait._sweep.settling import Settling
from qawait.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qawait._connection import Connection
    from qawait._sweep.line import Started
    from qawait._sweep.preparing import Given
    from qawait._sweep.settings import Settings
    from qawait.journal.records import Found

__all__ = ["Parts", "Source", "assembled", "resumed", "source_of"]


class Source(Struct, frozen=True):
    """What a sweep goes over."""

    items: Items
    template: Any = None
    """A circuit with free parameters, of which each item gives numbers; None where each
    item is a circuit."""
    axes: Axes | None = None
    """Of a grid."""


class Parts(Struct, frozen=True, kw_only=True):
    """What works together in an open sweep."""

    source: Source
    written: Written
    record: Record
    line: Line
    outcomes: Outcomes
    kept: Kept
    chunks: Chunks
    limits: JobLimits
    flow: Flow


def source_of(circuits: Any, grid: Any) -> Source:
    """What a user's two arguments mean; for a thread, where circuits may load.

    Raises:
        ConfigurationError: They mean nothing together.
    """
    if grid is None:
        if is_single(circuits):
            return Source(Items([circuits], 1))
        return Source(items_of(circuits))
    if not is_single(circuits):
        raise ConfigurationError(
            "a grid, or points, belong to one circuit with free parameters; for many "
            "circuits leave the second argument away"
        )
    if isinstance(grid, Mapping):
        mapping = cast("Mapping[Any, Any]", grid)
        if not any(isinstance(value, Mapping) for value in mapping.values()):
            axes = axes_of(mapping)
            return Source(Items(axes, len(axes)), circuits, axes)
    return Source(items_of(grid), circuits)


async def assembled(
    connection: Connection,
    started: Started,
    settings: Settings,
    circuits: Any,
    grid: Any,
) -> Parts:
    """All parts of a sweep; its journal is open.

    Raises:
        ConfigurationError: A setting is not for this service.
        JournalError: The journal cannot be used.
    """
    source = await anyio.to_thread.run_sync(source_of, circuits, grid)
    written = await journal_of(connection, settings.journal)
    try:
        return _put_together(connection, started, settings, source, written)
    except BaseException:
        if written.owned:
            await written.journal.close()
        raise


async def resumed(
    connection: Connection, started: Started, settings: Settings
) -> Parts:
    """The parts of a sweep over what a journal has sent and has no end of.

    Raises:
        JournalError: The journal cannot be used.
    """
    written = await journal_of(connection, settings.journal)
    try:
        points = unfinished(await written.journal.recorded(*OPEN))
        source = Source(Items([], sum(map(len, points))))
        parts = _put_together(
            connection, started, settings, source, written, resumed=points
        )
    except BaseException:
        if written.owned:
            await written.journal.close()
        raise
    # their circuits are not here, so they cannot be sent again
    parts.flow.settling.open = False
    return parts


def _put_together(
    connection: Connection,
    started: Started,
    settings: Settings,
    source: Source,
    written: Written,
    *,
    resumed: Sequence[list[tuple[Given, Found]]] = (),
) -> Parts:
    making, shots, observables = _making(connection, settings)
    asked = {
        "options": to_builtins(making.options),
        "measure_all": making.measure_all,
        "observables": None if observables is None else repr(observables),
    }
    counted = None if observables is not None else shots
    record = Record(written.journal, counted, asked, written.prefix)
    line = Line(
        connection,
        started,
        making,
        shots=shots,
        observables=observables,
        tag=settings.tag,
    )
    total = source.items.total
    outcomes = Outcomes(settings.max_in_flight, ordered=settings.ordered)
    kept = Kept(record, everything=total is not None)
    limits = JobLimits()
    chunks = Chunks(min(limits.circuits, settings.largest_batch), settings.batch)
    flow = Flow(
        line=line,
        record=record,
        purse=Purse(settings.budget, line, record),
        items=source.items,
        template=source.template,
        outcomes=outcomes,
        chunks=chunks,
        limits=limits,
        settling=Settling(outcomes, kept, total, settings.stop_on),
        resumed=resumed,
    )
    return Parts(
        source=source,
        written=written,
        record=record,
        line=line,
        outcomes=outcomes,
        kept=kept,
        chunks=chunks,
        limits=limits,
        flow=flow,
    )


def _making(connection: Connection, settings: Settings) -> tuple[Making, int, Any]:
    dialect = connection.wire.dialect
    shots, each = checked_shots(settings.shots, dialect)
    if each:
        raise ConfigurationError("a sweep takes one number of shots for all its points")
    observables = observables_for(settings.observables, dialect)
    measure_all = settings.measure_all
    if observables is not None and not measure_all:
        measure_all = None
    assert connection.target is not None
    making = Making(
        dialect=dialect,
        target=connection.target,
        options=options_for(
            dialect,
            settings.options,
            settings.execution_config,
            getattr(connection.service, "execution_config", None),
        ),
        measure_all=measure_all,
        compile=settings.compile,
        seed=settings.seed,
        optimization_level=settings.optimization_level,
    )
    return making, shots, observables
