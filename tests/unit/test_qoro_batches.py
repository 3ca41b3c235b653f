"""Templates, shots of each circuit and observables: what goes over the wire."""

from __future__ import annotations

import base64
import gzip
import json
import random
from pathlib import Path
from typing import Any

import pytest

from qawait.errors import (
    CircuitError,
    ConfigurationError,
    ProtocolError,
    ResultMismatch,
)
from qawait.model import (
    Answer,
    Call,
    CircuitRecord,
    End,
    Manifest,
    State,
    Status,
    Submission,
    Target,
)
from qawait.qoro import (
    Circuit,
    ExecutionConfig,
    Observables,
    Options,
    Template,
    serving,
)
from qawait.qoro.dialect import DIALECT
from qawait.qoro.uploads import LARGEST_BODY_BYTES

DATA = Path(__file__).parents[1] / "data/qoro"
JOB = "06b32c55-4065-49b3-b677-8ef92b98bdec"
CLUSTER = Target(name="qoro_maestro", kind="simulator", qubits=None, simulated=True)
SYSTEM = Target(name="test_qpu", kind="quantum computer", qubits=7)
HEAD = 'OPENQASM 2.0;\ninclude "qelib1.inc";\n'
COMPLETED = Status(raw="COMPLETED", state=State.READY, end=End.READY)


def recorded(name: str) -> Any:
    return json.loads((DATA / f"{name}.json").read_text())


def circuits(number: int, qubits: int = 3) -> tuple[Circuit, ...]:
    return tuple(Circuit(f"c{n}", f"{HEAD}qreg q[{qubits}];") for n in range(number))


def submission(*what: Any, **changes: Any) -> Submission:
    return Submission(**{"circuits": what, "shots": 100, "target": CLUSTER} | changes)


def bodies(batch: Submission) -> list[bytes]:
    return [call.body or b"" for call in DIALECT.uploads(JOB, batch)]


def unpacked(text: str) -> str:
    return gzip.decompress(base64.b64decode(text, validate=True)).decode()


def sparse(text: str) -> list[str]:
    """The groups of an `observables` value, as `n:terms`."""
    groups: list[str] = []
    for group in text.split("|"):
        head, _, packed = group.partition(":")
        assert head.startswith("@gzs")
        groups.append(f"{head[4:]}:{unpacked(packed)}")
    return groups


def template(*rows: tuple[str, tuple[float, ...]], **changes: Any) -> Template:
    given: dict[str, Any] = {
        "qasm": f"{HEAD}qreg q[2];\nrx(theta_1) q[0];\nry(theta_10) q[1];",
        "names": ("theta_1", "theta_10"),
        "rows": rows or (("a", (0.5, 1.25)), ("b", (-2.0, 1e-9))),
    }
    return Template(**given | changes)


# --- templates -----------------------------------------------------------------------


def test_a_template_is_sent_as_the_vendors_client_sends_it():
    sample = recorded("add_template")
    rows = [(row["label"], tuple(row["values"])) for row in sample["parameter_sets"]]
    text = unpacked(sample["circuit_template"])
    made = template(*rows, qasm=text, names=tuple(sample["parameter_names"]))
    [body] = bodies(submission(made, shots=100))
    sent = json.loads(body)
    assert list(sent) == list(sample)
    assert unpacked(sent.pop("circuit_template")) == text
    assert sent == {k: v for k, v in sample.items() if k != "circuit_template"}


def test_a_template_of_the_vendors_client_is_read():
    read = serving.read_circuits(json.dumps(recorded("add_template")).encode())
    assert [(c.label, c.qasm.splitlines()[4:6]) for c in read] == [
        ("p", ["rx(3.141592653589793) q[0];", "ry(0.0) q[2];"]),
        ("q", ["rx(0.0) q[0];", "ry(3.141592653589793) q[2];"]),
        ("r", ["rx(-3.141592653589793) q[0];", "ry(1e-09) q[2];"]),
    ]


