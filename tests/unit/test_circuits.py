"""Reading circuits, and what is said of those that cannot be used."""

from __future__ import annotations

import builtins
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister, qasm2, qasm3
from qiskit.circuit import Clbit, Parameter, Qubit
from qiskit.circuit.library import efficient_su2

from qawait.circuits import Compiled, as_is, read
from qawait.circuits.source import LARGEST_SOURCE_BYTES
from qawait.errors import CircuitError, ConfigurationError, MissingExtra
from qawait.iqm.circuit import Circuit, Instruction

if TYPE_CHECKING:
    from pathlib import Path

HEADER_2 = 'OPENQASM 2.0;\ninclude "qelib1.inc";\n'
HEADER_3 = 'OPENQASM 3.0;\ninclude "stdgates.inc";\n'
BELL_2 = HEADER_2 + "qreg q[2];\ncreg c[2];\nh q[0];\ncx q[0],q[1];\nmeasure q -> c;\n"
BELL_3 = HEADER_3 + "qubit[2] q;\nbit[2] c;\nh q[0];\ncx q[0], q[1];\nc = measure q;\n"
NATIVE = {
    "name": "flip",
    "instructions": [
        {"name": "prx", "locus": ["QB3"], "args": {"angle": 3.0, "phase": 0.5}},
        {"name": "measure", "locus": ["QB3"], "args": {"key": "m"}},
    ],
}


def bell(name: str | None = None) -> QuantumCircuit:
    circuit = QuantumCircuit(2, 2, name=name)
    circuit.h(0)
    circuit.cx(0, 1)
    circuit.measure([0, 1], [0, 1])
    return circuit


def refusal(source: object, **options: bool) -> str:
    """What is said of a source that is refused."""
    with pytest.raises(ConfigurationError) as caught:
        read(source, **options)  # type: ignore[arg-type]
    return str(caught.value)


def test_circuits_of_every_kind_are_read(tmp_path: Path) -> None:
    path = tmp_path / "bell.qasm"
    path.write_text(BELL_3)
    sources = read([bell(), BELL_2, BELL_3, path, str(path)])
    for source in sources:
        assert dict(source.circuit.count_ops()) == {"h": 1, "cx": 1, "measure": 2}
    native, same = read([NATIVE, Circuit("x", ())])
    assert native.circuit.instructions[0] == Instruction(
        "prx", ("QB3",), {"angle": 3.0, "phase": 0.5}
    )
    assert same.circuit == Circuit("x", ())


def test_a_circuit_is_called_by_its_file_its_own_name_or_its_index(
    tmp_path: Path,
) -> None:
    path = tmp_path / "first.try.qasm"
    path.write_text(BELL_2)
    found = read([BELL_2, path, str(path), bell("mine"), bell(), NATIVE, BELL_3])
    labels = ["0", "first.try", "first.try", "mine", "4", "flip", "6"]
    assert [source.label for source in found] == labels
    assert [source.label for source in read({"a": BELL_2, "b": path})] == ["a", "b"]
    assert [source.label for source in read(path, label="given")] == ["given"]
    assert [source.label for source in read(bell())] == ["0"]


def test_a_file_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "marked.qasm"
    path.write_text(BELL_2, encoding="utf-8-sig")
    assert read(path)[0].qasm2 == BELL_2


def test_only_openqasm_2_that_measures_can_be_sent_as_it_is() -> None:
    assert read(BELL_2)[0].qasm2 == BELL_2
    assert read(BELL_3)[0].qasm2 is None
    assert read(bell())[0].qasm2 is None


def test_several_circuits_come_from_any_iterable() -> None:
    assert len(read(bell() for _ in range(3))) == 3


def test_what_was_compiled_passes_through_under_a_new_label() -> None:
    once = as_is(NATIVE, native=True)
    again = as_is({"other": once[0]}, native=True)
    assert isinstance(again[0], Compiled)
    assert again[0].label == again[0].circuit.name == "other"
    assert again[0].circuit.instructions == once[0].circuit.instructions


