"""The pytest plugin as a project uses it: each test runs pytest in a process of its own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio.to_thread
import pytest

from qawait import testing
from qawait.errors import ConfigurationError
from qawait.testing import serving

if TYPE_CHECKING:
    from collections.abc import Mapping

pytestmark = pytest.mark.timeout(300)
BEGIN = """
import os, subprocess, sys
import pytest, qawait
from qawait.iqm import Circuit, Instruction

TURN = Instruction("prx", ("QB1",), {"angle": 3.14, "phase": 0.0})
FLIP = Circuit("flip", (TURN, Instruction("measure", ("QB1",), {"key": "m"})))
"""


def run(
    project: Path,
    tests: str,
    *arguments: str,
    settings: str = "",
    env: Mapping[str, str] | None = None,
) -> tuple[int, str]:
    """The exit code of pytest in a project with these tests, and all that it says."""
    (project / "conftest.py").write_text('pytest_plugins = ["qawait.testing"]\n')
    strict = "filterwarnings = error\naddopts = --strict-markers -p no:cacheprovider"
    (project / "pytest.ini").write_text(f"[pytest]\n{strict}\n{settings}\n")
    (project / "test_it.py").write_text(BEGIN + tests)
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("IQM", "PYTEST"))}
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:timeout", *arguments],
        cwd=project,
        env=clean | (env or {}),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=200,
    )
    return ran.returncode, ran.stdout


def test_tests_of_every_kind_have_a_service_of_their_own(tmp_path: Path):
    """Plain, asynchronous, by the command line; with faults, a limit, a stopped clock."""
    code, said = run(
        tmp_path,
        """
def test_plain(qawait_service):
    with qawait_service.sync_client() as client:
        assert client.submit(FLIP, shots=7).result()[0].shots == 7
    assert len(qawait_service.ledger()["submissions"]) == 1

@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_asynchronous(qawait_service):
    async with qawait_service.client() as client, \\
               qawait_service.client("qoro") as other:
        assert (await (await client.submit(FLIP, shots=3)))[0].shots == 3
        assert other.target.name == "qoro_maestro"
    assert len(qawait_service.ledger()["submissions"]) == 1

def test_another_program(qawait_service, tmp_path):
    program = [sys.executable, "-m", "qawait", "status", "0af3"]
    ran = subprocess.run(program, capture_output=True, text=True)
    assert "does not know the job 0af3" in ran.stderr
    assert os.environ["IQM_SERVER_URL"] == qawait_service.url
    assert os.environ["IQM_TOKEN"] == os.environ["QORO_API_KEY"]
    assert os.environ["QORO_API_KEY"] == qawait_service.token
    assert os.environ["XDG_STATE_HOME"] == str(tmp_path)

@pytest.mark.qawait(environment=False)
def test_without_variables(qawait_service):
    assert "IQM_SERVER_URL" not in os.environ

@pytest.mark.qawait(faults="503:#1@poll,429:#2@submit")
def test_faults(qawait_service):
    with qawait_service.sync_client(seed=1) as client:
        client.submit(FLIP).result()
        with qawait_service.faults("500:acted@submit"):
            with pytest.raises(qawait.SubmissionUncertain):
                client.submit(FLIP)
        client.submit(FLIP).result()
    played = [fault["fault"] for fault in qawait_service.ledger()["faults"]]
    assert played == ["503", "500", "429"]  # its second, as what it does goes on

@pytest.mark.qawait(clock="manual", service_time=3600, target="star")
class TestClock:
    def test_moves_when_it_is_moved(self, qawait_service):
        with qawait_service.sync_client() as client:
            one, other = client.submit(FLIP), client.submit(FLIP)
            qawait_service.advance(3599)
            assert client.status(one.id).end is None
            qawait_service.advance(2)
            assert one.result(timeout=10)[0].shots == 1000
            assert client.status(other.id).end is None
            qawait_service.advance(3600)
            assert client.status(other.id).end.value == "ready"

    @pytest.mark.qawait(target="square20")
    def test_the_closest_marker_wins(self, qawait_service):
        assert qawait_service.target == "square20"
        with pytest.raises(qawait.errors.ConfigurationError, match="from 0 on"):
            qawait_service.advance(-1)