def test_a_template_travels_once_with_a_row_for_each_circuit():
    [body] = bodies(submission(template(), shots=77))
    sent, sample = json.loads(body), recorded("add_template")
    assert list(sent) == list(sample)
    assert list(sent["parameter_sets"][0]) == list(sample["parameter_sets"][0])
    assert unpacked(sent.pop("circuit_template")) == template().qasm
    assert sent == {
        "parameter_names": ["theta_1", "theta_10"],
        "parameter_sets": [
            {"label": "a", "values": [0.5, 1.25]},
            {"label": "b", "values": [-2.0, 1e-9]},
        ],
        "mode": "append",
        "finalized": "true",
        "shots": 77,
    }


def test_a_template_becomes_its_circuits_at_the_service():
    """A name is no part of a longer one, and numbers stand as Python writes them."""
    [body] = bodies(submission(template()))
    read = serving.read_circuits(body)
    assert len(read) == 2
    assert [(c.label, c.qasm.splitlines()[-2:]) for c in read] == [
        ("a", ["rx(0.5) q[0];", "ry(1.25) q[1];"]),
        ("b", ["rx(-2.0) q[0];", "ry(1e-09) q[1];"]),
    ]


@pytest.mark.parametrize(
    ("names", "text", "written"),
    [
        (
            ("a", "b"),
            "rx(a*b+2*a) q; barrier b_a;",
            "rx(1.0*2.0+2*1.0) q; barrier b_a;",
        ),
        (("t[1]", "t[10]"), "u(t[10],t[1])", "u(2.0,1.0)"),
        (("t", "t[1]"), "u(t[1],t)", "u(2.0,1.0)"),
        (("p", "pi2"), "rz(pi) rx(p) ry(pi2)", "rz(pi) rx(1.0) ry(2.0)"),
        (("x.y", "z"), "x.y xzy z", "1.0 xzy 2.0"),
    ],
)
def test_names_are_found_as_whole_words(
    names: tuple[str, ...], text: str, written: str
):
    made = template(("r", (1.0, 2.0)), qasm=text, names=names)
    assert [circuit.qasm for circuit in made.circuits()] == [written]


def test_rows_are_split_by_their_true_size_and_the_template_rides_on_each_body():
    rows = tuple((f'"ä{n}', (n / 7, -n / 3)) for n in range(30_000))
    made = template(*rows)
    sent = bodies(submission(made))
    assert len(sent) > 1
    assert max(map(len, sent)) <= LARGEST_BODY_BYTES
    row = len(json.dumps({"label": rows[-1][0], "values": rows[-1][1]}))
    assert all(LARGEST_BODY_BYTES - len(body) < row for body in sent[:-1])
    reads = [serving.read_circuits(body) for body in sent]
    assert tuple(r for one in reads if one.template for r in one.template.rows) == rows
    assert {one.template.qasm for one in reads if one.template} == {made.qasm}
    assert [one.finalized for one in reads] == [False] * (len(sent) - 1) + [True]


def test_a_template_that_leaves_no_room_is_refused_before_a_job_is_opened():
    noise = base64.b85encode(random.Random(1).randbytes(LARGEST_BODY_BYTES)).decode()
    huge = template(qasm=f"// {noise}\ntheta_1 theta_10")
    with pytest.raises(ConfigurationError, match="the template alone would take"):
        DIALECT.open_job(submission(huge))


@pytest.mark.parametrize(
    ("batch", "said"),
    [
        (submission(template(("a", (1.0,)))), "1 numbers for 2 placeholders"),
        (submission(template(("a", (1.0, float("nan"))))), "not finite"),
        (submission(template(("a", (1.0, 2.0)), ("a", (1.0, 3.0)))), "label 'a'"),
        (submission(template(names=("x", "x"))), "each of them once"),
        (submission(template(names=())), "needs names"),
        (submission(template(rows=())), "no circuits"),
        (submission(template(), shots_each=(1, 2)), "one number of shots"),
        (
            submission(
                template(), observables=Observables.of(["Z"], circuit_map=[(0, 2)])
            ),
            "one group of observables",
        ),
        (submission(template(), Circuit("a", "")), "circuit 0: .*Template"),
    ],
)
def test_a_template_that_cannot_be_right_is_refused(batch: Submission, said: str):
    with pytest.raises(ConfigurationError, match=said):
        DIALECT.open_job(batch)


