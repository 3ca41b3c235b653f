"""Qiskit's programs over the local service, beside Qiskit's own simulation."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from qiskit import QuantumCircuit, generate_preset_pass_manager
from qiskit.circuit import Gate
from qiskit.primitives import (
    BackendEstimatorV2,
    BasePrimitiveJob,
    BitArray,
    StatevectorEstimator,
    StatevectorSampler,
)
from qiskit.providers import JobStatus, JobTimeoutError, JobV1
from qiskit.quantum_info import SparseObservable, SparsePauliOp

import qawait
from qawait import Budget, IQMService, QoroService
from qawait.errors import (
    CircuitError,
    ClientClosed,
    ConfigurationError,
    JobCancelled,
    ResultError,
    SubmissionRejected,
)
from qawait.qiskit import (
    QawaitBackend,
    QawaitEstimator,
    QawaitSampler,
    open_backend,
)
from qawait.testing import service
from tests.qiskit_pubs import A, B, certain, distance, joined, scrambled, values
from tests.service.running import LocalService, running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WITHIN = 0.08
"""The distance of two samples of 2,000 shots of eight outcomes; six standard deviations."""


def iqm(local: LocalService) -> IQMService:
    return IQMService(local.url, token=local.token)


def qoro(local: LocalService) -> QoroService:
    return QoroService(f"{local.url}/api", token=local.token)


@pytest.fixture(scope="module")
def backend(local_service: LocalService) -> Iterator[QawaitBackend]:
    with open_backend(iqm(local_service)) as backend:
        yield backend


@pytest.fixture(scope="module")
def cluster(local_service: LocalService) -> Iterator[QawaitBackend]:
    with open_backend(qoro(local_service)) as backend:
        yield backend


@pytest.fixture(scope="module")
def slow() -> Iterator[LocalService]:
    """A service whose jobs take a minute."""
    with running("--null", "--service-time", "60") as local:
        yield local


@contextmanager
def refused(kind: type[Exception], sentence: str) -> Iterator[None]:
    """What is wrong is told in one line, which begins like this."""
    with pytest.raises(kind) as caught:
        yield
    said = str(caught.value)
    assert said.startswith(sentence), said
    assert "\n" not in said


# --- the sampler ----------------------------------------------------------------------


@pytest.mark.timeout(120)
@pytest.mark.parametrize("which", ["backend", "cluster"])
def test_a_sampler_gives_what_qiskits_own_gives(
    which: str, request: pytest.FixtureRequest
):
    """Several registers, arrays of bindings, several PUBs, each with its own shots."""
    pubs = [
        (scrambled(), values(2, 3)),
        (scrambled(), {B: [0.4, 2.0], A: [2.5, 0.3]}, 1000),
        (certain(), None, 20),
        scrambled().assign_parameters([0.7, 1.9]),
    ]
    sampler = QawaitSampler(request.getfixturevalue(which))
    ours = sampler.run(pubs, shots=2000).result()
    theirs = StatevectorSampler(seed=5).run(pubs, shots=2000).result()
    assert len(ours) == len(theirs)
    for number, (one, other) in enumerate(zip(ours, theirs, strict=True)):
        assert one.data.shape == other.data.shape
        assert list(one.data) == list(other.data)
        for name in one.data:
            mine: BitArray = one.data[name]
            assert (mine.num_shots, mine.num_bits) == (
                other.data[name].num_shots,
                other.data[name].num_bits,
            )
        for place in np.ndindex(*one.data.shape):
            found = distance(joined(one.data, place), joined(other.data, place))
            assert found < WITHIN, (number, place, found)


@pytest.mark.parametrize("which", ["backend", "cluster"])
def test_what_is_certain_is_bit_for_bit_what_qiskit_has(
    which: str, request: pytest.FixtureRequest
):
    sampler = QawaitSampler(request.getfixturevalue(which))
    ours = sampler.run([certain()], shots=9).result()[0].data
    theirs = StatevectorSampler(seed=5).run([certain()], shots=9).result()[0].data
    assert ours.wide == theirs.wide
    assert ours.flag == theirs.flag
    assert ours.wide.array.tolist() == [[2, 1]] * 9


def test_bindings_with_the_same_shots_are_one_sweep_and_few_jobs(
    null_service: LocalService,
):
    with open_backend(iqm(null_service)) as backend:
        pubs = [(scrambled(), values(7)), (scrambled(), values(6)), certain()]
        job = QawaitSampler(backend, batch=14).run(pubs, shots=3)
        assert len(job.result()) == 3
        assert len(job.service_job_ids) == 1
        assert job.result().metadata["job_ids"] == list(job.service_job_ids)


async def test_a_template_travels_once_where_the_service_takes_one(
    null_service: LocalService,
):
    async with qawait.connect(qoro(null_service)) as client:
        backend = await QawaitBackend.of(client)
        sampler = QawaitSampler(backend, batch=50)
        pubs = [(scrambled(), values(50)), (scrambled(), values(40))]
        one, other = await sampler.run(pubs, shots=3)
        assert (one.data.x.shape, other.data.x.shape) == ((50,), (40,))
        sent = client.usage.bytes_sent
    print(sent, "bytes sent")
    assert sent < 90 * 200


@pytest.mark.timeout(240)
def test_ten_thousand_bindings_are_compiled_once(null_service: LocalService):
    circuit = QuantumCircuit(1)
    circuit.rx(A, 0)
    circuit.measure_all()
    grid = np.linspace(0.0, 3.0, 10_000)
    with open_backend(iqm(null_service)) as backend:
        made: list[Any] = []
        compile_one = backend._compiler._compiled
        backend._compiler._compiled = lambda *args: (
            made.append(args) or compile_one(*args)
        )
        job = QawaitSampler(backend).run([(circuit, grid)], shots=1)
        assert job.result()[0].data.meas.array.shape == (10_000, 1, 1)
        assert len(made) == 1
        assert len(job.service_job_ids) < 200


def test_an_optimiser_that_comes_back_has_its_circuit_compiled_once(
    null_service: LocalService,
):
    with open_backend(iqm(null_service)) as backend:
        made: list[Any] = []
        compile_one = backend._compiler._compiled
        backend._compiler._compiled = lambda *args: (
            made.append(args) or compile_one(*args)
        )
        for circuit in (scrambled(), scrambled()):
            QawaitSampler(backend).run([(circuit, values())], shots=1).result()
        circuit.x(0)
        with refused(CircuitError, "pub 0: "):
            circuit.append(Gate("mystery", 1, []), [0])
            QawaitSampler(backend).run([(circuit, values())], shots=1).result()
        assert len(made) == 2


def test_a_run_that_is_repeated_takes_its_results_from_the_journal(
    null_service: LocalService, tmp_path: Path
):
    """The same program with the same journal sends nothing again."""
    kept: list[list[Any]] = []
    for _ in range(2):
        with open_backend(
            iqm(null_service), journal=tmp_path / "night.qawait"
        ) as backend:
            sampler = QawaitSampler(backend)
            results = [
                sampler.run([(scrambled(), values(3)), certain()], shots=20).result()
                for _ in range(2)
            ]
            kept.append([r[0].data.x.array.tolist() for r in results])
            sent = backend._client._connection.transport.usage.requests
    assert kept[0] == kept[1]
    assert kept[0][0] != kept[0][1]
    assert sent < 6


def test_a_budget_is_kept(null_service: LocalService):
    with open_backend(iqm(null_service)) as backend:
        sampler = QawaitSampler(backend, budget=Budget(shots=60), batch=2)
        with refused(
            ResultError, "only 6 of 8 points were run: the budget of 60 shots"
        ):
            sampler.run([(scrambled(), values(8))], shots=10).result()
        pubs = [(certain(), None, 3), (certain(), None, 4)]
        with refused(ConfigurationError, "these PUBs take 2 sweeps, and a budget"):
            sampler.run(pubs).result()


# --- jobs -----------------------------------------------------------------------------


def test_a_job_is_a_job_to_qiskit(backend: QawaitBackend):
    job = QawaitSampler(backend).run([certain()], shots=3)
    assert isinstance(job, JobV1)
    assert isinstance(job, BasePrimitiveJob)
    job.wait_for_final_state()
    assert job.status() is JobStatus.DONE
    assert (job.done(), job.running(), job.cancelled(), job.in_final_state()) == (
        True,
        False,
        False,
        True,
    )
    assert job.result() is job.result()
    assert job.backend() is backend
    assert job.job_id() != backend.run(certain(), shots=1).job_id()
    with refused(ConfigurationError, "the job was submitted by run()"):
        job.submit()


async def test_a_job_is_awaited_where_its_client_is_asynchronous(
    local_service: LocalService,
):
    async with qawait.connect(iqm(local_service)) as client:
        backend = await QawaitBackend.of(client)
        job = QawaitSampler(backend).run([(scrambled(), values(2))], shots=30)
        assert "await job" in repr(job)
        with refused(ConfigurationError, "to wait here would stop the event loop"):
            job.result()
        result = await job
        assert result[0].data.x.shape == (2,)
        assert job.result() is result is await job


async def test_a_job_of_a_client_in_a_thread_is_awaited_too(backend: QawaitBackend):
    result = await backend.run(certain(), shots=4)
    assert result.get_counts() == {"10 1000000001": 4}


async def test_who_gives_up_waiting_leaves_the_job_alone_and_who_cancels_does_not(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr("qawait.qiskit.running._LOOK", 0.01)
    async with (
        service(service_time=60) as there,
        qawait.connect(there.iqm) as client,
    ):
        backend = await QawaitBackend.of(client)
        job = QawaitSampler(backend).run([certain()], shots=3)
        while job.status() is not JobStatus.QUEUED:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await job
        assert not job.in_final_state()
        job.cancel()
        with pytest.raises(JobCancelled):
            await job
        assert job.status() is JobStatus.CANCELLED
        asked = [request["path"] for request in there.ledger()["requests"]]
        assert [path for path in asked if path.endswith("/cancel")]


def test_a_job_that_is_cancelled_is_cancelled_at_the_service(slow: LocalService):
    with open_backend(iqm(slow)) as backend:
        job = QawaitSampler(backend).run([certain()], shots=3)
        with pytest.raises(JobTimeoutError):
            job.wait_for_final_state(0.01)
        with pytest.raises(TimeoutError, match="it goes on"):
            job.result(timeout=0.01)
        seen: list[JobStatus] = []

        def cancel_once_queued(name: str, status: JobStatus, which: Any) -> None:
            assert (name, which) == (job.job_id(), job)
            seen.append(status)
            if status is JobStatus.QUEUED:
                job.cancel()

        job.wait_for_final_state(30, 0.01, cancel_once_queued)
        assert seen[-1] in (JobStatus.QUEUED, JobStatus.CANCELLED)
        assert job.cancelled()
        with pytest.raises(JobCancelled):
            job.result()


async def test_the_first_error_ends_the_run_and_cancels_the_rest():
    """Nobody can have the result of what is still in the queue."""
    async with (
        service(service_time=60) as there,
        qawait.connect(there.iqm) as client,
    ):
        backend = await QawaitBackend.of(client)
        job = QawaitSampler(backend).run([certain(), (certain(), None, 10**9)])
        with pytest.raises(SubmissionRejected):
            await job
        assert job.status() is JobStatus.ERROR
        ledger = there.ledger()
        asked = [request["path"] for request in ledger["requests"]]
        cancelled = [path for path in asked if path.endswith("/cancel")]
        assert len(cancelled) == len(ledger["submissions"])


def test_a_client_that_is_closed_ends_what_waits_for_it(
    slow: LocalService, caplog: pytest.LogCaptureFixture
):
    with open_backend(iqm(slow)) as backend:
        job = backend.run(certain(), shots=3)
        while job.status() is not JobStatus.QUEUED:
            with pytest.raises(TimeoutError):
                job.result(timeout=0.01)
    with pytest.raises(ClientClosed):
        job.result(timeout=20)
    assert job.status() is JobStatus.ERROR
    assert "could not be cancelled" not in caplog.text
    with refused(ClientClosed, "this client is closed; connect again"):
        backend.run(certain())
    with refused(ClientClosed, "this client is closed; connect again"):
        QawaitSampler(backend).run([certain()])
    assert "closed" in repr(backend)


# --- runs of the backend --------------------------------------------------------------


def test_a_run_gives_counts_and_memory(backend: QawaitBackend):
    tossed = QuantumCircuit(2, name="tossed")
    tossed.h(0)
    tossed.cx(0, 1)
    tossed.measure_all()
    result = backend.run([certain(), tossed], shots=60, memory=True).result()
    assert result.get_counts(0) == {"10 1000000001": 60}
    assert set(result.get_counts("tossed")) == {"00", "11"}
    shots = result.get_memory(1)
    assert len(shots) == 60
    assert {one: shots.count(one) for one in set(shots)} == result.get_counts(tossed)
    assert result.backend_name == backend.name == "square20"
    assert result.simulated


def test_a_run_takes_the_options_of_the_backend(null_service: LocalService):
    with open_backend(iqm(null_service)) as backend:
        backend.set_options(shots=17)
        assert sum(backend.run(certain()).result().get_counts().values()) == 17
        assert sum(backend.run(certain(), shots=3).result().get_counts().values()) == 3


def test_a_circuit_in_native_gates_stays_on_its_qubits(backend: QawaitBackend):
    """What Qiskit's transpiler made for the backend is not placed anew."""
    circuit = QuantumCircuit(2, 2)
    circuit.x(1)
    circuit.measure([0, 1], [0, 1])
    passes = generate_preset_pass_manager(
        1, backend=backend, initial_layout=[13, 7], seed_transpiler=1
    )
    native = passes.run(circuit)
    [compiled] = backend._compiled({"c": native}, {})
    assert compiled.qubits == {"c_2_0": ("QB14", "QB8")}
    turned = [i.locus for i in compiled.circuit.instructions if i.name == "prx"]
    assert turned == [("QB8",)]
    assert backend.qubit_names[7] == "QB8"
    assert backend.run(native, shots=5).result().get_counts() == {"10": 5}


