"""How the two reference models look."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import TYPE_CHECKING, Any

from qawait._display.card import Card, Facts, Note, Row, Table, Tone
from qawait._display.words import in_the_middle, with_plural

if TYPE_CHECKING:
    from qawait.iqm.run_result import RunResult
    from qawait.qoro.execution_config import ExecutionConfig

__all__ = ["config_card", "run_card"]

_MOST = 12
"""Circuits that are listed."""
_STAGES = 24
"""Stages of a run that are listed."""


def config_card(config: ExecutionConfig) -> Card:
    """The settings of a job, those that are set."""
    rows: list[tuple[str, str]] = []
    for name in config.__struct_fields__:
        value = getattr(config, name)
        if isinstance(value, Mapping):
            rows += [(f"{name}[{k!r}]", _written(v)) for k, v in value.items()]  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
        elif value is not None:
            rows.append((name, _written(value)))
    rest = "everything else is left to the service"
    note = Note(rest if rows else "everything is left to the service")
    return Card(kind="ExecutionConfig", parts=(Facts(tuple(rows)), note))


def _written(value: Any) -> str:
    if isinstance(value, IntEnum):
        return f"{value.name} ({value.value})"
    return value if isinstance(value, str) else repr(value)


def run_card(run: RunResult) -> Card:
    """A run as IQM tells of it."""
    tones: dict[str, Tone] = {"ready": "good", "failed": "bad", "aborted": "bad"}
    about = run.metadata
    facts: list[tuple[str, str]] = []
    if about.calibration_set_id is not None:
        facts.append(("calibration set", about.calibration_set_id))
    if about.shots is not None:
        facts.append(("shots", f"{about.shots:,}"))
    facts += [(stage, at) for stage, at in (about.timestamps or {}).items()][:_STAGES]
    facts += [("warning", text) for text in run.warnings or ()]
    parts: list[Facts | Table | Note] = [Facts(tuple(facts))]
    if run.message is not None:
        parts.append(Note(run.message, tones.get(run.status, "muted")))
    if run.measurements:
        parts.append(
            Table(
                ("circuit", "key", "shots", "qubits"),
                tuple(
                    Row((str(n), in_the_middle(key), f"{shots.rows:,}", f"{width}"))
                    for n, shots in enumerate(run.measurements[:_MOST])
                    for key, width in list(shots.widths.items())[:_MOST]
                ),
                right=(2, 3),
                code=(1,),
            )
        )
        more = len(run.measurements) - _MOST
        if more > 0:
            parts.append(Note(f"and {with_plural(more, 'circuit')} more"))
    return Card(
        kind="RunResult",
        state=run.status,
        tone=tones.get(run.status, "working"),
        parts=tuple(parts),
    )
