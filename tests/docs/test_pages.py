"""The pages say what the code does: every name, every variable, every command."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

import qawait
from qawait import errors
from qawait._sweep.estimate import Estimate
from qawait._sweep.settings import Settings
from qawait._sweep.settling import Progress
from qawait.iqm.circuit import Circuit, Instruction
from qawait.iqm.dialects import SERVER, STATION, STATION_30, V1, V2, V2_24
from qawait.model import Dialect, Submission, Target
from qawait.qoro.circuit import Circuit as Program
from qawait.qoro.dialect import DIALECT as QORO

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
REFERENCE = {path.stem: path.read_text() for path in DOCS.glob("reference/*.md")}
SOURCES = sorted((ROOT / "src").rglob("*.py"))

each_page = pytest.mark.parametrize(
    "page", PAGES, ids=lambda page: str(page.relative_to(DOCS))
)
and_the_readme = pytest.mark.parametrize(
    "page", [ROOT / "README.md", *PAGES], ids=lambda page: str(page.relative_to(ROOT))
)


def without_code(text: str) -> str:
    return re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)


# --- pages and links ------------------------------------------------------------------


def anchors(page: Path) -> set[str]:
    """The names by which the headings of a page are linked to."""
    headings = re.findall(r"^#+ (.+)$", without_code(page.read_text()), re.MULTILINE)
    plain = (re.sub(r"[^\w\s-]", "", heading.lower()) for heading in headings)
    return {re.sub(r"\s", "-", heading) for heading in plain}


@and_the_readme
def test_every_link_leads_somewhere(page: Path):
    for target in re.findall(r"\]\(([^)\s]+)\)", without_code(page.read_text())):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        linked = (page.parent / name).resolve() if name else page
        assert linked.exists(), target
        assert ROOT in linked.parents, target
        if anchor:
            assert anchor in anchors(linked), target


def quoted(page: Path) -> dict[Path, str]:
    """The examples that a page shows, and the text it shows of each."""
    found = re.findall(
        r"<!-- (\S+\.py) -->\n```python\n(.*?)\n```", page.read_text(), re.DOTALL
    )
    return {(page.parent / name).resolve(): text for name, text in found}


@each_page
def test_a_quoted_example_is_the_file_that_is_run(page: Path):
    """Pages show the programs themselves, so that they can be read anywhere."""
    for file, text in quoted(page).items():
        assert text == file.read_text().rstrip(), f"{file.name} has changed"


@each_page
def test_a_page_has_one_title(page: Path):
    text = without_code(page.read_text())
    assert text.startswith("# ")
    assert len(re.findall(r"^# ", text, re.MULTILINE)) == 1


@each_page
def test_a_line_holds_one_sentence(page: Path):
    """Changes to a page then show sentence by sentence."""
    for line in without_code(page.read_text()).splitlines():
        if line.startswith("|"):
            continue
        assert not re.search(r"[a-z`)][.?!] [A-Z`]", line), line


def test_every_page_can_be_reached_from_the_first():
    reached, waiting = set[Path](), [DOCS / "index.md"]
    while waiting:
        page = waiting.pop()
        if page in reached:
            continue
        reached.add(page)
        links = re.findall(r"\]\(([^)#\s]+\.md)", page.read_text())
        waiting += [(page.parent / link).resolve() for link in links]
    assert reached == set(PAGES)


def test_every_example_is_quoted_by_a_page():
    shown = {file for page in PAGES for file in quoted(page)}
    assert shown == set(DOCS.glob("examples/*.py"))


# --- names ----------------------------------------------------------------------------


def tree_in(text: str) -> str:
    return text.split("```text\n")[1].split("```")[0]


def test_the_tree_of_errors_is_that_of_the_module():
    assert errors.__doc__ is not None
    assert tree_in(REFERENCE["errors"]) == tree_in(errors.__doc__)


@pytest.mark.parametrize("name", errors.__all__)
def test_every_error_is_on_its_page(name: str):
    assert re.search(rf"\b{name}\b", REFERENCE["errors"])


@pytest.mark.parametrize("name", qawait.__all__)
def test_every_public_name_is_in_the_reference(name: str):
    assert any(re.search(rf"\b{name}\b", text) for text in REFERENCE.values())


def public(kind: type) -> set[str]:
    """Methods, properties and fields, without those of Struct and Sequence."""
    own = {name for name in vars(kind) if not name.startswith("_")}
    return own | set(getattr(kind, "__struct_fields__", ()))


INNER = {"observe", "settle"}
"""What the poller tells a job."""
BEHIND = {"measured", "tallied", "values"}
"""The data behind the methods of a circuit's result."""


