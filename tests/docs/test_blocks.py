"""Every block of Python on a page is run: as a file, a program, or cell by cell."""

from __future__ import annotations

import inspect
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.docs.settings import (
    EVERYWHERE,
    READERS_OWN,
    REPLACED,
    SCRIPT,
    SETTINGS,
)
from tests.service.running import running

import qawait
import qawait.dask
from qawait.iqm import dialects

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.service.running import LocalService

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]

PATIENCE = 280
"""Seconds that all pieces together may take on a very busy machine; 15 is usual."""

pytestmark = pytest.mark.timeout(PATIENCE + 20)

BLOCK = re.compile(
    r"^(?P<quoted><!-- \S+\.py -->\n)?```python\n(?P<code>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
VENDOR = re.compile(r"# (?:iqm-client|qoro-divi) ")
PRINTED = re.compile(r"print\(.*\)  # (.+)$", re.MULTILINE)


def name(page: Path) -> str:
    return str(page.relative_to(DOCS if DOCS in page.parents else ROOT))


def is_signature(code: str) -> bool:
    """Whether it shows how something is called, with its defaults."""
    return "=None, " in code


def is_source(code: str) -> bool:
    """Whether it shows lines of the source."""
    return "_V2(name=" in code


def blocks(page: Path) -> list[str]:
    """What is neither a quoted example nor a program of a vendor's client."""
    found = BLOCK.finditer(page.read_text())
    own = [block["code"] for block in found if not block["quoted"]]
    return [code for code in own if not VENDOR.match(code)]


def programs(page: Path) -> list[str]:
    """Whole programs of qawait, which say so in their first line."""
    return [code for code in blocks(page) if code.startswith("# qawait\n")]


def is_test(code: str) -> bool:
    """Whether it is a part of a reader's own tests."""
    return "def test_" in code or "pytest_plugins" in code


def cells(page: Path) -> list[str]:
    """Pieces, which are played one after the other like cells of a notebook."""
    return [
        code
        for code in blocks(page)
        if not code.startswith(("# qawait\n", "import asyncio\n"))
        and not (is_signature(code) or is_source(code) or is_test(code))
    ]


@pytest.fixture(scope="module")
def service() -> Iterator[LocalService]:
    with running() as service:
        yield service


def environment(service: LocalService, home: Path) -> dict[str, str]:
    """A newcomer's, with the local service's token."""
    kept = {key: os.environ[key] for key in ("PATH", "TMPDIR") if key in os.environ}
    token = {"IQM_TOKEN": service.token, "QORO_API_KEY": service.token}
    return {**kept, **token, "HOME": str(home), "PYTHONUTF8": "1"}


# --- programs ---------------------------------------------------------------------------

PROGRAMS = [(page, code) for page in PAGES for code in programs(page)]


@pytest.mark.parametrize(
    ("page", "code"),
    PROGRAMS,
    ids=[f"{name(page)}-{n}" for n, (page, _) in enumerate(PROGRAMS)],
)
def test_a_program_of_a_page_prints_what_it_says(
    page: Path, code: str, service: LocalService, tmp_path: Path
):
    ran = subprocess.run(
        [sys.executable, "-c", code.replace("http://127.0.0.1:8400", service.url)],
        env=environment(service, tmp_path),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=55,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stderr == ""
    promised = PRINTED.findall(code)
    assert promised
    lines = iter(ran.stdout.splitlines())
    missing = [words for words in promised if not any(x.endswith(words) for x in lines)]
    assert missing == [], ran.stdout


# --- pieces -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def played(
    service: LocalService, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str | None]:
    """What went wrong on each page, all of which are played in one process."""
    script = {}
    for page in PAGES:
        if pieces := cells(page):
            before, after = SETTINGS.get(name(page), ("", ""))
            for written, meant in REPLACED.get(name(page), ()):
                pieces = [code.replace(written, meant) for code in pieces]
            script[name(page)] = [
                code.replace("<url>", service.url)
                for code in (EVERYWHERE, before, *pieces, after)
            ]
    ran = subprocess.run(
        [sys.executable, Path(__file__).with_name("playing.py")],
        input=json.dumps(script),
        env={
            **environment(service, tmp_path_factory.mktemp("home")),
            "IQM_SERVER_URL": service.url,
            "MPLBACKEND": "agg",
        },
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


@pytest.mark.parametrize("page", [name(page) for page in PAGES if cells(page)])
def test_the_pieces_of_a_page_run(page: str, played: dict[str, str | None]):
    """After the page's setting, in `settings.py`: write one for a new page."""
    assert played[page] is None, played[page]


def test_every_setting_is_of_a_page_with_pieces():
    with_pieces = {name(page) for page in PAGES if cells(page)}
    assert SETTINGS.keys() <= with_pieces
    assert REPLACED.keys() <= with_pieces


# --- a reader's tests -------------------------------------------------------------------

READERS = [page for page in PAGES if any(map(is_test, blocks(page)))]


@pytest.mark.parametrize("page", READERS, ids=name)
def test_the_tests_of_a_page_pass(page: Path, service: LocalService, tmp_path: Path):
    """With a recording made first, from the local service, for those that replay one."""
    written = filter(is_test, blocks(page))
    plugins, *tests = sorted(written, key=lambda code: "pytest_plugins" not in code)
    (tmp_path / "conftest.py").write_text(plugins)
    (tmp_path / "my_script.py").write_text(SCRIPT)
    (tmp_path / "bell.qasm").write_text((DOCS / "examples" / "bell.qasm").read_text())
    (tmp_path / "pyproject.toml").write_text('[tool.pytest]\nanyio_mode = "auto"\n')
    (tmp_path / "test_file.py").write_text("\n\n".join([READERS_OWN, *tests]))
    said = environment(service, tmp_path)
    pytest_here = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    for arguments in (
        ["--qawait-record", f"iqm:{service.url}", "-k", "my_analysis"],
        [],
    ):
        ran = subprocess.run(
            [*pytest_here, *arguments],
            env=said,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert ran.returncode == 0, ran.stdout
        said = {key: words for key, words in said.items() if "TOKEN" not in key}
    passed = re.search(r"^(\d+) passed", ran.stdout, re.MULTILINE)
    assert passed is not None
    assert int(passed[1]) == sum(code.count("def test_") for code in tests)


# --- what is shown and not run --------------------------------------------------------------

CALLS = {
    "reference/client.md": qawait.connect,
    "reference/dask.md": qawait.dask.sweep,
    "reference/sweep.md": qawait.Client.sweep,
}


def test_signatures_are_shown_for_what_is_known_here():
    shown = {
        name(page) for page in PAGES for code in blocks(page) if is_signature(code)
    }
    assert shown == CALLS.keys()


@pytest.mark.parametrize("page", CALLS)
def test_a_signature_on_a_page_names_real_arguments(page: str):
    [code] = filter(is_signature, blocks(DOCS / page))
    shown = re.findall(r"(\w+)=(?!=)", code.split(" as ")[0])
    call = CALLS[page]
    names = set(inspect.signature(call).parameters)
    if "options" in names:
        from qawait._sweep.settings import SweepOptions

        names |= SweepOptions.__annotations__.keys()
    assert shown
    assert set(shown) <= names


def test_source_that_a_page_shows_is_in_the_source():
    text = inspect.getsource(dialects)
    shown = [code for page in PAGES for code in blocks(page) if is_source(code)]
    assert shown
    assert all(line in text for code in shown for line in code.splitlines())
