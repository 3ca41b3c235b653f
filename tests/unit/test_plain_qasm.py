"""Programs read at a glance are what Qiskit's parser makes of them, and right."""

from __future__ import annotations

import math
import random
import subprocess
import sys

import pytest
from hypothesis import event, given, seed, settings
from hypothesis import strategies as st
from qiskit import QuantumCircuit, qasm2, transpile

from qawait.circuits import plain_qasm, prepare, read, to_qasm2
from qawait.circuits.plain_qasm import GATES, Outline, outline_of
from qawait.errors import CircuitError

HEADER = 'OPENQASM 2.0;\ninclude "qelib1.inc";\n'
DECLARED = "qreg q[3];\nqreg anc[2];\ncreg c[3];\ncreg d[2];\n"
MEASURED = "measure q[1] -> c[2];\nmeasure anc[0]->d[0];\n"


def program(body: str = "", declared: str = DECLARED) -> str:
    return HEADER + declared + body + MEASURED


def outline_by_qiskit(text: str) -> Outline | None:
    """What the slow way finds; None if the program is not right or measures nothing."""
    try:
        [source] = read(text)
        [compiled] = to_qasm2([source])
    except CircuitError:
        return None
    return Outline(source.circuit.num_qubits, compiled.layout)


def test_the_outline_tells_registers_in_order_and_what_is_measured() -> None:
    found = outline_of(program())
    assert found is not None
    assert found.qubits == 5
    assert found.layout.registers == (("c", 3), ("d", 2))
    assert found.layout.bits == (None, None, ("", 2), ("", 3), None)


@pytest.mark.parametrize(
    ("parameters", "qubits", "gate"),
    [
        (parameters, qubits, gate)
        for (parameters, qubits), names in GATES.items()
        for gate in names.split()
    ],
)
def test_every_gate_is_one_of_the_library_with_its_parameters_and_qubits(
    parameters: int, qubits: int, gate: str
) -> None:
    def applied(more_parameters: int = 0, more_qubits: int = 0) -> str:
        numbers = ["0.25", "-pi/2", "3*pi/4", "1e-05"][: parameters + more_parameters]
        bits = ["q[2]", "anc[1]", "q[0]", "anc[0]"][: qubits + more_qubits]
        given = f"({','.join(numbers)})" if numbers else ""
        return program(f"{gate}{given} {', '.join(bits)};\n")

    found = outline_of(applied())
    assert found is not None
    assert found == outline_by_qiskit(applied())
    for more in ((1, 0), (0, 1)):
        assert outline_of(applied(*more)) is None
    if parameters:
        assert outline_of(applied(-1)) is None
    if qubits > 1:
        assert outline_of(applied(0, -1)) is None


def dumped(number: int) -> str:
    draw = random.Random(number)
    circuit = QuantumCircuit(4, 4)
    for _ in range(40):
        a, b, c = draw.sample(range(4), 3)
        angle = draw.choice([math.pi / 2, -math.pi / 8, 1e-5, draw.uniform(-7, 7)])
        match draw.randrange(6):
            case 0:
                circuit.rx(angle, a)
            case 1:
                circuit.crz(angle, a, b)
            case 2:
                circuit.barrier(a, b)
            case 3:
                circuit.reset(c)
            case 4:
                circuit.cswap(a, b, c)
            case _:
                circuit.h(a)
    circuit.measure([0, 2], [3, 1])
    return qasm2.dumps(circuit)


@pytest.mark.parametrize("number", range(5))
def test_what_qiskit_writes_is_plain(number: int) -> None:
    """Else nothing would be faster for it."""
    text = dumped(number)
    found = outline_of(text)
    assert found is not None
    assert found == outline_by_qiskit(text)


def test_what_qiskit_compiles_is_plain() -> None:
    circuit = QuantumCircuit(3, 3)
    circuit.h(0)
    circuit.ccx(0, 1, 2)
    circuit.measure_all()
    compiled = transpile(circuit, basis_gates=["u3", "cx"], seed_transpiler=1)
    text = qasm2.dumps(compiled)
    assert outline_of(text) == outline_by_qiskit(text)
    assert outline_of(text) is not None


@pytest.mark.parametrize(
    "text",
    [
        program().replace("\n", "\r\n"),
        program("// x q[9];\nx q[0]; // h q;\n"),
        "  // before\n" + program(),
        program().replace("\n", ""),
        program("x\tq[0] ;\n\n rx ( 0.5 )q[1] ; cx q[0] ,\n q[1];"),
        program(declared="creg d[2]; qreg anc[2]; creg c[3]; qreg q[3];"),
    ],
)
def test_layout_and_comments_of_the_text_make_no_difference(text: str) -> None:
    found = outline_of(text)
    assert found is not None
    assert found == outline_by_qiskit(text)