def test_the_target_is_the_machine_with_its_figures(local_service: LocalService):
    with qawait.connect_sync(iqm(local_service)) as client:
        backend = QawaitBackend(client)
        quality = client.quality_metrics()
        architecture = client.architecture()
        without = QawaitBackend(client, figures=False)
    target = backend.target
    names = backend.qubit_names
    assert {"r", "cz", "measure", "reset", "delay"} == set(target.operation_names)
    couplers = {frozenset(locus) for locus in architecture.loci("cz")}
    pairs = [(names[a], names[b]) for a, b in backend.coupling_map]
    assert {frozenset(pair) for pair in pairs} == couplers
    assert len(pairs) == 2 * len(couplers)
    assert target["cz"][1, 6].error == pytest.approx(
        1 - quality.fidelity("cz", names[1], names[6])
    )
    assert target["cz"][6, 1].error == target["cz"][1, 6].error
    assert target["r"][3,].error == pytest.approx(1 - quality.fidelity("prx", "QB4"))
    assert target["measure"][3,].error == pytest.approx(
        1 - quality.fidelity("measure", "QB4")
    )
    assert target.qubit_properties[2].t1 == quality.t1("QB3")
    assert backend.calibration_set_id == architecture.calibration_set_id
    assert without.target["cz"][1, 6] is None
    assert without.coupling_map == backend.coupling_map