# --- shots of each circuit ------------------------------------------------------------


def test_shots_of_each_circuit_travel_as_runs_of_equal_ones():
    [body] = bodies(submission(*circuits(5), shots_each=(100, 100, 900, 7, 7)))
    sent = json.loads(body)
    assert list(sent) == list(recorded("add_shot_groups"))
    assert sent["shot_groups"] == [[0, 2, 100], [2, 3, 900], [3, 5, 7]]
    assert serving.read_circuits(body).shots_each() == [100, 100, 900, 7, 7]


@pytest.mark.parametrize(
    "shots",
    [lambda n: 1 + n % 3, lambda n: 1000 + n // 4000],
    ids=["each another", "two groups"],
)
def test_shot_groups_count_within_their_body_and_in_its_size(shots: Any):
    """The vendor's client up to 0.14 exceeds the limit here."""
    many = circuits(13_000)
    each = tuple(shots(n) for n in range(len(many)))
    sent = bodies(submission(*many, shots_each=each))
    assert len(sent) > 1
    assert max(map(len, sent)) <= LARGEST_BODY_BYTES
    reads = [serving.read_circuits(body) for body in sent]
    assert tuple(n for read in reads for n in read.shots_each()) == each
    assert tuple(c for read in reads for c in read) == many
    entry = len(json.dumps(["c1000", json.loads(sent[0])["circuits"]["c0"]])) + 40
    assert all(LARGEST_BODY_BYTES - len(body) < entry for body in sent[:-1])


def written(some: list[Circuit], shots: list[int], *, last: bool) -> bytes:
    """A body as the wire reference describes it, made anew."""
    groups: list[list[int]] = []
    for place, number in enumerate(shots):
        if groups and groups[-1][2] == number:
            groups[-1][1] = place + 1
        else:
            groups.append([place, place + 1, number])
    body = {
        "circuits": {c.label: base64.b64encode(_gzip(c.qasm)).decode() for c in some},
        "mode": "append",
        "finalized": "true" if last else "false",
        "shot_groups": groups,
    }
    return json.dumps(body, separators=(",", ":")).encode()


def _gzip(text: str) -> bytes:
    return gzip.compress(text.encode(), 6, mtime=0)


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("over", range(-3, 4))
def test_a_body_is_as_full_as_the_limit_allows_to_the_byte(seed: int, over: int):
    """The twelfth circuit would make a body of the limit and so many bytes."""
    draw = random.Random(seed)
    shots = [draw.choice([5, 10 ** draw.randrange(7)]) for _ in range(20)]
    some = [Circuit(f"{n}" + "l" * draw.randrange(80_000), "x") for n in range(11)]
    twelfth = Circuit("t", "x")
    room = LARGEST_BODY_BYTES - len(written([*some, twelfth], shots[:12], last=False))
    twelfth = Circuit("t" * (1 + room + over), "x")
    rest = [Circuit(f"r{n}", "x") for n in range(8)]
    sent = bodies(submission(*some, twelfth, *rest, shots_each=tuple(shots)))
    first = [*some, twelfth] if over <= 0 else some
    others = [*rest] if over <= 0 else [twelfth, *rest]
    assert sent == [
        written(first, shots[: len(first)], last=False),
        written(others, shots[len(first) :], last=True),
    ]


def test_as_many_numbers_of_shots_as_circuits():
    with pytest.raises(ConfigurationError, match="2 numbers of shots for 3 circuits"):
        DIALECT.open_job(submission(*circuits(3), shots_each=(1, 2)))


# --- observables ---------------------------------------------------------------------


def test_labels_are_reversed_once_and_written_as_the_vendors_client_does():
    """Wire reference §1c: `ZZII;IZIZ;IIII` is `@gzs4:` of `Z0Z1;Z1Z3;I`."""
    asked = Observables.of(["IIZZ", "ZIZI", "IIII"])
    [body] = bodies(submission(*circuits(1, 4), observables=asked))
    sent = json.loads(body)
    assert list(sent) == ["circuits", "mode", "finalized", "observables"]
    assert sparse(sent["observables"]) == ["4:Z0Z1;Z1Z3;I"]
    assert serving.read_circuits(body).observables == (("ZZII", "IZIZ", "IIII"),)


def test_observables_are_sent_as_the_vendors_client_sends_them():
    """It was given ZII;IXI, IIZ and IIY, its leftmost letter being qubit 0."""
    sample = recorded("add_observables")
    same = [Circuit(n, unpacked(text)) for n, text in sample["circuits"].items()]
    asked = Observables.of(
        [["IIZ", "IXI"], "ZII", "YII"], circuit_map=[(0, 1), (1, 2), (2, 3)]
    )
    [body] = bodies(submission(*same, observables=asked))
    sent = json.loads(body)
    assert list(sent) == list(sample)
    assert sparse(sent["observables"]) == sparse(sample["observables"])
    assert sent["circuit_ham_map"] == sample["circuit_ham_map"]
    read = serving.read_circuits(json.dumps(sample).encode())
    assert read.observables_each(0) == [("ZII", "IXI"), ("IIZ",), ("IIY",)]


def test_a_maestro_config_is_opened_as_the_vendors_client_does():
    sample = recorded("init_maestro")
    options = Options(maestro_config=sample["maestro_config"])
    asked = Observables.of(["ZI", "XX"], circuit_map=[(0, 1), (1, 2)])
    batch = submission(*circuits(2), options=options, observables=asked)
    sent = json.loads(DIALECT.open_job(batch).body or b"")
    assert sent == sample
    assert list(sent) == list(sample)
    read = serving.read_init(json.dumps(sample).encode())
    assert (read.job_type, read.maestro_config) == (
        "EXPECTATION",
        sample["maestro_config"],
    )


def test_observables_make_an_expectation_job():
    batch = submission(*circuits(1), observables=Observables.of("IXY"))
    opening = json.loads(DIALECT.open_job(batch).body or b"")
    assert opening["job_type"] == "EXPECTATION"


def test_short_labels_are_for_the_lowest_qubits():
    asked = Observables.of(["Z", "XIII"])
    [body] = bodies(submission(*circuits(1, 5), observables=asked))
    assert serving.read_circuits(body).observables == (("ZIIII", "IIIXI"),)


def test_an_operator_gives_its_labels_and_raw_labels_need_their_order():
    from qiskit.quantum_info import SparsePauliOp

    operator = SparsePauliOp.from_list([("IIZ", 0.5), ("XII", 2.0), ("IIZ", 1.0)])
    assert Observables.of(operator).groups == (("IIZ", "XII"),)
    assert Observables.of([operator, "YII"]).groups == (("IIZ", "XII", "YII"),)
    assert Observables.of("ZII;IIX", order="qoro").groups == (("IIZ", "XII"),)
    raw = Observables.of("ZII;IIX|IYI", circuit_map=[(0, 1), (1, 3)], order="qoro")
    assert raw.groups == (("IIZ", "XII"), ("IYI",))


def test_each_group_has_its_circuits_on_every_body():
    """The map counts over the whole job, so it is the same on each."""
    huge = [
        Circuit(f"h{n}", c.qasm + f"//{n}" + "l" * 9) for n, c in enumerate(circuits(9))
    ]
    asked = Observables.of(["IIZ", ["XII", "IYI"]], circuit_map=[(0, 2), (2, 9)])
    wide = tuple(Circuit("w" * 200_000 + c.label, c.qasm) for c in huge)
    sent = bodies(submission(*wide, observables=asked))
    assert len(sent) == 3
    reads = [serving.read_circuits(body) for body in sent]
    assert {read.circuit_map for read in reads} == {((0, 2), (2, 9))}
    first, second = ("ZII",), ("IIX", "IYI")
    assert reads[0].observables_each(0) == [first, first, second, second]
    assert reads[1].observables_each(4) == [second] * 4
    # A circuit outside of every range is held against all, as the vendor's runner does.
    assert reads[2].observables_each(9) == [("ZII", "IIX", "IYI")]


@pytest.mark.parametrize(
    ("operators", "ranges", "said"),
    [
        ([], None, "no observables"),
        ("IIA", None, "IIA"),
        (7, None, "not int"),
        (["Z"], [(0, 1), (1, 2)], "1 groups of observables for 2 ranges"),
        ("Z", [(0, 1)], "a group for each"),
        (["Z"], [(0,)], "no pair"),
    ],
)
def test_observables_that_are_none_are_refused(operators: Any, ranges: Any, said: str):
    with pytest.raises(ConfigurationError, match=said):
        Observables.of(operators, circuit_map=ranges)


@pytest.mark.parametrize(
    ("ranges", "said"),
    [
        ([(0, 2), (2, 4)], "no range of 3"),
        ([(0, 2), (1, 3)], "circuit 1 is in two"),
        ([(0, 1), (1, 2)], "circuit 2 is in no range"),
        ([(0, 3), (3, 3)], "no range"),
    ],
)
def test_a_map_that_does_not_fit_is_refused_before_a_job_is_opened(
    ranges: Any, said: str
):
    asked = Observables.of(["Z", "X"], circuit_map=ranges)
    with pytest.raises(ConfigurationError, match=said):
        DIALECT.open_job(submission(*circuits(3), observables=asked))


def test_an_observable_on_a_qubit_that_its_circuit_lacks_is_named():
    asked = Observables.of(["Z", "XIII"], circuit_map=[(0, 1), (1, 2)])
    narrow = (
        *circuits(1),
        Circuit("narrow", f"{HEAD}qreg a[1];\nqreg b[2]; // qreg c[9]"),
    )
    with pytest.raises(CircuitError, match=r"narrow.*XIII acts on qubit 3, it has 3"):
        DIALECT.open_job(submission(*narrow, observables=asked))


def test_a_map_that_leaves_no_room_for_circuits_is_refused():
    number = 80_000
    asked = Observables.of(
        ["Z"] * number, circuit_map=[(n, n + 1) for n in range(number)]
    )
    with pytest.raises(ConfigurationError, match="the observables alone would take"):
        DIALECT.open_job(submission(*circuits(number), observables=asked))


# --- expectation values --------------------------------------------------------------


def manifest(*labels: str, shots: int | None = None) -> Manifest:
    return Manifest(circuits=tuple(CircuitRecord(label=n, shots=shots) for n in labels))


def read_result(rows: list[Any], what: Manifest) -> Any:
    exchange = DIALECT.result(JOB, COMPLETED, what)
    [call] = next(exchange)
    assert isinstance(call, Call)
    page = {"count": len(rows), "next": None, "results": rows}
    try:
        exchange.send([Answer(200, {}, json.dumps(page).encode())])
    except StopIteration as stop:
        return stop.value
    raise AssertionError("asked on")


def test_values_come_back_in_qiskits_order():
    rows = [
        {"label": "b", "results": {"ZII": -1, "IXY": 0.25}},
        {"label": "a", "results": {"ZII": 0.5, "IXY": 1.0}},
    ]
    result = read_result(rows, manifest("a", "b"))
    assert result.kind == "expectation"
    assert result["b"].values == {"IIZ": -1.0, "YXI": 0.25}
    assert result[0].expectation("IIZ") == (0.5, None)
    # Padded by the service, or short here: the same observable.
    assert result[0].expectation("Z") == (0.5, None)
    assert result[0].shots is None


def test_a_job_adopted_by_its_id_is_what_its_rows_are():
    result = read_result([{"label": "a", "results": {"ZI": 1.0}}], Manifest())
    assert (result.kind, result[0].values) == ("expectation", {"IZ": 1.0})


@pytest.mark.parametrize(
    ("results", "error"),
    [
        ({"ZQ": 1.0}, ResultMismatch),
        ({"ZI": "1"}, ProtocolError),
        ({"ZI": None}, ProtocolError),
        ({"ZI": True}, ProtocolError),
        ({}, ResultMismatch),
        (None, ResultMismatch),
    ],
)
def test_values_that_are_none_are_refused_by_name(results: Any, error: type[Exception]):
    rows = [{"label": "a", "results": {"ZI": 1}}, {"label": "odd", "results": results}]
    with pytest.raises(error, match="odd"):
        read_result(rows, manifest("a", "odd"))


def test_values_in_place_of_shots_are_refused():
    with pytest.raises(ResultMismatch, match="holds no counts"):
        read_result([{"label": "a", "results": {"ZI": 1.0}}], manifest("a", shots=5))


# --- configurations of both eras -----------------------------------------------------


def opening(**options: Any) -> Any:
    batch = submission(*circuits(1), options=Options(**options))
    return json.loads(DIALECT.open_job(batch).body or b"")


def test_a_maestro_config_travels_with_the_opening():
    from qawait.qoro import SimulationMethod

    config = {"seed": 7, "simulation_type": SimulationMethod.MatrixProductState}
    body = opening(maestro_config=config)
    assert body["maestro_config"] == {"seed": 7, "simulation_type": 1}
    assert "execution_configuration" not in body
    assert opening(maestro_config={})["maestro_config"] == {}


def test_a_device_config_is_in_capitals_and_for_quantum_computers():
    config = {"transpile_level": 3, "USE_TWIRLING": True}
    batch = submission(
        *circuits(1), target=SYSTEM, options=Options(device_config=config)
    )
    body = json.loads(DIALECT.open_job(batch).body or b"")
    assert body["device_config"] == {"TRANSPILE_LEVEL": 3, "USE_TWIRLING": "true"}
    empty = submission(*circuits(1), target=SYSTEM, options=Options(device_config={}))
    assert b"device_config" not in (DIALECT.open_job(empty).body or b"")


def test_each_configuration_is_for_its_kind_of_target():
    on_system = submission(
        *circuits(1), target=SYSTEM, options=Options(maestro_config={"seed": 1})
    )
    with pytest.raises(ConfigurationError, match="test_qpu is a quantum computer"):
        DIALECT.open_job(on_system)
    with pytest.raises(ConfigurationError, match="qoro_maestro is a simulator"):
        opening(device_config={"A": 1})


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            {"execution_config": ExecutionConfig(), "maestro_config": {}},
            "execution_config and maestro_config cannot go together",
        ),
        ({"maestro_config": {"seed": 1}, "device_config": {"A": 1}}, "together"),
        ({"maestro_config": [1]}, "must be a mapping"),
        ({"maestro_config": {1: 2}}, "which is no name"),
        ({"maestro_config": {"a": object()}}, "no form in JSON"),
        ({"maestro_config": {"a": float("nan")}}, "must be finite"),
        ({"device_config": {"ibm_device": "x"}}, "IBM_DEVICE belongs to the service"),
        ({"device_config": {"a": 1, "A": 2}}, "A twice"),
        ({"job_type": "ESTIMATE"}, "ESTIMATE"),
    ],
)
def test_options_that_cannot_be_right_are_refused(options: Any, said: str):
    with pytest.raises(ConfigurationError, match=said):
        Options(**options)