WRONG = {
    "an index beyond the register": program("x q[3];"),
    "a bit beyond the register": program("measure q[0] -> d[2];"),
    "a leading zero": program("x q[01];"),
    "a register that is not there": program("x r[0];"),
    "a gate on a bit": program("x c[0];"),
    "a measurement of a bit": program("measure c[0] -> c[1];"),
    "a measurement into a qubit": program("measure q[0] -> anc[1];"),
    "a qubit twice": program("cx q[1],q[1];"),
    "the third like the first": program("ccx q[1],q[0],q[1];"),
    "a gate that is not there": program("xx q[1];"),
    "a division by zero": program("rx(pi/0) q[0];"),
    "an integer with a zero in front": program("rx(07) q[0];"),
    "a word in place of a number": program("rx(pie) q[0];"),
    "no semicolon at the end": program()[:-2],
    "a gate's name for a register": program(declared=DECLARED + "qreg cx[1];"),
    "a function's name for a register": program(declared=DECLARED + "qreg sin[1];"),
    "a register twice": program(declared=DECLARED + "creg q[3];"),
    "a register of bits twice": program(declared=DECLARED + "creg c[3];"),
    "an exponent without digits": program("rx(1e) q[0];"),
    "a file that is only named": program().replace("include ", ""),
    "a capital letter": program(declared=DECLARED + "qreg Q[1];"),
    "a gate before its register": program("x e[0]; qreg e[1];"),
    "text after the end": program() + "x",
    "a stray character": program("\f"),
    "a letter of another alphabet": program("x q[0];\u00a0"),
    "a digit of another alphabet": program("x q[\u0661];"),
    "another version": program().replace("2.0", "3.0"),
    "a register that is too large": program(declared=DECLARED + "qreg e[100001];"),
}


@pytest.mark.parametrize("text", WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_not_plain_and_the_parser_says_why(text: str) -> None:
    assert outline_of(text) is None
    with pytest.raises(CircuitError):
        prepare({"a": text}, None)


UNUSUAL = {
    "a note in another alphabet": program("// \u03b8\n"),
    "a register of no bits": program(declared=DECLARED + "creg e[0];"),
    "nothing measured": HEADER + DECLARED + "x q[0];",
    "a condition": program("if (c==1) x q[0];"),
    "a gate of its own": program(declared="gate g a { x a; }\n" + DECLARED),
    "a whole register": program("h q;"),
    "an expression": program("rx(2*(pi-1)) q[0];"),
    "another file": program().replace("qelib1.inc", "stdgates.inc"),
}


@pytest.mark.parametrize("text", UNUSUAL.values(), ids=UNUSUAL)
def test_what_is_unusual_is_left_to_the_parser(text: str) -> None:
    assert outline_of(text) is None


def test_the_largest_register_is_plain() -> None:
    text = program(declared=DECLARED + "qreg e[100000];")
    assert outline_of(text) == outline_by_qiskit(text)
    assert outline_of(text) is not None


def test_no_register_may_have_a_name_that_is_taken() -> None:
    """Each name that Qiskit's parser refuses for a register."""
    names = {name for line in plain_qasm.GATES.values() for name in line.split()}
    names |= {custom.name for custom in qasm2.LEGACY_CUSTOM_INSTRUCTIONS}
    names |= {"pi", "sin", "cos", "tan", "exp", "ln", "sqrt", "qreg", "creg", "gate"}
    names |= {"opaque", "measure", "barrier", "reset", "if", "include", "OPENQASM"}
    for name in names - {"delay"}:
        text = program(declared=f"{DECLARED}qreg {name}[2];")
        assert outline_of(text) is None, name
        assert outline_by_qiskit(text) is None, name
    assert outline_of(program(declared=DECLARED + "qreg delay[2];")) is not None


# --- whatever is taken, Qiskit takes for the same -------------------------------------

PIECES = st.sampled_from(
    [
        *("x q[0];", "rx(0.5) q[1];", "cx q[0],anc[1];", "measure q[0]->c[0];"),
        *("barrier q[0], q[2];", "rz(-3*pi/4) anc[0];", "u2(1e-05,.5) q[0];"),
        *("//", "\n", "\r", " ", ";", ",", "->", "-", "/", "*", "(", ")", "[1]", "0"),
        *("pi", "1", ".", "e", "q", "c", "d", "anc", "measure ", "barrier ", "reset "),
        *("qreg r[2];", "creg r[2];", "if(c==1) ", "h", "ccx ", "{", "}", '"', "\0"),
    ]
)


@st.composite
def mutated(draw: st.DrawFn) -> str:
    text = program(
        "x q[0];\nrx(-pi/2) q[1]; cx q[0],anc[1]; // note\nu2(0.5, 1e-05) anc[0];\n"
        "barrier q[0],q[1]; ccx q[0],q[1],q[2]; rz(5.e2) q[2]; reset anc[1];\n"
    )
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(len(HEADER) - 5, len(text)))
        end = min(len(text), start + draw(st.sampled_from([0, 0, 1, 2, 8])))
        text = text[:start] + draw(PIECES | st.just("")) + text[end:]
    return text


@seed(53)
@settings(max_examples=500, deadline=None)
@given(mutated())
def test_whatever_is_plain_qiskit_reads_as_the_same(text: str) -> None:
    found = outline_of(text)
    event(f"plain: {found is not None}")
    if found is not None:
        assert found == outline_by_qiskit(text)


# --- on the way to a service ----------------------------------------------------------


def test_a_plain_program_is_prepared_as_any_other_and_travels_as_it_is() -> None:
    text = program("x q[0]; // a note\n")
    [plain] = prepare({"a": text}, None)
    [parsed] = to_qasm2(read({"a": text}))
    assert plain == parsed
    assert plain.circuit.qasm == text


def test_a_plain_program_that_is_too_wide_is_refused_by_name() -> None:
    with pytest.raises(CircuitError, match="a: needs 5 qubits, tiny has 4"):
        prepare({"a": program()}, None, target_name="tiny", qubits=4)
    assert prepare({"a": program()}, None, target_name="tiny", qubits=5)


def test_plain_programs_need_no_qiskit() -> None:
    """Loading it takes a second."""
    script = (
        "import sys; from qawait.circuits import prepare; "
        f"prepare({program()!r}, None); assert 'qiskit' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)
