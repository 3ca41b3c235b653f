"""How the results of a job are collected from their pages."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from msgspec import ValidationError, convert

from qawait.errors import ProtocolError, ResultMismatch
from qawait.model import Call
from qawait.qoro import messages
from qawait.qoro.observables import from_wire
from qawait.wire import checked_id, decode

if TYPE_CHECKING:
    from qawait.histograms import Histogram
    from qawait.model import Exchange, Manifest, Status
    from qawait.results import Result

__all__ = ["PAGES_AT_ONCE", "PAGE_ROWS", "result"]

_PAULI = re.compile("[IXYZ]+")

_MiB = 1 << 20

PAGE_ROWS = 100
"""Rows asked for at once, as the vendor's client does."""

PAGES_AT_ONCE = 16
"""A service that promises more rows than it has is found out after so many pages."""


def result(job_id: str, status: Status, manifest: Manifest) -> Exchange[Result]:
    """Every row of a completed job, as one result in the order of the manifest.

    The service promises neither the order nor the completeness of the rows; both are
    checked, since rows were lost here before (wire reference §1g).

    Raises:
        ResultMismatch: The rows are not one for each circuit that was sent.
        ProtocolError: A histogram is not one.
    """
    # Heavy: numpy loads when the first result is read.
    from qawait.results import Result

    rows = yield from _rows(
        job_id, expected=len(manifest.circuits) or None, most=_most(manifest)
    )
    _check_labels(rows, manifest)
    about: dict[str, Any] = {
        "job_id": job_id,
        "message": status.message,
        "simulated": manifest.simulated,
        "target": manifest.target,
    }
    sent = manifest if manifest.circuits else None
    if _are_expectations(rows, manifest):
        values = [(row.label, _values(row)) for row in rows]
        return Result.of_expectations(values, sent, **about)
    histograms = [(row.label, _histogram(row)) for row in rows]
    about["warnings"] = _differences(histograms, manifest)
    return Result.of_histograms(histograms, sent, **about)


def _are_expectations(rows: list[messages.Row], manifest: Manifest) -> bool:
    """Not where shots were asked for; else the first row tells."""
    if any(record.shots is not None for record in manifest.circuits):
        return False
    first = rows[0].results if rows else None
    return bool(first) and not {"encoding", "payload"} & first.keys()


def _most(manifest: Manifest) -> int | None:
    """The largest page that can hold results of these circuits, in bytes.

    A histogram of n bits has an outcome for each shot at most, and takes less than 4 n
    bytes for it; labels and the rest of a hundred rows fit into a mebibyte. None where
    the shots or the bits are not known.
    """
    most = _MiB
    for record in manifest.circuits:
        if record.shots is None or record.layout is None:
            return None
        most += 6 * len(record.label)
        most += 4 * record.shots * (len(record.layout.bits) + 8)
    return most if manifest.circuits else None


def _rows(
    job_id: str, *, expected: int | None, most: int | None
) -> Exchange[list[messages.Row]]:
    path = f"job/{checked_id(job_id)}/resultsV2/"
    [answer] = yield [_page(path, PAGE_ROWS, 0, most)]
    first = decode(messages.PAGE, answer.body, "results")
    if expected is not None and first.count != expected:
        raise ResultMismatch(
            f"job {job_id}: {expected} circuits were sent, but the service has "
            f"{first.count} results"
        )
    rows = list(first.results)
    seen: set[str] = set()
    _check_unseen(first.results, seen)
    # A service may give fewer rows a page than it was asked for.
    step = len(rows)
    if step > first.count or (step == 0 and first.count != 0):
        raise _incomplete(job_id, step, first.count)
    while len(rows) < first.count:
        end = min(first.count, len(rows) + step * PAGES_AT_ONCE)
        some = range(len(rows), end, step)
        answers = yield [_page(path, step, offset, most) for offset in some]
        for offset, answer in zip(some, answers, strict=True):
            page = decode(messages.PAGE, answer.body, "results")
            if page.count != first.count:
                raise ResultMismatch(
                    f"job {job_id}: the number of results went from {first.count} to "
                    f"{page.count} while they were read"
                )
            if len(page.results) != min(step, first.count - offset):
                raise _incomplete(job_id, len(rows) + len(page.results), first.count)
            # Page by page, or a service could go on with the same rows without end.
            _check_unseen(page.results, seen)
            rows += page.results
    return rows


def _page(path: str, limit: int, offset: int, most: int | None) -> Call:
    return Call(
        kind="read",
        method="GET",
        path=path,
        query=(("limit", str(limit)), ("offset", str(offset))),
        repeatable=True,
        result=True,
        most=most,
    )


def _incomplete(job_id: str, rows: int, count: int) -> ResultMismatch:
    return ResultMismatch(
        f"job {job_id}: the service says {count} results, but its pages have {rows}"
    )


def _check_unseen(rows: list[messages.Row], seen: set[str]) -> None:
    for row in rows:
        if row.label in seen:
            raise ResultMismatch(f"two results have the label {row.label!r}")
        seen.add(row.label)


def _check_labels(rows: list[messages.Row], manifest: Manifest) -> None:
    labels = {row.label for row in rows}
    sent = {record.label for record in manifest.circuits}
    if sent and labels != sent:
        missing, foreign = sorted(sent - labels), sorted(labels - sent)
        raise ResultMismatch(
            f"there is no result for {missing[0]!r}, but one for {foreign[0]!r}, "
            "which was not sent"
        )


def _histogram(row: messages.Row) -> Histogram:
    from qawait.histograms import decode_histogram

    try:
        encoded = convert(row.results or {}, messages.EncodedHistogram)
    except ValidationError as error:
        raise ProtocolError(f"the result of {row.label!r}: {error}") from None
    if encoded.encoding is None or not encoded.payload:
        raise ResultMismatch(f"the result of {row.label!r} holds no counts")
    try:
        return decode_histogram(encoded.encoding, encoded.n_bits, encoded.payload)
    except ProtocolError as error:
        raise ProtocolError(
            f"the result of {row.label!r}: {error}", excerpt=error.excerpt
        ) from error


def _values(row: messages.Row) -> dict[str, float]:
    """The value of each observable, by its label in Qiskit's order."""
    if not row.results:
        raise ResultMismatch(f"the result of {row.label!r} holds no expectation values")
    for label, value in row.results.items():
        if not _PAULI.fullmatch(label):
            raise ResultMismatch(
                f"the result of {row.label!r} has {label[:40]!r}, which is no observable"
            )
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ProtocolError(
                f"the result of {row.label!r}: {label[:40]} is no number"
            )
    return from_wire(row.results)


def _differences(
    histograms: list[tuple[str, Histogram]], manifest: Manifest
) -> tuple[str, ...]:
    """One sentence for every circuit with another number of shots than asked for."""
    asked = {record.label: record.shots for record in manifest.circuits}
    differences: list[str] = []
    for label, histogram in histograms:
        came, shots = histogram.shots, asked.get(label)
        if shots is not None and came != shots:
            differences.append(
                f"{label}: {came} shots came back, {shots} were asked for"
            )
    return tuple(differences)