@pytest.mark.qawait(rate_limit="iqm")
def test_limit(qawait_service):
    with qawait_service.sync_client() as client:
        client.submit(FLIP)
    with pytest.raises(qawait.errors.ConfigurationError, match="clock='manual'"):
        qawait_service.advance(1)
    qawait_service.replace_token()
    with qawait_service.sync_client() as client:
        client.submit(FLIP)
""",
    )
    assert code == 0, said
    assert "8 passed" in said


def test_what_cannot_be_is_said_in_one_sentence_without_a_traceback(tmp_path: Path):
    code, said = run(
        tmp_path,
        """
@pytest.mark.qawait(fault="503@poll")
def test_name(qawait_service): pass

@pytest.mark.qawait("503@poll")
def test_argument(qawait_service): pass

@pytest.mark.qawait(faults="nonsense@poll")
def test_script(qawait_service): pass

@pytest.mark.qawait(rate_limit="ibm")
def test_limit(qawait_service): pass

def test_recording(qawait_recording): pass
""",
    )
    assert code == 1
    assert "5 errors" in said
    assert "Traceback" not in said
    assert "knows no 'fault'; it takes " in said
    assert ", environment, faults, " in said
    assert "takes names, such as faults=..., and not '503@poll'" in said
    assert "there is no fault 'nonsense'" in said
    assert "there is no rate limit 'ibm'; there is iqm" in said
    assert "pytest --qawait-record iqm:URL 'test_it.py::test_recording'" in said


def test_one_service_serves_a_session_where_that_is_asked_for(tmp_path: Path):
    tests = """
seen = []

def test_one(qawait_service):
    seen.append(qawait_service.url)
    qawait_service.set_faults("500@poll")

@pytest.mark.qawait(faults="503:#1@other")
def test_other(qawait_service):
    seen.append(qawait_service.url)
    with qawait_service.sync_client() as client:
        client.submit(FLIP).result()
    assert [f["fault"] for f in qawait_service.ledger()["faults"]] == ["503"]

def test_third(qawait_service):
    with qawait_service.sync_client() as client:
        client.submit(FLIP).result()
    assert len(qawait_service.ledger()["faults"]) == 1

@pytest.mark.qawait(servers=2)
def test_special(qawait_service):
    seen.append(qawait_service.url)

def test_all():
    assert "QAWAIT_TOKEN" not in os.environ
    assert seen[0] == seen[1]
    assert seen[2] not in seen[:2]
"""
    code, said = run(tmp_path, tests, settings="qawait_scope = session")
    assert code == 0, said
    code, said = run(tmp_path, tests, "-k", "one", settings="qawait_scope = module")
    assert code == 1
    assert "qawait_scope is test or session, not 'module'" in said


ASK = """
def ask(client, shots):
    return client.submit(FLIP, shots=shots).result()[0].shots

def test_asks(qawait_recording):
    with qawait_recording.sync_client() as client:
        assert ask(client, 7) == 7

def test_overlooks(qawait_recording):
    with qawait_recording.sync_client() as client:
        try:
            ask(client, SHOTS)
        except qawait.SubmissionRejected:
            pass
"""


def test_a_recording_is_made_once_and_replayed_without_a_service(tmp_path: Path):
    """What was not recorded fails the test even if it does not notice."""
    file = tmp_path / "answers" / "test_it-test_asks.jsonl"
    settings = "qawait_recordings = answers"
    with serving() as real:
        given: dict[str, Any] = {
            "settings": settings,
            "env": {"IQM_TOKEN": real.token},
        }
        record = ("--qawait-record", f"iqm:{real.url}")
        code, said = run(tmp_path, "SHOTS = 8" + ASK, *record, **given)
        assert code == 0, said
        assert real.token not in file.read_text()
        before = file.read_bytes()
        # a test that fails leaves the recording that was there
        wrong = ASK.replace("== 7", "== 8")
        code, said = run(tmp_path, f"SHOTS = 8{wrong}", *record, "-k", "asks", **given)
        assert code == 1
        assert file.read_bytes() == before
    code, said = run(tmp_path, "SHOTS = 9" + ASK, settings=settings)
    assert code == 1
    assert "2 passed, 1 error" in said
    assert "was recorded with another body in" in said
    assert "test_it-test_overlooks.jsonl; record it again" in said


def test_a_project_that_asks_for_nothing_loads_nothing(tmp_path: Path):
    heavy = ("asyncio", "aiohttp", "anyio", "msgspec", "numpy", "sqlite3")
    (tmp_path / "conftest.py").write_text('pytest_plugins = ["qawait.testing"]\n')
    (tmp_path / "test_it.py").write_text(
        "import sys\n"
        "def test_it():\n"
        f"    assert not set({heavy!r}) & set(sys.modules)\n"
        "    ours = {m for m in sys.modules if m.startswith('qawait')}\n"
        "    assert ours == {'qawait', 'qawait.testing', 'qawait.testing.plugin'}\n"
    )
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=tmp_path,
        env=os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": ""},
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )
    assert ran.returncode == 0, ran.stdout


def test_no_entry_point_loads_it_into_projects_that_do_not_ask():
    """It would be imported in every run of pytest, and qawait's modules rewritten."""
    from importlib.metadata import entry_points

    found = [e for e in entry_points(group="pytest11") if "qawait" in e.value]
    assert found == []