async def test_a_star_has_no_couplings_for_qiskit():
    circuit = QuantumCircuit(2)
    circuit.cx(0, 1)
    circuit.measure_all()
    async with (
        service(target="star") as there,
        qawait.connect(there.iqm) as client,
    ):
        backend = await QawaitBackend.of(client)
        assert backend.num_qubits == 6
        with refused(CircuitError, "circuit 0: star couples its qubits through a"):
            await backend.run(circuit)


# --- expectation values ---------------------------------------------------------------


@pytest.mark.timeout(120)
def test_qiskits_estimator_finds_a_ground_state(backend: QawaitBackend):
    """A VQE loop as Qiskit's own pages have it."""
    from scipy.optimize import minimize

    energy = SparsePauliOp.from_list([("ZZ", 1.0), ("XI", 0.3), ("IX", 0.3)])
    ansatz = QuantumCircuit(2)
    ansatz.ry(A, 0)
    ansatz.ry(B, 1)
    ansatz.cz(0, 1)
    estimator = BackendEstimatorV2(backend=backend, options={"default_precision": 0.03})

    def cost(angles: np.ndarray) -> float:
        return float(estimator.run([(ansatz, energy, angles)]).result()[0].data.evs)

    start = np.array([0.2, 2.8])
    found = minimize(cost, start, method="COBYLA", options={"maxiter": 12})
    exact = StatevectorEstimator().run([(ansatz, energy, found.x)]).result()
    assert found.fun == pytest.approx(float(exact[0].data.evs), abs=0.3)
    assert found.fun < -0.8


