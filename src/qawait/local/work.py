# pyright: basic
"""What a worker process does for a job, for each way in which jobs come.

Everything here takes the bodies of the requests and gives bytes that are ready for the
wire, so that large results are made once, where they arise.
"""

from __future__ import annotations

import ctypes
import os
import re
import signal
import sys
from functools import lru_cache
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
import numpy as np
from msgspec import Struct

from qawait.bit_strings import written_counts
from qawait.errors import CircuitError
from qawait.histograms import Histogram
from qawait.iqm.messages import CountsOfCircuit
from qawait.iqm.serving import Request, read_request
from qawait.local import qasm
from qawait.local.asked import (
    Asked,
    asked_by_execution_config,
    asked_by_maestro_config,
)
from qawait.local.memory_limit import limit_memory
from qawait.local.native import check
from qawait.local.native import simulate as simulate_native
from qawait.local.targets import CHIPS
from qawait.measurement_encoder import encode_measurements
from qawait.qoro.execution_config import config_of_request
from qawait.qoro.serving import (
    encode_row,
    encode_values,
    read_circuits,
    read_init,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from qawait.local.simulation import Run
    from qawait.qoro.messages import Row

__all__ = [
    "KINDS",
    "SMALL_BODY_BYTES",
    "Kind",
    "Produced",
    "Work",
    "call",
    "read_small_request",
    "warm_up",
    "warm_up_anywhere",
]

T = TypeVar("T")

SMALL_BODY_BYTES = 256 * 1024
"""Request bodies below this are read in the event loop, and the last ones kept."""


class Work(Struct, frozen=True):
    """A job as a worker gets it."""

    parts: tuple[bytes, ...]
    config: Mapping[str, Any] | None = None
    seed: int | None = None
    target: str = ""
    """The chip or the simulator cluster."""
    repeats: bool = False
    """Whether a label may come twice."""


class Produced(Struct, frozen=True):
    """What a worker made of a job."""

    results: dict[str, bytes]
    times: list[tuple[float, float]]
    """Start and end of each circuit, in seconds since the epoch."""
    worker: int
    """The process."""


class Kind(Struct, frozen=True):
    """One way in which jobs come; the functions are pickled by name."""

    compile: Callable[[Work], None]
    run: Callable[[Work], Produced]
    fabricate: Callable[[Work, str], bytes | None]
    """A random result of the right shape, by its name; None if there is none of that
    name."""
    identity: Callable[[Work], bytes]
    """The circuits and shots: the same for equal jobs, however they were packed."""


@lru_cache(maxsize=1)
def _belong_to_the_service() -> None:
    """Makes this process end with the service, and only with it."""
    # The terminal's Ctrl-C reaches every process; ending workers is up to the service.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform == "linux":
        # A killed service cannot end its workers, and a running simulation would not
        # see that the pipe is closed: let the kernel do it (PR_SET_PDEATHSIG).
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)
    # A worker of a program without a file (an interactive one, a notebook) has no such
    # module, and what Qiskit imports asks for it.
    sys.modules.setdefault("__main__", ModuleType("__main__"))


@lru_cache(maxsize=1)
def _take_no_more_memory() -> None:
    """Bounds this process, once what reserves much and uses little of it is loaded."""
    import qiskit_aer  # noqa: F401

    limit_memory()


def call(function: Callable[[Work], T], work: Work) -> T:
    """Calls one of the functions of a kind, in a worker process."""
    _belong_to_the_service()
    _take_no_more_memory()
    return function(work)


def warm_up() -> int:
    """Loads what takes long to load, and returns the process."""
    _belong_to_the_service()
    process = warm_up_anywhere()
    _take_no_more_memory()
    return process


def warm_up_anywhere() -> int:
    """The same in a process that belongs to somebody else."""
    from qiskit import QuantumCircuit

    from qawait.local.simulation import Method, lowered, sample

    circuit = QuantumCircuit(1, 1)
    circuit.measure(0, 0)
    sample(["warm"], [lowered("warm", circuit, Method())], Method(), shots=1)
    return os.getpid()


def _produced(results: dict[str, bytes], runs: Sequence[Run]) -> Produced:
    return Produced(results, [(run.started, run.ended) for run in runs], os.getpid())


# --- IQM: native circuits -------------------------------------------------------------


@lru_cache(maxsize=16)
def read_small_request(body: bytes) -> Request:
    """Reads a run request; of many equal ones, and of one that is read twice, one."""
    return read_request(body)


@lru_cache(maxsize=2)
def _checked(body: bytes, target: str) -> Request:
    request = read_request(body)
    check(request, CHIPS[target])
    return request


def _compile_native(work: Work) -> None:
    _checked(work.parts[0], work.target)


def _run_native(work: Work) -> Produced:
    request = _checked(work.parts[0], work.target)
    measured, runs = simulate_native(request.circuits, request.shots, work.seed)
    return _produced({name: write(measured) for name, write in _WRITERS.items()}, runs)


