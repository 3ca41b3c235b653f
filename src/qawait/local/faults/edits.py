"""Answers that say something else than what is so."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias, TypeGuard
from uuid import uuid4

import msgspec

from qawait.local.jobs import Stage
from qawait.local.user_agents import station_word, v1_word
from qawait.qoro.serving import encode_row

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qawait.local.faults.asked import Question

__all__ = ["EDITS", "edited"]

UNKNOWN_WORD = "reticulating"


def edited(name: str, asked: Question, body: bytes, user_agent: str) -> bytes | None:
    """The body as a fault has it.

    Args:
        name: A key of `EDITS`.
        asked: What the answer is to.
        body: The answer, of a status below 300.
        user_agent: Who asked.

    Returns:
        None where the fault has nothing to change: it falls on another kind of answer,
        or says what is so.
    """
    try:
        value = msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    changed = EDITS[name](value, asked, user_agent)
    return None if changed is None else msgspec.json.encode(changed)


Edit: TypeAlias = Callable[[Any, "Question", str], Any]
"""Takes the value of an answer, what it answers and who asked, and gives another value;
None changes nothing."""


def _is_object(value: Any) -> TypeGuard[dict[str, Any]]:
    return isinstance(value, dict)


# --- ids ------------------------------------------------------------------------------


def _with_id(give: Callable[[], str | None]) -> Edit:
    def edit(value: Any, asked: Question, user_agent: str) -> Any:
        if asked.kind != "submit" or not _is_object(value):
            return None
        name = "job_id" if "job_id" in value else "id"
        given = give()
        rest = {key: held for key, held in value.items() if key != name}
        return rest if given is None else rest | {name: given}

    return edit


# --- words ----------------------------------------------------------------------------


def _first_word(asked: Question, user_agent: str) -> str:
    match asked.dialect:
        case "iqm-v1":
            return v1_word(Stage.RECEIVED, user_agent)
        case "iqm-station":
            return station_word(Stage.RECEIVED, user_agent)
        case "iqm-server":
            return "waiting"
        case _:
            return "PENDING"


_OTHER_END = {
    "ready": "failed",
    "completed": "failed",
    "COMPLETED": "FAILED",
    "failed": "ready",
    "aborted": "ready",
    "cancelled": "completed",
    "FAILED": "COMPLETED",
    "CANCELLED": "COMPLETED",
}


def _with_word(give: Callable[[str, Question, str], str | None]) -> Edit:
    def edit(value: Any, asked: Question, user_agent: str) -> Any:
        if asked.kind != "poll" or not _is_object(value):
            return None
        word: str = value["status"]
        given = give(word, asked, user_agent)
        return None if given in (None, word) else value | {"status": given}

    return edit


def _another_end(word: str, asked: Question, user_agent: str) -> str | None:
    if asked.dialect == "iqm-server" and word == "failed":
        return "completed"
    return _OTHER_END.get(word)


# --- results --------------------------------------------------------------------------


def _circuits(value: Any) -> list[Any] | None:
    """The circuits of a result, in whichever dialect it is; None if it is none."""
    if _is_object(value):
        names = [n for n in ("measurements", "counts_batch", "results") if n in value]
        value = value[names[0]] if names else None
    return value if _is_list(value) and value and _is_object(value[0]) else None


def _is_list(value: Any) -> TypeGuard[list[Any]]:
    return isinstance(value, list)


def _with_circuits(change: Callable[[list[Any]], bool]) -> Edit:
    def edit(value: Any, asked: Question, user_agent: str) -> Any:
        circuits = _circuits(value) if asked.kind == "results" else None
        if circuits is None:
            return None
        before = len(circuits)
        if not change(circuits):
            return None
        if _is_object(value) and "count" in value:
            value["count"] += len(circuits) - before
        return value

    return edit


def _drop_last(circuits: list[Any]) -> bool:
    circuits.pop()
    return True


def _repeat_first(circuits: list[Any]) -> bool:
    circuits.append(circuits[0])
    return True


def _rename(circuits: list[Any]) -> bool:
    for place, circuit in enumerate(circuits):
        if "label" in circuit:
            circuit["label"] += "-other"
        else:
            circuits[place] = {f"{key}_other": rows for key, rows in circuit.items()}
    return True


def _drop_shot(circuits: list[Any]) -> bool:
    for place, circuit in enumerate(circuits):
        if "label" in circuit:
            counted = circuit["results"]
            if "payload" not in counted:
                return False
            circuits[place] = _with_a_count_less(circuit["label"], counted)
        else:
            for rows in circuit.values():
                if not _is_list(rows) or not rows:
                    return False
                rows.pop()
    return True


def _with_a_count_less(label: str, counted: dict[str, Any]) -> Any:
    # Heavy: numpy loads when the first result is changed.
    from qawait.histograms import Histogram, decode_histogram

    full = decode_histogram(counted["encoding"], counted["n_bits"], counted["payload"])
    counts = full.counts.copy()
    counts[0] -= 1
    kept = counts > 0
    fewer = Histogram(full.n_bits, full.outcomes[kept], counts[kept])
    return msgspec.to_builtins(encode_row(label, fewer))


EDITS: Mapping[str, Edit] = {
    "no_id": _with_id(lambda: None),
    "wrong_id": _with_id(lambda: str(uuid4())),
    "hostile_id": _with_id(lambda: "../../admin"),
    "unknown_word": _with_word(lambda word, asked, agent: UNKNOWN_WORD),
    "backward": _with_word(lambda word, asked, agent: _first_word(asked, agent)),
    "other_end": _with_word(_another_end),
    "one_less": _with_circuits(_drop_last),
    "one_more": _with_circuits(_repeat_first),
    "other_labels": _with_circuits(_rename),
    "fewer_shots": _with_circuits(_drop_shot),
}
"""The faults that are another content of an answer."""