def test_a_service_that_computes_expectation_values_gives_those_of_qiskit(
    cluster: QawaitBackend,
):
    """Observables and bindings broadcast; X, Y and Z are told apart, and their order."""
    circuit = QuantumCircuit(2)
    circuit.rx(A, 0)
    circuit.ry(B, 1)
    circuit.cx(0, 1)
    projector = SparseObservable.from_list([("0+", 1.5), ("II", 2.0)])
    paulis = SparsePauliOp.from_sparse_observable(projector.as_paulis())
    several = [[{"ZZ": 1.0, "XY": 0.5}], [{"IY": -2.0, "II": 0.25}]]
    bell = circuit.assign_parameters([0.3, 0.4])
    fixed = [
        (circuit, several, values(3)),
        (bell, ["IZ", "ZI"]),
        (circuit, "II", [1, 2]),
    ]
    ours = QawaitEstimator(cluster).run([*fixed, (bell, projector)]).result()
    theirs = StatevectorEstimator().run([*fixed, (bell, paulis)]).result()
    for one, other in zip(ours, theirs, strict=True):
        assert one.data.evs.shape == other.data.evs.shape
        assert np.allclose(one.data.evs, other.data.evs, atol=1e-9)
        assert not one.data.stds.any()


async def test_an_estimator_of_qiskit_that_holds_up_its_loop_says_so(
    local_service: LocalService, monkeypatch: pytest.MonkeyPatch
):
    """It runs in a thread that needs the loop, which would wait for it for ever."""
    monkeypatch.setattr("qawait.qiskit.running._LOOK", 0.1)
    circuit = QuantumCircuit(1)
    circuit.x(0)
    async with qawait.connect(iqm(local_service)) as client:
        backend = await QawaitBackend.of(client)
        estimator = BackendEstimatorV2(backend=backend)
        with refused(
            ConfigurationError, "the event loop that this job runs in is held"
        ):
            estimator.run([(circuit, "Z")]).result()
        result = await asyncio.to_thread(estimator.run([(circuit, "Z")]).result)
        assert result[0].data.evs == -1.0


