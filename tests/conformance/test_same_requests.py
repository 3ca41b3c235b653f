"""Our client sends what the vendor's client sends, field by field.

Both submit the same native circuits with the same options to one service, whose ledger
keeps what arrived.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

import qawait
from qawait.iqm import Circuit, DynamicalDecoupling, Instruction, Options
from tests.conformance.judges import native
from tests.conformance.service import ask, ledger

if TYPE_CHECKING:
    from tests.service.running import LocalService

pytestmark = [pytest.mark.vendor, pytest.mark.timeout(900)]

DIALECTS = {
    ("iqm22", "v1"): "v1",
    ("iqm28", "v1"): "v1",
    ("iqm22", "v2"): "v2-24",
    ("iqm28", "v2"): "v2",
    ("iqm29", "station"): "station-30",
    ("iqm36", "server"): "server",
}
"""Environment and dialect of the vendor's client, and our name of that dialect."""

PATHS = {
    "v1": "/cocos",
    "v2-24": "",
    "v2": "",
    "station-30": "/station",
    "server": "",
}
CONDITIONAL = "conditional"
SUBMISSIONS = [
    *native.option_sets("QB1"),
    native.MAPPED,
    native.SETTINGS,
    CONDITIONAL,
]


def instruction(operation: native.Operation) -> Instruction:
    args: dict[str, Any] = dict(operation.more)
    if operation.turns is not None:
        args["angle"], args["phase"] = (2 * math.pi * t for t in operation.turns)
    if operation.key is not None:
        args["key"] = operation.key
    return Instruction(operation.name, operation.locus, args)


def made(programs: dict[str, list[native.Operation]]) -> list[Circuit]:
    return [
        Circuit(name, tuple(map(instruction, operations)))
        for name, operations in programs.items()
    ]


def submissions(
    qubits: tuple[str, str, str], calibration_set_id: str
) -> dict[str, tuple[list[Circuit], int, Options]]:
    """Circuits, shots and options of each submission, by the judges' names."""
    a, b, c = qubits
    mapped = Options(
        qubit_mapping={"carol": c, "alice": a, "bob": b},
        calibration_set_id=calibration_set_id,
    )
    settings = Options(custom_settings=dict(native.CUSTOM_SETTINGS))
    return {
        name: (made(native.batch(a, b, c)), 1, options_of(wanted))
        for name, wanted in native.option_sets(b).items()
    } | {
        native.MAPPED: (made(native.batch("alice", "bob", "carol")), 1, mapped),
        native.SETTINGS: (made(native.batch(a, b, c)), 1, settings),
        CONDITIONAL: (made(native.conditional(a, b, c)), 3, Options()),
    }


def options_of(wanted: dict[str, Any]) -> Options:
    strategy = wanted.get("dd_strategy")
    if strategy is not None:
        strategy = msgspec.convert(strategy, DynamicalDecoupling)
    return Options(**(wanted | {"dd_strategy": strategy}))


def rounded(value: Any) -> Any:
    """The same document with every float to 12 digits: turns and radians convert."""
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [rounded(item) for item in value]
    return round(value, 12) if isinstance(value, float) else value


@pytest.fixture(scope="module", params=DIALECTS, ids="-".join)
def client(request: pytest.FixtureRequest) -> tuple[str, str]:
    return request.param


@pytest.fixture(scope="module")
def theirs(client: tuple[str, str], service: LocalService) -> dict[str, Any]:
    """What the vendor's client submitted: the ids of its jobs, by name."""
    environment, dialect = client
    if dialect == "server":
        return ask(environment, "iqm36", "options", service)
    return ask(environment, "iqm_turns", "options", service, dialect)


@pytest.mark.parametrize("name", SUBMISSIONS)
async def test_our_client_sends_what_theirs_does(
    name: str, client: tuple[str, str], theirs: dict[str, Any], service: LocalService
) -> None:
    """The same fields with the same values, nulls included and absences too."""
    dialect = DIALECTS[client]
    if name not in theirs["jobs"]:
        assert name == native.SETTINGS, "clients from 33 on take no custom settings"
        return
    known = submissions(theirs["corner"], theirs["calibration_set_id"])
    circuits, shots, options = known[name]
    address = service.url + PATHS[dialect]
    connection = qawait.IQMService(address, token=service.token, dialect=dialect)
    async with qawait.connect(connection) as ours:
        job = await ours.submit(circuits, shots=shots, compile=False, options=options)
    bodies = {
        entry["job_id"]: json.loads(entry["body"])
        for entry in ledger(service, bodies=True)["submissions"]
    }
    mine, vendors = bodies[job.id], bodies[theirs["jobs"][name]]
    if options.calibration_set_id is None:
        # ours names the set that it held the circuits against; theirs leaves it open
        assert mine.pop("calibration_set_id") == theirs["calibration_set_id"]
        assert vendors.pop("calibration_set_id", None) is None
    assert rounded(mine) == rounded(vendors)