@pytest.mark.parametrize(
    ("page", "names"),
    [
        ("client", public(qawait.Client)),
        ("client", public(qawait.Job) - INNER),
        ("client", public(qawait.Change)),
        ("client", public(qawait.Target)),
        ("client", public(qawait.Pace)),
        ("client", public(qawait.Limits)),
        ("client", public(qawait.Retry)),
        ("client", set(inspect.signature(qawait.connect).parameters)),
        ("client", set(inspect.signature(qawait.Client.submit).parameters)),
        ("sweep", public(qawait.Sweep)),
        ("sweep", public(qawait.Point)),
        ("sweep", public(qawait.Budget)),
        ("sweep", set(Settings.__struct_fields__)),
        ("sweep", set(Estimate.__struct_fields__) | set(Progress.__struct_fields__)),
        ("results", {n for n in public(qawait.Result) if not n.startswith("of_")}),
        ("results", public(qawait.CircuitResult) - BEHIND),
        ("results", set(qawait.Layout.__struct_fields__)),
        ("execution-config", public(qawait.ExecutionConfig)),
        ("execution-config", set(qawait.Simulator.__members__)),
        ("execution-config", set(qawait.SimulationMethod.__members__)),
        ("run-result", public(qawait.RunResult)),
    ],
)
def test_what_users_call_is_in_the_reference(page: str, names: set[str]):
    names -= {"self", "circuits"}
    assert names
    text = REFERENCE[page]
    assert [name for name in sorted(names) if not re.search(rf"\b{name}\b", text)] == []


@pytest.mark.parametrize(
    "member", [*qawait.Simulator, *qawait.SimulationMethod], ids=lambda m: m.name
)
def test_every_code_is_the_documented_one(
    member: qawait.Simulator | qawait.SimulationMethod,
):
    page = REFERENCE["execution-config"]
    assert re.search(rf"`{member.name}` \| {member.value} \|", page)


def test_the_defaults_are_the_documented_ones():
    """Those of the three value objects, in seconds and in units of bytes."""
    units = {"answer_bytes": (2**20, " MiB"), "result_bytes": (2**30, " GiB")}
    for value in (qawait.Pace(), qawait.Limits(), qawait.Retry()):
        for name in value.__struct_fields__:
            size, unit = units.get(name, (1, ""))
            default = getattr(value, name)
            shown = "None" if default is None else f"{default / size:g}{unit}"
            row = rf"^\|.*`{name}`.* \| {re.escape(shown)}(: [^|]+)? \|$"
            assert re.search(row, REFERENCE["client"], re.MULTILINE), name


# --- conventions ----------------------------------------------------------------------


def test_every_convention_names_tests_that_exist():
    tests = "\n".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    names = re.findall(r"`(test_\w+)`", REFERENCE["conventions"])
    assert names
    assert [name for name in names if f"def {name}(" not in tests] == []


def test_every_convention_has_a_proof():
    rows = re.findall(r"^\|(.+)\|(.*)\|$", REFERENCE["conventions"], re.MULTILINE)
    lines = [proof for line, proof in rows if line.strip(" -")]
    assert lines
    assert all(re.search("`test_|proved by", proof) for proof in lines)