# --- what cannot be -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pubs", "sentence"),
    [
        (
            [(scrambled(), [1.0, 2.0, 3.0])],
            "pub 0: its circuit has 2 parameters (a, b), so the last axis of its values is"
            " to have length 2; their shape is (3,)",
        ),
        (
            [certain(), scrambled()],
            "pub 1: its circuit has 2 parameters (a, b) and no values: write",
        ),
        ([(scrambled(), {"a": 1, "c": 2})], "pub 0: its circuit has no parameter 'c'"),
        (
            [(scrambled(), [[1, 2], [1, np.nan]])],
            "pub 0: the value of 'b' at (1,) is nan",
        ),
        (
            [(scrambled(), [[1, 2], [3]])],
            "pub 0: its circuit has 2 parameters (a, b), so",
        ),
        ([(scrambled(), np.zeros((0, 2)))], "pub 0: its shape (0,) holds no point"),
        ([(certain(), None, 0)], "pub 0: shots must be positive"),
        ([("x",)], "pub 0: it begins with a QuantumCircuit, not with str"),
        (certain(), "run takes a list of PUBs"),
        (7, "run takes a list of PUBs"),
        ([], "there are no PUBs to run"),
    ],
)
def test_a_pub_that_cannot_be_is_named(
    backend: QawaitBackend, pubs: Any, sentence: str
):
    with refused(ConfigurationError, sentence):
        QawaitSampler(backend).run(pubs, shots=3)