def test_services_of_0_8_may_be_asked_to_simulate():
    assert opening(job_type="SIMULATE")["job_type"] == "SIMULATE"


# --- what the service refuses --------------------------------------------------------


def packed(text: str) -> str:
    return base64.b64encode(gzip.compress(text.encode())).decode()


def upload(**changes: Any) -> bytes:
    body: dict[str, Any] = {"mode": "append", "finalized": "true"}
    return json.dumps(body | changes).encode()


ONE = {"a": packed("OPENQASM 2.0;"), "b": packed("OPENQASM 2.0;")}
ROW = [{"label": "a", "values": [1.0]}]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (
            upload(circuits=ONE, shot_groups=[[0, 1, 5]]),
            "end at circuit 1, there are 2",
        ),
        (upload(circuits=ONE, shot_groups=[[0, 1, 5], [0, 2, 5]]), "does not go on"),
        (upload(circuits=ONE, shot_groups=[[0, 3, 5]]), "does not go on"),
        (upload(circuits=ONE, shot_groups=[[0, 2, 0]]), "does not go on"),
        (upload(circuits=ONE, shot_groups=[[0, 2]]), "shot_groups"),
        (upload(circuits=ONE, observables="Z", shot_groups=[[0, 2, 5]]), "no shots"),
        (upload(circuits=ONE, observables="ZA"), "'ZA' is none"),
        (upload(circuits=ONE, observables=""), "'' is none"),
        (upload(circuits=ONE, observables="Z|"), "'' is none"),
        (upload(circuits=ONE, observables="@gzs2:x"), "not base64"),
        (upload(circuits=ONE, observables=f"@gzs0:{packed('I')}"), "not compressed as"),
        (upload(circuits=ONE, observables=f"@zip2:{packed('I')}"), "not compressed as"),
        (upload(circuits=ONE, observables=f"@gzs2:{packed('Z2')}"), "'Z2' is none"),
        (upload(circuits=ONE, observables=f"@gzs2:{packed('Z0X0')}"), "'Z0X0' is none"),
        (upload(circuits=ONE, observables=f"@gzs2:{packed('ZZ')}"), "'ZZ' is none"),
        (
            upload(
                circuits=ONE, observables=f"@gzs99999:{packed(';'.join('I' * 9999))}"
            ),
            "more than the",
        ),
        (upload(circuits=ONE, observables="Z|X", circuit_ham_map=[[0, 2]]), "1 ranges"),
        (upload(circuits=ONE, observables="Z", circuit_ham_map=[[2, 1]]), "no range"),
        (upload(circuits=ONE, circuit_ham_map=[[0, 2]]), "0 groups"),
        (upload(circuits=ONE, circuit_template=packed("x")), "parameter_names"),
        (
            upload(
                circuits=ONE,
                circuit_template=packed("x"),
                parameter_names=["t"],
                parameter_sets=ROW,
            ),
            "not both",
        ),
        (upload(parameter_names=["t"], circuits=ONE), "without a circuit_template"),
        (upload(circuit_template="H4sI", parameter_names=["t"]), "parameter_sets"),
        (
            upload(circuit_template="H4sI", parameter_names=["t"], parameter_sets=ROW),
            "circuit_template: its gzip ends",
        ),
        (
            upload(
                circuit_template=packed("x"),
                parameter_names=["t", "s"],
                parameter_sets=ROW,
            ),
            "1 values for 2 parameters",
        ),
        (
            upload(
                circuit_template=packed("x"),
                parameter_names=["t", "t"],
                parameter_sets=[{"label": "a", "values": [1, 2]}],
            ),
            "comes twice",
        ),
        (
            upload(
                circuit_template=packed("x"),
                parameter_names=["t"],
                parameter_sets=ROW,
                observables="Z|X",
            ),
            "one group",
        ),
        (
            upload(
                circuit_template=packed("t" * 4_000_000),
                parameter_names=["t"],
                parameter_sets=[{"label": str(n), "values": [1.0]} for n in range(50)],
            ),
            "would take more than",
        ),
    ],
)
def test_an_upload_that_cannot_be_right_is_refused_in_words(body: bytes, said: str):
    with pytest.raises(ProtocolError, match=said):
        serving.read_circuits(body)


def test_a_circuit_in_two_ranges_has_the_observables_of_the_first():
    """Our client never sends that; the vendor's own runner reads it so."""
    body = upload(circuits=ONE, observables="Z|X", circuit_ham_map=[[0, 2], [1, 2]])
    assert serving.read_circuits(body).observables_each(0) == [("Z",), ("Z",)]


def test_observables_are_read_in_both_encodings():
    """Clients up to 0.9 sent them as they are."""
    plain = serving.read_circuits(upload(circuits=ONE, observables="ZZII;IZIZ|X"))
    text = f"@gzs4:{packed('Z0Z1;Z1Z3')}|@gzs1:{packed('X0')}"
    assert plain.observables == (("ZZII", "IZIZ"), ("X",))
    assert serving.read_circuits(upload(circuits=ONE, observables=text)) == plain