# --- environment ----------------------------------------------------------------------


OF_A_VENDOR = {"IQM_DEVICE_URL"}
"""Keys of a vendor's configuration, which look like variables and are none."""


def variables_read() -> set[str]:
    """Names of variables in the source: where one is asked for, or in a table."""
    asked = r"environ(?:ment)?(?:\.get\(|\[)\s*[\"'](\w+)[\"'](?!\] =)"
    named = r"[\"']((?:QAWAIT|IQM|QORO|XDG)_[A-Z_]+)[\"']"
    texts = [path.read_text() for path in SOURCES]
    return {
        name
        for text in texts
        for pattern in (asked, named)
        for name in re.findall(pattern, text)
    } - OF_A_VENDOR


def test_every_variable_read_is_documented_and_no_other():
    page = REFERENCE["environment"]
    documented = set(re.findall(r"`([A-Z]+(?:_[A-Z]+)+)`", page))
    read = variables_read()
    assert {"QORO_API_KEY", "XDG_STATE_HOME", "IQM_QUANTUM_COMPUTER"} <= read
    assert {"NO_COLOR", "FORCE_COLOR"} <= read
    short = {"COLUMNS", "SHELL"}
    assert all(f"`{name}`" in page for name in short)
    assert read - short == documented


# --- wire -----------------------------------------------------------------------------

ID = "0af3"


def calls(dialect: Dialect) -> list[tuple[str, str]]:
    """Method and path of what is asked about a job, and of its submission."""
    instruction = Instruction("measure", ("QB1",), {"key": "m"})
    native = Circuit("c", (instruction,))
    program = Program("c", "OPENQASM 2.0;")
    submission = Submission(
        circuits=(native if dialect.vendor == "iqm" else program,),
        shots=1,
        target=Target(name="ALIAS", qubits=1),
    )
    described = [
        dialect.open_job(submission),
        *dialect.uploads(ID, submission),
        dialect.status(ID),
        dialect.cancel(ID),
    ]
    if dialect.delete is not None:
        described.append(dialect.delete(ID))
    return [(call.method, call.path) for call in described]


@pytest.mark.parametrize(
    ("dialect", "heading"),
    [
        (V1, "IQM V1"),
        (V2_24, "IQM V2"),
        (V2, "IQM V2"),
        (STATION_30, "IQM station"),
        (STATION, "IQM station"),
        (SERVER, "IQM Server"),
        (QORO, "Qoro"),
    ],
    ids=lambda value: getattr(value, "name", value),
)
def test_every_request_about_a_job_is_on_the_page(dialect: Dialect, heading: str):
    section = REFERENCE["wire"].split(f"## {heading}\n")[1].split("\n## ")[0]
    for method, path in calls(dialect):
        shown = path.replace(ID, "{id}").replace("ALIAS", "{alias}")
        assert f"`{method} {shown}`" in section
    assert ("not supported" in section) == (dialect.delete is None)


# --- command line ---------------------------------------------------------------------


def test_every_command_and_option_is_documented_and_no_other():
    import click

    from qawait.cli.commands import qawait as group

    page = REFERENCE["command-line"]
    shared = page.split("## Which service")[1].split("\n## Exit codes")[0]
    headings = set(re.findall(r"^## qawait (\w+)$", page, re.MULTILINE))
    assert headings == set(group.commands)
    for name, command in group.commands.items():
        section = page.split(f"## qawait {name}\n")[1].split("\n## ")[0]
        own = set(re.findall(r"^\| `(--[\w-]+)", section, re.MULTILINE))
        common = set(re.findall(r"^(?:\| )?`(--[\w-]+)", shared, re.MULTILINE))
        options = {
            option
            for parameter in command.params
            if isinstance(parameter, click.Option)
            for option in parameter.opts
        }
        assert own <= options
        assert options <= own | common