def test_a_text_without_comments_or_with_many_is_recognised() -> None:
    commented = "// OPENQASM 3.0;\n\n  // of 2\n" + BELL_2
    assert read(commented)[0].qasm2 == commented
    assert "is not OpenQASM" in refusal("/* OPENQASM 2.0; */" * 50_000)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("", "0: is empty"),
        (" \n", "0: is empty"),
        ("nowhere.qasm", "nowhere.qasm: no such file"),
        ("h q[0];", "0: is not OpenQASM: that begins with 'OPENQASM 2.0;'"),
        ("OPENQASM 4.1; x", "0: OpenQASM 4 is not known: 2 and 3 are"),
        ("a\0b", "'a\\x00b': is no path: "),
        (HEADER_2 + "qreg q[2];\nfoo q[0];", "line 4, column 1: 'foo' is not defined"),
        (HEADER_2 + "qreg q[2];\nh q[5];", "line 4, column 5: index 5 is out-of-range"),
        (HEADER_3 + "qubit[2] q;\n foo q[0];", "line 4, column 2: gate 'foo' is not"),
        (HEADER_3 + "qubit[2] q;\nh q[0]\nh q[1];", "line 5, column 1: unexpected 'h'"),
        (HEADER_3 + "qubit[2] q;\n  $$$", "line 4, column 3: token recognition error"),
        (
            HEADER_3 + "def f() {}",
            "line 3, column 1: node of type SubroutineDefinition",
        ),
        (HEADER_2 + "qreg q[1000000000];", "declares 1000000000 bits at once"),
        (HEADER_3 + "qubit[9_000_000] q;", "declares 9_000_000 bits at once"),
        (
            HEADER_3 + "qubit q; rx" + "(" * 3000 + "1" + ")" * 3000 + " q;",
            "is nested too deeply",
        ),
        (HEADER_2 + "\ud800", "surrogates not allowed"),
        (b"OPENQASM 2.0;", "0: a bytes is not a circuit: give a Qiskit circuit"),
        (None, "0: a NoneType is not a circuit"),
        ([], "no circuits were given"),
        ({}, "no circuits were given"),
        ("OPENQASM 2.0;" + " " * LARGEST_SOURCE_BYTES, "0: is larger than 10 MB"),
        ({7: BELL_2}, "labels are text, not 7"),
        ({"": BELL_2}, "0: its label is empty"),
        ({"a": {"name": "b"}}, "a: a dict without a list of 'instructions'"),
        ({"instructions": [{"name": "cz"}]}, "0: not a native circuit: Object missing"),
        ([[BELL_2]], "0: a list is not a circuit"),
    ],
)
def test_an_unusable_source_is_named_in_one_line(source: object, said: str) -> None:
    message = refusal(source)
    assert said in message
    assert "\n" not in message


def test_an_unusable_file_is_named_by_its_path(tmp_path: Path) -> None:
    (tmp_path / "empty.qasm").touch()
    (tmp_path / "binary.qasm").write_bytes(b"\x89PNG\x00\xff")
    (tmp_path / "nul.qasm").write_bytes(b"OPENQASM 2.0;\0")
    (tmp_path / "large.qasm").write_bytes(b" " * (LARGEST_SOURCE_BYTES + 1))
    os.mkfifo(tmp_path / "pipe.qasm")
    for name, said in [
        ("empty.qasm", "is empty"),
        ("binary.qasm", "is not text: a binary file?"),
        ("nul.qasm", "is not text: a binary file?"),
        ("large.qasm", "is larger than 10 MB"),
        ("pipe.qasm", "is not a file"),
        ("", "is a directory"),
    ]:
        path = tmp_path / name
        with pytest.raises(CircuitError) as caught:
            read({"label": path})
        assert caught.value.circuit == str(path)
        assert said in caught.value.reason


def test_every_bad_circuit_of_a_batch_is_named_on_a_line_of_its_own(
    tmp_path: Path,
) -> None:
    bad = tmp_path / "bad.qasm"
    bad.write_text("hello\nworld")
    lines = refusal([BELL_2, bad, BELL_3, QuantumCircuit(2), "gone.qasm"]).splitlines()
    assert lines[0] == "3 circuits cannot be used:"
    assert [line.split(":")[0] for line in lines[1:]] == [
        f"  {bad}",
        "  3",
        "  gone.qasm",
    ]


def test_one_bad_circuit_among_a_hundred_is_the_error_itself() -> None:
    with pytest.raises(CircuitError) as caught:
        read({str(n): BELL_2 if n != 61 else "OPENQASM 2.0;\nx;" for n in range(100)})
    assert caught.value.circuit == "61"


def test_no_file_is_opened_whatever_a_text_includes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "secret.inc").write_text("qreg secret[7];")
    monkeypatch.chdir(tmp_path)
    for name in ("secret.inc", str(tmp_path / "secret.inc"), "/etc/passwd"):
        assert "unable to find" in refusal(f'OPENQASM 2.0;\ninclude "{name}";')
        assert "not currently supported" in refusal(f'OPENQASM 3;\ninclude "{name}";')


def test_a_syntax_error_prints_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    refusal(HEADER_3 + "$$$")
    assert capfd.readouterr() == ("", "")


def test_a_label_names_one_circuit_only() -> None:
    for many in ([BELL_2], {"a": BELL_2}):
        with pytest.raises(ConfigurationError, match="can name one circuit only"):
            read(many, label="one")


