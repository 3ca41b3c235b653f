"""The pytest plugin: a service for each test, its faults and clock, recorded answers.

A project asks for it with `pytest_plugins = ["qawait.testing"]` in its `conftest.py`, and
not by an entry point: with one pytest would load it in every run of every project in the
same environment, and rewrite all modules of qawait. Nothing but pytest is imported here
until a test asks for a fixture.
"""

from __future__ import annotations

import re
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from qawait.testing.replayer import Recorded
    from qawait.testing.running import LocalService

_T = TypeVar("_T")

__all__ = ["pytest_addoption", "pytest_configure", "qawait_recording", "qawait_service"]

_MARKER = (
    "qawait(faults=..., rate_limit=..., service_time=..., clock=..., ...): how the"
    " service of the fixture qawait_service is to be; takes what qawait.testing.service"
    " takes, and environment=False to set no variables"
)
_OWN = {"environment", "redact"}
"""What the marker takes that is no option of a service."""
_STATE = "XDG_STATE_HOME"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds the settings of the plugin."""
    parser.getgroup("qawait").addoption(
        "--qawait-record",
        metavar="SERVICE",
        help="Record anew what tests with the fixture qawait_recording ask: iqm:URL or"
        " qoro:URL, with a token as the service takes it.",
    )
    parser.addini(
        "qawait_recordings",
        "Directory of recordings, from the directory of each test file.",
        default="recordings",
    )
    parser.addini(
        "qawait_scope",
        "test: a service of its own for each test; session: one for all tests that ask"
        " for nothing but faults.",
        default="test",
    )
    parser.addini(
        "qawait_simulate",
        "Run circuits on the simulator, instead of drawing results at random.",
        type="bool",
        default=False,
    )


def pytest_configure(config: pytest.Config) -> None:
    """Makes the marker known."""
    config.addinivalue_line("markers", _MARKER)


@pytest.fixture
def qawait_service(
    request: pytest.FixtureRequest, tmp_path: Path
) -> Generator[LocalService]:
    """A quantum service on this machine, for clients of every kind.

    It is a `qawait.testing.LocalService`. While the test runs, the variables by which
    vendors' clients, `qawait` and this library find a service and its token are set.
    The marker `qawait` says how it is to be.
    """
    options = _asked(request)
    environment = options.pop("environment", True)
    options.pop("redact", None)
    with _running(request, options) as there:
        variables: dict[str, str] = {_STATE: str(tmp_path)}
        if environment:
            variables |= there.environment
        with _variables(variables, there.unset if environment else ()):
            yield there


@pytest.fixture(scope="session")
def _qawait_session_service(request: pytest.FixtureRequest) -> Generator[LocalService]:
    from qawait.testing.beside import serving

    with serving(simulate=request.config.getini("qawait_simulate")) as there:
        yield there


@pytest.fixture
def qawait_recording(
    request: pytest.FixtureRequest, tmp_path: Path
) -> Generator[Recorded]:
    """What a real service answered to this test when it was recorded.

    It is a `qawait.testing.Recorded`. The file has the test's name; it is written by
    `pytest --qawait-record SERVICE`, with a token in the environment as ever.
    """
    from qawait.testing.replayer import ANY_TOKEN

    asked = _asked(request)
    real: str | None = request.config.getoption("--qawait-record")
    path, redact = _recording_of(request), asked.get("redact", ())
    with _recorded(path, real, redact, request) as there:
        variables: dict[str, str] = {_STATE: str(tmp_path)}
        unset: tuple[str, ...] = ()
        if asked.get("environment", True):
            variables |= there.environment
            if real is None:
                # while it is recorded, the token is the user's own
                tokens = ("IQM_TOKEN", "QORO_API_KEY", "QAWAIT_TOKEN")
                variables |= dict.fromkeys(tokens, ANY_TOKEN)
                unset = ("IQM_TOKENS_FILE",)
        with _variables(variables, unset):
            yield there
        if there.refused:
            pytest.fail("\n".join(there.refused), pytrace=False)


# --- what a test asks for -------------------------------------------------------------


def _asked(request: pytest.FixtureRequest) -> dict[str, Any]:
    """What the markers say; the one that is closest to the test wins."""
    asked: dict[str, Any] = {}
    for marker in request.node.iter_markers("qawait"):
        if marker.args:
            pytest.fail(
                f"@pytest.mark.qawait takes names, such as faults=..., and not"
                f" {marker.args[0]!r}",
                pytrace=False,
            )
        asked = {**marker.kwargs, **asked}
    names = _option_names() | _OWN
    for name in asked:
        if name not in names:
            pytest.fail(
                f"@pytest.mark.qawait knows no {name!r}; it takes"
                f" {', '.join(sorted(names))}",
                pytrace=False,
            )
    return asked


def _option_names() -> set[str]:
    from qawait.testing.inside import ServiceOptions

    return set(ServiceOptions.__annotations__)


@contextmanager
def _running(
    request: pytest.FixtureRequest, options: dict[str, Any]
) -> Generator[LocalService]:
    from qawait.testing.beside import serving

    scope = request.config.getini("qawait_scope")
    if scope not in ("test", "session"):
        pytest.fail(f"qawait_scope is test or session, not {scope!r}", pytrace=False)
    with ExitStack() as stack:
        if scope == "session" and set(options) <= {"faults", "seed"}:
            there: LocalService = request.getfixturevalue("_qawait_session_service")
            if script := options.get("faults"):
                _entered(stack, there.faults(script, seed=options.get("seed", 0)))
            # what the test itself sets ends with it
            stack.callback(there.set_faults, None)
        else:
            simulate = request.config.getini("qawait_simulate")
            there = _entered(stack, serving(**{"simulate": simulate, **options}))
        yield there


def _entered(stack: ExitStack, given: AbstractContextManager[_T]) -> _T:
    """What a context gives; what it cannot be made of fails the test in one sentence."""
    from qawait.errors import ConfigurationError

    try:
        return stack.enter_context(given)
    except ConfigurationError as error:
        said = str(error)
    pytest.fail(said, pytrace=False)


def _recording_of(request: pytest.FixtureRequest) -> Path:
    """The file of a test's recording: beside the test, and of its name."""
    test = Path(request.node.path)
    name = re.sub(r"[^\w.-]+", "-", request.node.nodeid.rpartition("::")[2]).strip("-")
    directory = test.parent / request.config.getini("qawait_recordings")
    return directory / f"{test.stem}-{name}.jsonl"


class _Failed(Exception):
    """The test has failed, so that its recording is not to be kept."""


@contextmanager
def _recorded(
    path: Path, real: str | None, redact: Sequence[str], request: pytest.FixtureRequest
) -> Generator[Recorded]:
    if real is None and not path.exists():
        pytest.fail(
            f"there is no recording {path}; make it with:"
            f" pytest --qawait-record iqm:URL '{request.node.nodeid}'",
            pytrace=False,
        )
    failed = request.session.testsfailed
    with suppress(_Failed), ExitStack() as stack:
        if real is None:
            from qawait.testing.replayer import replay

            there = _entered(stack, replay(path, redact=redact))
        else:
            from qawait.testing.recorder import record

            there = _entered(stack, record(path, real, redact=redact))
        yield there
        if request.session.testsfailed > failed:
            raise _Failed


@contextmanager
def _variables(values: Mapping[str, str], unset: Sequence[str]) -> Generator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name in unset:
            patch.delenv(name, raising=False)
        for name, value in values.items():
            patch.setenv(name, value)
        yield
