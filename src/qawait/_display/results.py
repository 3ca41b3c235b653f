"""How results look: what was seen most often, and where there is more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qawait._display.card import Card, Facts, Note, Row, Table
from qawait._display.words import in_the_middle, one_line, with_plural
from qawait.errors import Error

if TYPE_CHECKING:
    from qawait.circuit_result import CircuitResult
    from qawait.results import Result

__all__ = ["circuit_card", "result_card"]

_CIRCUITS = 10
"""Circuits of a result that are listed."""
_SEEN = 3
"""Outcomes of each of them."""
_OUTCOMES = 16
"""Outcomes of one circuit that are listed."""
_COUNTED = 1 << 21
"""Bits that are counted for one view, all its circuits together: a moment's work."""


def result_card(result: Result) -> Card:
    """The results of a job."""
    simulated = ", simulated" if result.simulated else ""
    facts = [("circuits", f"{len(result):,}, {result.kind}")]
    if result.calibration_set_id is not None:
        facts.append(("calibration set", result.calibration_set_id))
    if result.message:
        facts.append(("message", result.message))
    facts += [("warning", text) for text in result.warnings]
    values, shown = result.kind == "expectation", result[:_CIRCUITS]
    rows = tuple(
        Row((str(n), in_the_middle(one.label), *_in_brief(one, _COUNTED // len(shown))))
        for n, one in enumerate(shown)
    )
    headings = ("", "label", *(() if values else ("shots",)))
    table = Table(
        (*headings, "values" if values else "seen most often"),
        rows,
        right=(0,) if values else (0, 2),
        code=(1, 2) if values else (1, 3),
    )
    more = len(result) - _CIRCUITS
    rest = f"and {with_plural(more, 'circuit')} more; " if more > 0 else ""
    call = "values" if values else "counts()"
    return Card(
        kind="Result",
        name=result.job_id,
        about=f"on {result.target}{simulated}" if result.target else simulated[2:],
        state=result.status.value,
        tone="good",
        parts=(Facts(tuple(facts)), table, Note(f"{rest}`result[0].{call}` has all")),
    )


def _in_brief(one: CircuitResult, most: int) -> tuple[str, ...]:
    if one.kind == "expectation":
        told = [f"{name} {value:+.4f}" for name, value in list(one.values.items())[:4]]
        more = ", ..." if len(one.values) > len(told) else ""
        return (one_line(", ".join(told) + more, 120),)
    counts, _ = _counts(one, most)
    if counts is None:
        return f"{one.shots or 0:,}", _keys(one)
    first = _most_frequent(counts)[:_SEEN]
    told = [f"{in_the_middle(outcome, 28)} {count:,}" for outcome, count in first]
    more = ", ..." if len(counts) > len(first) else ""
    return f"{one.shots or 0:,}", ", ".join(told) + more


def circuit_card(one: CircuitResult) -> Card:
    """The result of one circuit."""
    facts: list[tuple[str, str]] = []
    if one.kind != "expectation":
        asked = one.requested_shots
        of = f" of {asked:,}" if asked is not None and asked != one.shots else ""
        facts.append(("shots", f"{one.shots or 0:,}{of}"))
    if one.layout is not None and one.layout.registers:
        registers = [f"{name}[{n}]" for name, n in one.layout.registers]
        facts.append(("registers", " ".join(registers)))
    parts: list[Facts | Table | Note] = [Facts(tuple(facts))]
    if one.kind == "expectation":
        rows = tuple(
            Row((in_the_middle(name), f"{value:+.6f}"))
            for name, value in list(one.values.items())[:_OUTCOMES]
        )
        parts.append(Table(("operator", "value"), rows, right=(1,), code=(0,)))
        hidden = len(one.values) - len(rows)
        if hidden > 0:
            parts.append(Note(f"and {with_plural(hidden, 'value')} more: `values`"))
    else:
        parts += _outcomes(one)
    return Card(
        kind="CircuitResult",
        name=one.label,
        about="simulated" if one.simulated else "",
        parts=tuple(parts),
    )


def _outcomes(one: CircuitResult) -> list[Facts | Table | Note]:
    counts, why = _counts(one, _COUNTED)
    if counts is None:
        keys = Facts((("keys", _keys(one)),)) if one.kind == "shots" else Facts(())
        return [keys, Note(why)]
    if not counts:
        return [Note("not one shot came back")]
    total, first = sum(counts.values()), _most_frequent(counts)[:_OUTCOMES]
    top = first[0][1]
    rows = tuple(
        Row((in_the_middle(text), f"{n:,}", f"{n / total:.1%}"), share=n / top)
        for text, n in first
    )
    table = Table(("outcome", "count", "share"), rows, right=(1, 2), code=(0,))
    hidden = len(counts) - len(first)
    if hidden <= 0:
        return [table]
    left = total - sum(count for _, count in first)
    more = with_plural(hidden, "more outcome")
    return [table, Note(f"{more}, {left / total:.1%} in all: `counts()`")]


def _most_frequent(counts: dict[str, int]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda item: -item[1])


def _counts(one: CircuitResult, most: int) -> tuple[dict[str, int] | None, str]:
    """The counts; None where they cannot be had from so many bits, and why."""
    bits = sum(one.registers.values()) if one.layout is not None else 1
    rows = len(one.tallied.counts) if one.tallied is not None else one.shots or 0
    if rows * max(bits, 1) > most:
        return None, f"too many to be counted for a view: `counts()` of {rows:,} rows"
    try:
        return one.counts(sep=" "), ""
    except Error as error:
        return None, str(error)


def _keys(one: CircuitResult) -> str:
    if one.kind != "shots":
        return ""
    widths = list(one.measured.widths.items())
    told = [f"{in_the_middle(key)} ({one.shots or 0:,}, {n})" for key, n in widths[:6]]
    return ", ".join(told) + (", ..." if len(widths) > len(told) else "")