def test_a_register_that_a_result_cannot_have_is_told_before_anything_is_sent(
    backend: QawaitBackend,
):
    from qiskit import ClassicalRegister, QuantumRegister

    circuit = QuantumCircuit(QuantumRegister(1), ClassicalRegister(1, "shape"))
    circuit.measure(0, 0)
    with refused(ConfigurationError, "pub 0: rename the classical register 'shape'"):
        QawaitSampler(backend).run([circuit])


async def test_a_circuit_that_cannot_run_is_named_and_nothing_is_sent():
    opaque, wide, silent, free = (
        QuantumCircuit(1, 1),
        QuantumCircuit(21),
        QuantumCircuit(1, 1),
        scrambled(),
    )
    opaque.append(Gate("mystery", 1, []), [0])
    opaque.measure(0, 0)
    wide.measure_all()
    async with service() as there, qawait.connect(there.iqm) as client:
        backend = await QawaitBackend.of(client)
        sampler = QawaitSampler(backend)
        with refused(CircuitError, "pub 1: cannot be compiled for square20: "):
            await sampler.run([certain(), opaque])
        with refused(CircuitError, "pub 0: needs 21 qubits, square20 has 20"):
            await sampler.run([wide])
        with refused(CircuitError, "circuit 0: measures nothing"):
            await backend.run([silent])
        with refused(CircuitError, "circuit 1: has free parameters, give them values"):
            await backend.run([certain(), free])
        with refused(ConfigurationError, "circuit 0: give a QuantumCircuit, not a str"):
            await backend.run(["x"])
        with refused(ConfigurationError, "shots must be a positive integer"):
            await backend.run(certain(), shots=0)
        assert there.ledger()["submissions"] == []


async def test_what_is_no_client_and_no_option_is_told(local_service: LocalService):
    async with qawait.connect(iqm(local_service)) as client:
        backend = await QawaitBackend.of(client, figures=False)
        with refused(
            ConfigurationError, "this client is asynchronous: write `backend ="
        ):
            QawaitBackend(client)
        with refused(ConfigurationError, "square20 returns shots and no expectation"):
            QawaitEstimator(backend)
        with refused(ConfigurationError, "run has no option 'shot'; there are: budget"):
            backend.run(certain(), shot=3)
        with refused(ConfigurationError, "optimization_level 7: 0 to 3"):
            await QawaitSampler(backend, optimization_level=7).run([certain()])
        with refused(ConfigurationError, "seed -1 is negative"):
            await backend.run(certain(), seed=-1)
        with refused(ConfigurationError, "seed_simulator: a service draws its own"):
            backend.run(certain(), seed_simulator=3)
        with refused(ConfigurationError, "there are no circuits to run"):
            backend.run([])
    with refused(ClientClosed, "this client is closed; connect again"):
        QawaitSampler(backend).run([certain()])
    with refused(ConfigurationError, "a backend is made of a client, not of int"):
        QawaitBackend(3)
    with refused(ConfigurationError, "QawaitBackend.of takes an asynchronous client"):
        await QawaitBackend.of(3)  # pyright: ignore[reportArgumentType]


def ran(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", "-c", program, *arguments],
        capture_output=True,
        text=True,
        timeout=55,
        env=dict(os.environ),
        check=False,
    )


def test_without_qiskit_one_sentence_says_what_to_install():
    program = "import sys; sys.modules['qiskit'] = None; import qawait.qiskit"
    done = ran(program)
    said = "qawait.qiskit needs an extra: pip install 'qawait[qiskit]'"
    assert done.stderr.splitlines()[-1].endswith(said)


def test_a_program_that_never_closes_its_backend_ends(null_service: LocalService):
    program = """if True:
        import sys
        from qiskit import QuantumCircuit
        from qawait import IQMService
        from qawait.qiskit import open_backend
        circuit = QuantumCircuit(1)
        circuit.measure_all()
        backend = open_backend(IQMService(sys.argv[1], token=sys.argv[2]))
        print(sum(backend.run(circuit, shots=3).result().get_counts().values()))
    """
    done = ran(program, null_service.url, null_service.token)
    assert (done.returncode, done.stdout, done.stderr) == (0, "3\n", "")