def test_a_circuit_that_measures_nothing_is_refused_unless_all_is_measured() -> None:
    silent = QuantumCircuit(3, 2, name="silent")
    silent.x(0)
    assert refusal(silent).startswith("silent: measures nothing: add measurements")
    assert refusal(HEADER_2 + "qreg q[2];").startswith("0: measures nothing")
    measured = read(silent, measure_all=True)[0].circuit
    assert [(r.name, r.size) for r in measured.cregs] == [("c", 2), ("meas", 3)]
    assert measured.count_ops()["measure"] == 3
    assert "measure" not in silent.count_ops(), "the user's own circuit was changed"


def test_measure_all_leaves_circuits_that_measure_as_they_are() -> None:
    partly = QuantumCircuit(3, 2)
    partly.measure(2, 1)
    assert read(partly, measure_all=True)[0].circuit is partly
    assert read(BELL_2, measure_all=True)[0].qasm2 == BELL_2


def test_a_register_in_the_way_of_measuring_all_is_named() -> None:
    circuit = QuantumCircuit(QuantumRegister(2), ClassicalRegister(2, "meas"))
    assert "register 'meas' is in the way" in refusal(circuit, measure_all=True)


def test_control_flow_is_refused() -> None:
    loop = bell()
    with loop.if_test((loop.clbits[0], 1)):
        loop.x(1)
    for source in (
        loop,
        BELL_2 + "if (c == 1) x q[0];",
        BELL_3 + "if (c[0]) { x q[0]; }",
    ):
        assert "control flow (if, while, for, switch, box)" in refusal(source)


def test_classical_variables_are_refused() -> None:
    circuit = bell()
    circuit.add_var("flag", False)
    assert "classical variables are not supported" in refusal(circuit)


def test_free_parameters_are_named() -> None:
    circuit = bell()
    circuit.rx(Parameter("β") + Parameter("alpha"), 0)
    assert refusal(circuit) == "0: has free parameters, give them values: alpha, β"
    text = HEADER_3 + "input float[64] theta;\nqubit q;\nbit c;\nrx(theta) q;\n"
    assert refusal(text + "c = measure q;").endswith("give them values: theta")
    assert read(circuit, allow_parameters=True)[0].circuit is circuit


def test_a_circuit_without_qubits_is_refused() -> None:
    assert refusal(QuantumCircuit(0, 2)) == "0: has no qubits"


def test_a_library_circuit_is_read() -> None:
    circuit = efficient_su2(3)
    found = read(circuit, measure_all=True, allow_parameters=True)[0].circuit
    assert [(r.name, r.size) for r in found.cregs] == [("meas", 3)]


def test_bits_outside_registers_get_registers_in_their_place() -> None:
    """The joined order of bits stays Qiskit's, in which `a` is bit 0."""
    text = HEADER_3 + (
        "qubit[4] q;\nbit a;\nbit[2] b;\nbit c;\nbit d;\n"
        "a = measure q[3];\nb[1] = measure q[0];\nd = measure q[1];\n"
    )
    circuit = read(text)[0].circuit
    sizes = [(r.name, r.size) for r in circuit.cregs]
    assert sizes == [("bit0", 1), ("b", 2), ("bit3", 2)]
    measured = [
        (circuit.find_bit(i.qubits[0]).index, circuit.find_bit(i.clbits[0]).index)
        for i in circuit.data
    ]
    assert measured == [(3, 0), (0, 2), (1, 4)]


def test_a_register_made_for_loose_bits_takes_no_name_that_exists() -> None:
    circuit = QuantumCircuit([Qubit()], [Clbit()])
    circuit.add_register(ClassicalRegister(1, "bit0"))
    circuit.measure(0, 0)
    names = [register.name for register in read(circuit)[0].circuit.cregs]
    assert names == ["bit0_", "bit0"]


def test_registers_that_share_bits_are_refused() -> None:
    bits = [Clbit(), Clbit()]
    circuit = QuantumCircuit([Qubit()], bits)
    circuit.add_register(ClassicalRegister(name="a", bits=bits))
    circuit.add_register(ClassicalRegister(name="b", bits=bits[:1]))
    circuit.measure(0, 0)
    assert refusal(circuit) == "0: registers 'a' and 'b' share a bit"


def test_texts_that_qiskit_writes_are_read_back() -> None:
    circuit = bell()
    for text in (qasm2.dumps(circuit), qasm3.dumps(circuit)):
        assert read(text)[0].circuit.count_ops() == circuit.count_ops()


def test_without_qiskit_an_error_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = builtins.__import__

    def without(name: str, *args: object, **kwargs: object) -> object:
        if name.startswith("qiskit"):
            raise ImportError(name)
        return real(name, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingExtra, match=r"pip install 'qawait\[qiskit\]'"):
        read(BELL_2)


def test_native_circuits_are_read_without_qiskit() -> None:
    program = (
        "import sys\nfrom qawait.circuits import as_is\n"
        f"as_is({NATIVE!r}, native=True)\n"
        "assert 'qiskit' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