def _fabricate_native(work: Work, name: str) -> bytes | None:
    if name not in _WRITERS:
        return None
    body = work.parts[0]
    small = len(body) < SMALL_BODY_BYTES
    request = read_small_request(body) if small else read_request(body)
    random = np.random.default_rng(work.seed)
    measured = [
        {
            key: _random_bits(random, request.shots, len(locus))
            for key, locus in circuit.measured().items()
        }
        for circuit in request.circuits
    ]
    return _WRITERS[name](measured)


def _random_bits(
    random: np.random.Generator, shots: int, width: int
) -> NDArray[np.uint8]:
    """Shape (shots, width), eight from each random byte."""
    drawn = np.frombuffer(random.bytes(-(-shots * width // 8)), np.uint8)
    return np.unpackbits(drawn, count=shots * width).reshape(shots, width)


def _identity_native(work: Work) -> bytes:
    request = read_request(work.parts[0])
    return msgspec.json.encode((request.circuits, request.shots))


def _write_counts(measured: Sequence[dict[str, NDArray[np.uint8]]]) -> bytes:
    return msgspec.json.encode([_counts(keyed) for keyed in measured])


def _counts(keyed: dict[str, NDArray[np.uint8]]) -> CountsOfCircuit:
    """Bits of the first key first, in the order of its locus, as IQM counts."""
    if not keyed:
        return CountsOfCircuit([], {})
    digits = np.concatenate(list(keyed.values()), axis=1)
    # The first column is leftmost, where a bit string has its highest bit.
    counted = Histogram.of_bits(digits[:, ::-1])
    return CountsOfCircuit(list(keyed), written_counts(counted, [counted.n_bits], ""))


_WRITERS: Mapping[str, Callable[[Sequence[dict[str, Any]]], bytes]] = {
    "measurements": encode_measurements,
    "measurement_counts": _write_counts,
}
"""The artifacts of a job, by the names that api/v1 gives them."""


# --- Qoro: OpenQASM 2 ------------------------------------------------------------------


@lru_cache(maxsize=2)
def _programs(
    parts: tuple[bytes, ...], repeats: bool = False
) -> tuple[qasm.Program, ...]:
    programs: list[qasm.Program] = []
    for upload in map(read_circuits, parts[1:]):
        shots, observables = upload.shots_each(), upload.observables_each(len(programs))
        for circuit, number, terms in zip(upload, shots, observables, strict=True):
            programs.append(qasm.Program(circuit.label, circuit.qasm, number, terms))
    seen: set[str] = set()
    for program in programs:
        if program.label in seen and not repeats:
            raise CircuitError(f"circuit {program.label}", "its label is used twice")
        seen.add(program.label)
    return tuple(programs)


def _asked(work: Work) -> Asked:
    newer = read_init(work.parts[0]).maestro_config
    if newer is not None:
        return asked_by_maestro_config(newer)
    config = None if work.config is None else config_of_request(work.config)
    return asked_by_execution_config(config)


def _compile_qasm(work: Work) -> None:
    qasm.check(_programs(work.parts, work.repeats), _asked(work))


def _run_qasm(work: Work) -> Produced:
    rows, runs = qasm.simulate(
        _programs(work.parts, work.repeats), _asked(work), work.seed
    )
    return _produced({_ROWS: msgspec.json.encode(rows)}, runs)


def _fabricate_qasm(work: Work, name: str) -> bytes | None:
    if name != _ROWS:
        return None
    random = np.random.default_rng(work.seed)
    return msgspec.json.encode(
        [_drawn(p, random) for p in _programs(work.parts, work.repeats)]
    )


def _drawn(program: qasm.Program, random: np.random.Generator) -> Row:
    if not program.observables:
        return encode_row(program.label, _random_histogram(program, random))
    values = {term: float(random.uniform(-1, 1)) for term in program.observables}
    return encode_values(program.label, values)


def _identity_qasm(work: Work) -> bytes:
    # Not the bodies: gzip writes the time into what it packs.
    return msgspec.json.encode(_programs(work.parts, work.repeats))


_ROWS = "rows"
_DECLARED = re.compile(r"\b([cq])reg\s+\w+\s*\[\s*(\d+)\s*\]")


def _random_histogram(program: qasm.Program, random: np.random.Generator) -> Histogram:
    # Reading the program properly would load the simulator's parser, and take longer
    # than everything else that is done for a job that is not simulated.
    widths = {"c": 0, "q": 0}
    for register, width in _DECLARED.findall(program.qasm):
        widths[register] += int(width)
    n_bits = widths["c"] if "measure" in program.qasm else widths["q"]
    if n_bits <= 64:
        drawn = random.integers(0, 2**n_bits, program.shots, np.uint64)
    else:
        drawn = random.integers(0, 256, (program.shots, -(-n_bits // 8)), np.uint8)
        drawn[:, 0] &= 0xFF >> (-n_bits % 8)
    outcomes, counts = np.unique(drawn, axis=0, return_counts=True)
    return Histogram(n_bits, outcomes, counts.astype(np.int64))


KINDS: Mapping[str, Kind] = {
    "iqm": Kind(_compile_native, _run_native, _fabricate_native, _identity_native),
    "qoro": Kind(_compile_qasm, _run_qasm, _fabricate_qasm, _identity_qasm),
}
"""By the vendor of the dialect."""
