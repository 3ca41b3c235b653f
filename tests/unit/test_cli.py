"""The command line as far as it needs no service: arguments, files, texts, pictures."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from qawait.cli import main
from qawait.cli.connection import where
from qawait.cli.heat_map import draw
from qawait.cli.inputs import file_name, read_files
from qawait.cli.landscape import (
    EDGES,
    NODES,
    Landscape,
    cut_sizes,
    grid,
    max_cut,
    template,
)
from qawait.cli.outcomes import Outcome, of_error
from qawait.cli.progress import Progress
from qawait.cli.tables import summary
from qawait.cli.text import clean, with_plural
from qawait.errors import CircuitError, ConfigurationError, SubmissionUncertain

if TYPE_CHECKING:
    from qawait._job import Job

COMMANDS = [
    *("run", "demo", "serve", "status", "results", "cancel"),
    *("jobs", "explain", "resume", "journal", "chaos"),
    *("sweep", "doctor", "config", "completion"),
]
FLIPPED = """OPENQASM 2.0;
include "qelib1.inc";
qreg q[3];
creg c[3];
x q[0];
measure q -> c;
"""
SOURCES = Path(__file__).resolve().parents[2] / "src"


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("QAWAIT_SERVICE", "QAWAIT_TOKEN", "IQM_TOKEN", "QORO_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    for name in ("IQM_TOKENS_FILE", "IQM_SERVER_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


def refused(
    capsys: pytest.CaptureFixture[str], *arguments: str, lines: int = 1
) -> list[str]:
    """What a command says that must not do anything: on standard error, code 2."""
    assert main(arguments) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert "Traceback" not in said.err
    assert said.err.count("\n") == lines
    assert all(line.startswith("qawait: ") for line in said.err.splitlines())
    return said.err.splitlines()


def flipped(name: str) -> str:
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(FLIPPED)
    return name


# --- starting -------------------------------------------------------------------------


def test_without_its_extra_it_says_what_to_install() -> None:
    """Run without site-packages, as in an environment that has nothing."""
    code = f"import sys; sys.path.insert(0, {str(SOURCES)!r})\n"
    code += "from qawait.cli import main; sys.exit(main(['demo']))"
    done = subprocess.run(
        [sys.executable, "-S", "-c", code],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr == (
        "qawait: the command line needs an extra: pip install 'qawait[local]'\n"
    )


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys; from qawait.cli import main; main(['run', '--help']); "
        "heavy = {'numpy', 'qiskit', 'aiohttp', 'rich', 'matplotlib', 'sqlite3'}; "
        "sys.exit(','.join(sorted(heavy & set(sys.modules))) or 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert done.stderr == ""
    assert done.returncode == 0


def test_it_tells_its_version(capsys: pytest.CaptureFixture[str]) -> None:
    import qawait

    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"qawait {qawait.__version__}\n"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_shows_an_example(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([command, "--help"]) == 0
    assert f"  qawait {command}" in capsys.readouterr().out


def test_the_help_tells_the_commands_and_the_exit_codes(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["--help"]) == 0
    told = capsys.readouterr().out
    assert all(f"\n  {command} " in told for command in COMMANDS)
    assert all(f"\n    {code} " in told for code in ("0", "1", "2", "130"))
    assert all(len(line) <= 84 for line in told.splitlines())


def test_without_a_command_it_helps(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "Commands:" in capsys.readouterr().err


# --- arguments that cannot be right ---------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["run", "a.qasm", "--shots", "0"], "'--shots': 0 is not in the range x>=1"),
        (["run", "a.qasm", "--shots", "ten"], "'--shots': 'ten' is not a valid"),
        (["run", "a.qasm", "--batch", "0"], "'--batch': 0 is not in the range x>=1"),
        (["run"], "Missing argument 'FILE...'; see qawait run --help"),
        (["run", "a.qasm", "--service", "foo:x"], "unknown service 'foo:x': write iqm"),
        (["run", "a.qasm", "--service", "iqm:"], "needs a url or IQM_SERVER_URL"),
        (["run", "a.qasm", "--tokens-file", "t"], "--tokens-file is for IQM"),
        (
            ["run", "a.qasm", "--service", "qoro:", "--tokens-file", "t"],
            "--tokens-file is for IQM, not for qoro:",
        ),
        (
            ["run", "a.qasm", "--service", "iqm:http://x", "--tokens-file", "t"],
            "tokens file t: No such file or directory",
        ),
        (["status", "id"], "status needs the service that has the job: give --service"),
        (["results", "id", "--service", "local"], "results needs the service"),
        (["cancel", "id"], "cancel needs the service"),
        (["results", "id", "--timeout", "0", "--service", "qoro:"], "range x>0"),
        (["demo", "--circuits", "10"], "10 is no square number; the grid has as many"),
        (["demo", "--png", "picture.pdf"], "picture.pdf does not end in .png"),
        (["demo", "--png", "not/there.png"], "nothing can be written in "),
        (["serve", "--service-time", "soon"], "'soon' is no duration: write 2s, 250ms"),
        (["serve", "--port", "70000"], "70000 is not in the range 0<=x<=65535"),
        (["fly"], "No such command 'fly'; see qawait --help"),
    ],
)
def test_a_wrong_argument_is_one_line(
    arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (line,) = refused(capsys, *arguments)
    assert told in line


def test_a_token_is_no_argument_and_not_shown(
    capsys: pytest.CaptureFixture[str],
) -> None:
    (line,) = refused(capsys, "run", "a.qasm", "--token=c0ffee")
    assert "No such option '--token'" in line
    assert "c0ffee" not in line


# --- files ----------------------------------------------------------------------------


def test_one_bad_file_among_a_hundred_is_named(
    capsys: pytest.CaptureFixture[str],
) -> None:
    names = [flipped(f"c{n:02}.qasm") for n in range(100)]
    Path("c41.qasm").write_text("<html>not found</html>")
    # nobody listens at this address, and nobody has to
    (line,) = refused(capsys, "run", *names, "--service", "iqm:http://127.0.0.1:1")
    assert line.startswith("qawait: c41.qasm: is not OpenQASM")
    assert line.endswith("nothing was sent")


def test_several_bad_files_are_all_named(capsys: pytest.CaptureFixture[str]) -> None:
    good = flipped("good.qasm")
    Path("typo.qasm").write_text(FLIPPED.replace("x q[0]", "foo q[0]"))
    Path("blind.qasm").write_text(FLIPPED.replace("measure", "// measure"))
    lines = refused(capsys, "run", "typo.qasm", good, "blind.qasm", lines=3)
    assert lines[0] == "qawait: 2 circuits cannot be used; nothing was sent"
    assert lines[1].startswith("qawait: typo.qasm: OpenQASM 2, line 5")
    assert lines[2].startswith("qawait: blind.qasm: measures nothing")
    assert "--measure-all" in lines[2]


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (["gone.qasm"], "gone.qasm: no such file"),
        (["gone/*.qasm"], "gone/*.qasm: no file matches this pattern"),
        (["sub"], "sub: is a directory"),
        (["sub/a.qasm", "sub/../sub/a.qasm"], "sub/../sub/a.qasm: is given twice"),
        (["sub/a.qasm", "sub/*.qasm"], "sub/a.qasm: is given twice"),
    ],
)
def test_a_file_that_is_none_is_named(
    names: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    flipped("sub/a.qasm")
    (line,) = refused(capsys, "run", *names)
    assert told in line


def test_a_pattern_the_shell_has_left_is_matched() -> None:
    flipped("sub/b.qasm")
    flipped("sub/a.qasm")
    flipped("sub/c.txt")
    sources = read_files(["sub/*.qasm"], measure_all=False)
    assert [source.origin for source in sources] == ["sub/a.qasm", "sub/b.qasm"]


def test_a_file_whose_name_looks_like_a_pattern_is_a_file() -> None:
    flipped("a[1].qasm")
    (source,) = read_files(["a[1].qasm"], measure_all=False)
    assert source.label == "a_1_"


@pytest.mark.parametrize(
    ("names", "labels"),
    [
        (["x/ghz.qasm", "y/dj.qasm"], ["ghz", "dj"]),
        (["x/ghz.qasm", "y/ghz.qasm"], ["x_ghz", "y_ghz"]),
        (["p/x/ghz.qasm", "p/ghz.qasm"], ["x_ghz", "ghz"]),
        (["ghz.qasm", "ghz.txt"], ["ghz.qasm", "ghz.txt"]),
        ([".hidden.qasm", "a b.qasm"], ["_hidden", "a_b"]),
    ],
)
def test_circuits_have_names_of_their_own(names: list[str], labels: list[str]) -> None:
    found = read_files([flipped(name) for name in names], measure_all=False)
    assert [source.label for source in found] == labels


def test_names_that_cannot_be_told_apart_are_refused() -> None:
    names = [flipped("a b.qasm"), flipped("a?b.qasm")]
    with pytest.raises(ConfigurationError, match=r"a b\.qasm and a\?b\.qasm would"):
        read_files(names, measure_all=False)


@given(st.text())
def test_no_label_leads_out_of_a_directory(label: str) -> None:
    name = file_name(label) + ".json"
    assert Path(name).name == name
    assert not name.startswith(".")
    assert not set(name) & set('/\\:*?"<>|\0')
    assert len(name.encode()) <= 255 * 4


def test_results_that_are_there_are_not_replaced(
    capsys: pytest.CaptureFixture[str],
) -> None:
    flipped("a.qasm")
    Path("out").mkdir()
    Path("out/a.npy").write_bytes(b"last week's")
    arguments = ["run", "a.qasm", "--out", "out", "--service", "iqm:http://127.0.0.1:1"]
    (line,) = refused(capsys, *arguments)
    assert (
        line == "qawait: out/a.npy exists; --force replaces it, another --out keeps it"
    )


def test_results_need_a_directory(capsys: pytest.CaptureFixture[str]) -> None:
    (line,) = refused(capsys, "run", flipped("a.qasm"), "--out", "a.qasm")
    assert line == "qawait: --out a.qasm is a file; name a directory"


# --- which service --------------------------------------------------------------------


def test_the_option_goes_before_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("QAWAIT_SERVICE", "qoro:https://q.test/api")
    assert (
        where(None, "t", None).option == "--service qoro:https://q.test/api --target t"
    )
    assert where("iqm:https://i.test", None, None).name == "iqm:https://i.test"
    assert where("local", None, None).service is None
    monkeypatch.setenv("QAWAIT_SERVICE", "")
    assert where(None, None, None).service is None


def test_the_tokens_file_goes_before_every_variable(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "tokens.json"
    file.write_text('{"access_token": "from-file"}')

    def token(tokens_file: Path | None) -> str:
        service = where("iqm:https://i.test", None, tokens_file).service
        assert service is not None
        secret = service.token.current()
        assert secret is not None
        return secret.reveal()

    monkeypatch.setenv("IQM_TOKEN", "of-iqm")
    assert token(None) == "of-iqm"
    monkeypatch.setenv("QAWAIT_TOKEN", "of-qawait")
    assert token(None) == "of-qawait"
    assert token(file) == "from-file"


# --- what is shown --------------------------------------------------------------------


def test_foreign_text_cannot_steer_the_terminal() -> None:
    steering = "a\x1b[31mb\r\nc\x07\u202ed\udcff"
    assert clean(steering) == "a?[31mb c??d?"
    assert len(clean("x" * 5000)) == 1000


def test_one_is_not_many() -> None:
    assert with_plural(1, "job") == "1 job"
    assert with_plural(20_000, "shot") == "20,000 shots"


def test_the_table_tells_why_there_is_no_result() -> None:
    failed = Outcome(
        label="a", file="a.qasm", state="failed", reason="no\x1b[2J memory"
    )
    shown = io.StringIO()
    Console(width=80, file=shown).print(summary([failed], job_ids=False))
    assert "failed" in shown.getvalue()
    assert "no?[2J memory" in shown.getvalue()


def test_what_was_not_sent_is_not_called_failed() -> None:
    error = CircuitError("a", "is odd")
    assert of_error(error, "a").state == "not sent"
    lost = SubmissionUncertain("may run", evidence="connection lost", submission_id="s")
    uncertain = of_error(lost, "a")
    assert uncertain.state == "uncertain"
    assert uncertain.reason == "may run (connection lost)"
    assert not uncertain.ready


class _FakeJob:
    def __init__(self, state: str, circuits: int) -> None:
        from qawait.model import CircuitRecord, Manifest, State

        self.state = State(state)
        self.manifest = Manifest(circuits=(CircuitRecord(label=""),) * circuits)


def test_progress_counts_circuits_by_state() -> None:
    progress = Progress(12)
    jobs = [_FakeJob("ready", 5), _FakeJob("pending execution", 3)]
    for job in jobs:
        progress.follow(job)  # type: ignore[arg-type]
    progress.lose(1)
    counts = {"to send": 3, "pending execution": 3, "ready": 5, "failed": 1}
    assert progress.counts() == counts
    assert list(progress.counts()) == list(counts)
    assert str(progress) == (
        "12 circuits: 3 to send, 3 pending execution, 5 ready, 1 failed"
    )
    going_on: list[Job] = progress.going_on
    assert going_on == [jobs[1]]


# --- the demonstration ----------------------------------------------------------------


def test_a_cut_counts_edges_between_the_sides() -> None:
    alone = np.eye(NODES, dtype=np.uint8)
    degrees = [sum(node in edge for edge in EDGES) for node in range(NODES)]
    assert len(set(degrees)) > 1
    assert cut_sizes(alone).tolist() == degrees


def test_the_true_maximum_is_found_by_trying_all() -> None:
    assert max_cut() == 7


def test_the_template_gives_the_landscape_of_its_definition() -> None:
    """Against exp(-i beta X) exp(-i gamma C) |+>, written out in numpy."""
    from qiskit.quantum_info import Statevector

    gamma, beta = 0.7, 0.3
    # the state with index k has bit j of k on node j
    partitions = (np.arange(2**NODES)[:, None] >> np.arange(NODES)) & 1
    cuts = cut_sizes(partitions)
    mixer = np.array(
        [[np.cos(beta), -1j * np.sin(beta)], [-1j * np.sin(beta), np.cos(beta)]]
    )
    mix = np.ones((1, 1))
    for _ in range(NODES):
        mix = np.kron(mix, mixer)
    state = mix @ (np.exp(-1j * gamma * cuts) / np.sqrt(2**NODES))
    bound = template().assign_parameters({"gamma": gamma, "beta": beta})
    bound.remove_final_measurements()
    expected = Statevector(bound).probabilities()
    np.testing.assert_allclose(np.abs(state) ** 2, expected, atol=1e-12)


def _landscape() -> Landscape:
    """Two rows, three columns; the best is at the larger beta, in the middle."""
    gammas, betas = np.array([0.1, 0.2, 0.3]), np.array([1.0, 2.0])
    cuts = np.array([[0.0, 1.0, 2.0], [3.0, 8.0, 4.0]])
    return Landscape(gammas, betas, cuts, cuts / 10)


def test_the_best_point_is_row_and_column() -> None:
    assert _landscape().best == (1, 1)


def test_the_grid_lies_in_the_middles_of_its_cells() -> None:
    gammas, betas = grid(4)
    np.testing.assert_allclose(gammas / np.pi, [0.125, 0.375, 0.625, 0.875])
    np.testing.assert_allclose(betas, gammas / 2)


@pytest.mark.parametrize("colours", [None, "truecolor"])
def test_the_heat_map_has_beta_upwards_and_its_best_marked(colours: str | None) -> None:
    console = Console(
        width=80,
        color_system=colours,  # type: ignore[arg-type]
        force_terminal=colours is not None,
        no_color=False,
    )
    drawn = draw(_landscape(), console)
    lines = drawn.plain.splitlines()
    assert lines[1].startswith(" 2.00 rad ")
    assert lines[1][12:14] == "><"
    assert lines[2].startswith(" 1.00 rad ")
    assert lines[3].split() == ["0.10", "0.20", "0.30", "rad", "gamma"]
    assert "expected cut  0.00 [" in lines[5]
    assert "] 8.00 edges" in lines[5]
    styled = any(span.style.bgcolor for span in drawn.spans)  # type: ignore[union-attr]
    assert styled is (colours is not None)


def test_without_colours_shades_tell_the_values() -> None:
    console = Console(
        width=80, color_system="truecolor", force_terminal=True, no_color=True
    )
    lines = draw(_landscape(), console).plain.splitlines()
    assert lines[2][10:] == "    \N{LIGHT SHADE}\N{LIGHT SHADE}"
    assert (
        lines[1][10:]
        == "\N{LIGHT SHADE}\N{LIGHT SHADE}><\N{MEDIUM SHADE}\N{MEDIUM SHADE}"
    )


def test_a_narrow_terminal_gets_narrow_cells() -> None:
    lines = draw(_landscape(), Console(width=14)).plain.splitlines()
    assert lines[1][11] == "X"
    assert len(lines[1]) == 13
