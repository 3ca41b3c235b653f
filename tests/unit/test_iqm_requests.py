"""What we send to IQM is what IQM's own clients send, and what they send is read."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import given, seed
from hypothesis import strategies as st
from tests.conformance.judges import native

from qawait.iqm.circuit import Circuit, Instruction
from qawait.iqm.dialects import SERVER, STATION, STATION_30, V1, V2, V2_24
from qawait.iqm.options import DynamicalDecoupling, Options
from qawait.iqm.serving import read_request
from qawait.model import Submission, Target

if TYPE_CHECKING:
    from qawait.model import Dialect

RECORDED = Path(__file__).parents[1] / "data" / "iqm" / "requests"
MAPPING = {"carol": "QB3", "alice": "QB1", "bob": "QB2"}
EACH = pytest.mark.parametrize(
    ("dialect", "client"),
    [
        (V1, "iqm-client-28"),
        (V2_24, "iqm-client-22-v2"),
        (V2, "iqm-client-22-v2"),
        (STATION_30, "iqm-client-29-station"),
        (SERVER, "iqm-client-36"),
    ],
)


def circuits(*qubits: str) -> tuple[Circuit, ...]:
    """The judges' batch in our own model."""
    return tuple(
        Circuit(name, tuple(map(instruction, operations)))
        for name, operations in native.batch(*qubits).items()
    )


def instruction(operation: native.Operation) -> Instruction:
    args: dict[str, Any] = {}
    if operation.turns is not None:
        args["angle"], args["phase"] = (2 * math.pi * t for t in operation.turns)
    if operation.key is not None:
        args["key"] = operation.key
    return Instruction(operation.name, operation.locus, args)


def recorded_in(client: str, name: str) -> Any:
    return json.loads((RECORDED / f"{client}-{name}.json").read_bytes())


def submission(name: str, calibration_set_id: str | None) -> Submission:
    mapped = name == "mapped"
    return Submission(
        circuits=circuits(
            *(("alice", "bob", "carol") if mapped else ("QB1", "QB2", "QB3"))
        ),
        shots=1 if mapped else native.SHOTS,
        target=Target(name="square20", qubits=20),
        options=Options(qubit_mapping=MAPPING, calibration_set_id=calibration_set_id)
        if mapped
        else None,
    )


def rounded(value: Any) -> Any:
    """The same document with every float to 12 digits: turns and radians convert."""
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [rounded(item) for item in value]
    return round(value, 12) if isinstance(value, float) else value


@EACH
@pytest.mark.parametrize("name", ["batch", "mapped"])
def test_a_submission_is_the_one_of_the_vendors_client(
    dialect: Dialect, client: str, name: str
) -> None:
    """The same fields with the same values, nulls included and absences too."""
    recorded = recorded_in(client, name)
    call = dialect.open_job(submission(name, recorded.get("calibration_set_id")))
    assert call.body is not None
    assert rounded(json.loads(call.body)) == rounded(recorded)


@EACH
@pytest.mark.parametrize("name", ["batch", "mapped"])
def test_a_submission_of_the_vendors_client_is_read(
    dialect: Dialect, client: str, name: str
) -> None:
    """Turns become radians, and a mapping is applied to the loci it names."""
    request = read_request((RECORDED / f"{client}-{name}.json").read_bytes())
    wanted = circuits("QB1", "QB2", "QB3")
    assert [c.name for c in request.circuits] == [c.name for c in wanted]
    for read, made in zip(request.circuits, wanted, strict=True):
        assert [(i.name, i.locus) for i in read.instructions] == [
            (i.name, i.locus) for i in made.instructions
        ]
        for ours, theirs in zip(made.instructions, read.instructions, strict=True):
            assert theirs.args == pytest.approx(ours.args)
    mapped = name == "mapped"
    recorded = recorded_in(client, name)
    assert request.shots == (1 if mapped else native.SHOTS)
    assert request.calibration_set_id == recorded.get("calibration_set_id")
    assert (request.calibration_set_id is not None) == mapped


def test_a_strategy_of_decoupling_is_the_one_of_the_vendors_client() -> None:
    """Its angles are radians although those of the circuits are turns."""
    recorded = recorded_in("iqm-client-29-station", "own-strategy")
    strategy = DynamicalDecoupling(
        merge_contiguous_waits=False,
        target_qubits=("QB2",),
        skip_trailing_wait=False,
        gate_sequences=(
            (7, "XYXY", "alap"),
            (3, ((0.5, 0.25), (-1.5, 3.0)), "center"),
        ),
    )
    call = STATION_30.open_job(
        Submission(
            circuits=circuits("QB1", "QB2", "QB3"),
            shots=1,
            target=Target(name="square20", qubits=20),
            options=Options(dd_mode="enabled", dd_strategy=strategy),
        )
    )
    assert call.body is not None
    assert rounded(json.loads(call.body)) == rounded(recorded)


# --- the bytes ------------------------------------------------------------------------

NAMES = st.text(min_size=1, max_size=4)
NUMBERS = st.floats(-7, 7)
PLAIN = st.builds(
    Instruction,
    st.just("prx"),
    st.tuples(NAMES),
    st.fixed_dictionaries({"angle": NUMBERS, "phase": NUMBERS}),
    st.none() | NAMES,
) | st.builds(
    Instruction,
    NAMES,
    st.lists(NAMES, min_size=1, max_size=3).map(tuple),
    st.dictionaries(NAMES, NUMBERS | NAMES | st.none(), max_size=2),
    st.none() | NAMES,
)
METADATA = st.none() | st.dictionaries(NAMES, st.none() | NAMES, max_size=2)
CIRCUITS = st.lists(
    st.builds(Circuit, NAMES, st.lists(PLAIN, max_size=3).map(tuple), METADATA),
    max_size=3,
)


def plain(
    circuits: list[Circuit], locus: str, *, turned: bool, absent: bool
) -> list[dict[str, Any]]:
    """The circuits as dictionaries, field by field."""

    def without(fields: dict[str, Any], name: str) -> dict[str, Any]:
        return {k: v for k, v in fields.items() if not (k == name and v is None)}

    def operation(i: Instruction) -> dict[str, Any]:
        fields = {
            "name": i.name,
            locus: i.locus,
            "args": i.args_in_turns() if turned else i.args,
            "implementation": i.implementation,
        }
        return without(fields, "implementation") if absent else fields

    found: list[dict[str, Any]] = []
    for c in circuits:
        fields = {
            "name": c.name,
            "instructions": [operation(i) for i in c.instructions],
            "metadata": c.metadata,
        }
        found.append(without(fields, "metadata") if absent else fields)
    return found


@pytest.mark.parametrize(
    ("dialect", "how"),
    [
        (STATION_30, {"locus": "qubits", "turned": True, "absent": True}),
        (STATION, {"locus": "locus", "turned": False, "absent": True}),
        (SERVER, {"locus": "locus", "turned": False, "absent": False}),
    ],
    ids=["turns", "radians", "in full"],
)
@seed(61)
@given(circuits=CIRCUITS)
def test_circuits_are_byte_for_byte_what_a_plain_encoder_writes(
    dialect: Dialect, how: dict[str, Any], circuits: list[Circuit]
) -> None:
    body = dialect.open_job(
        Submission(
            circuits=tuple(circuits),
            shots=3,
            target=Target(name="square20", qubits=20),
        )
    ).body
    assert body is not None
    assert body.startswith(
        b'{"circuits":' + msgspec.json.encode(plain(circuits, **how)) + b","
    )