@pytest.mark.parametrize("name", testing.__all__)
def test_every_name_is_there_when_it_is_asked_for(name: str):
    assert getattr(testing, name) is not None


def test_a_name_that_does_not_exist_is_an_attribute_error():
    with pytest.raises(AttributeError, match="nonsense"):
        _ = testing.nonsense


async def test_a_service_in_the_same_loop_is_moved_on_from_a_thread():
    async with testing.service(clock="manual", service_time=60) as there:
        with pytest.raises(ConfigurationError, match="to_thread"):
            there.advance(1)
        await anyio.to_thread.run_sync(there.advance, 1)


def test_virtual_time_needs_no_clock_of_the_service():
    async def program() -> None:
        async with testing.service(clock="manual", service_time=60):
            pass

    with pytest.raises(ConfigurationError, match="time is virtual here already"):
        testing.run_virtual(program)


# --- its pages ------------------------------------------------------------------------

DOCS = Path(__file__).parents[2] / "docs"


def test_the_examples_of_the_page_are_tests_that_pass(tmp_path: Path):
    page = (DOCS / "how-to" / "test-your-program.md").read_text()
    section = page.split("## With pytest")[1]
    blocks = re.findall(r"^```python\n(.*?)^```$", section, re.M | re.S)
    tests = [b for b in blocks if "def test_" in b and "my_" not in b]
    assert len(tests) == 3
    bell = 'OPENQASM 2.0; include "qelib1.inc"; qreg q[2]; creg c[2]; h q[0]; '
    (tmp_path / "bell.qasm").write_text(f"{bell} cx q[0], q[1]; measure q -> c;")
    code, said = run(
        tmp_path,
        "@pytest.fixture\ndef anyio_backend(): return 'asyncio'\n" + "\n".join(tests),
        settings="anyio_mode = auto",
    )
    assert code == 0, said
    assert "4 passed" in said


def test_everything_is_in_the_reference():
    from qawait.testing import LocalService, Recorded
    from qawait.testing.inside import ServiceOptions
    from qawait.testing.redaction import SECRET_NAMES

    page = (DOCS / "reference" / "testing.md").read_text()
    names = {
        *testing.__all__,
        *ServiceOptions.__annotations__,
        *SECRET_NAMES,
        *(f"there.{n}" for n in public(LocalService)),
        *(f"there.{n}" for n in public(Recorded) - {"of"}),
        *("qawait_service", "qawait_recording", "--qawait-record"),
        *("qawait_scope", "qawait_simulate", "qawait_recordings"),
    }
    assert [n for n in sorted(names) if not re.search(rf"\b{n}\b|{n} ", page)] == []


def public(kind: type) -> set[str]:
    own = {name for name in vars(kind) if not name.startswith("_")}
    return own | set(getattr(kind, "__struct_fields__", ()))


def test_the_variables_on_the_page_are_those_that_are_set():
    page = (DOCS / "how-to" / "test-your-program.md").read_text()
    [line] = [li for li in page.splitlines() if li.startswith("While a test has it")]
    with serving() as there:
        variables = set(there.environment) | {"XDG_STATE_HOME"}
    assert set(re.findall(r"`([A-Z_]+)`", line)) == variables


def test_no_module_hides_what_it_is_named_after():
    """Once `qawait.testing.x` is loaded, `x` is the module and no longer a function."""
    directory = Path(testing.__file__).parent
    assert {path.stem for path in directory.glob("*.py")}.isdisjoint(testing.__all__)
