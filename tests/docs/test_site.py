"""The site that Sphinx builds: what it would warn of, found out in no time.

The build itself is a line of `.ci/run`; a warning fails it.
"""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

import pytest

import qawait

DOCS = Path(__file__).parents[2] / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
LISTED = {path.stem: path.read_text() for path in DOCS.glob("reference/api/*.md")}
LISTS = re.compile(r"^\.\. auto(?:class|exception|function):: ([\w.]+)", re.MULTILINE)
WHOLE = re.compile(r"^\.\. automodule:: ([\w.]+)", re.MULTILINE)
LIMITS = (DOCS / "explanation" / "limits.md").read_text()


def children(page: Path) -> set[Path]:
    """The pages that a page's tables of contents name."""
    found = set[Path]()
    for table in re.findall(
        r"^```\{toctree\}\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL
    ):
        for entry in table.splitlines():
            if entry and not entry.startswith(":"):
                found |= {
                    path
                    for ending in (".md", ".ipynb")
                    for path in page.parent.glob(entry + ending)
                }
    return found - {page}


def test_every_page_is_in_a_table_of_contents():
    reached, waiting = set[Path](), [DOCS / "index.md"]
    while waiting:
        page = waiting.pop()
        if page not in reached:
            reached.add(page)
            waiting += children(page) if page.suffix == ".md" else []
    assert reached == {*PAGES, *DOCS.glob("notebooks/*.ipynb")}


def test_the_decisions_are_numbered_and_listed_in_order():
    folder = DOCS / "explanation" / "decisions"
    files = sorted(path.name for path in folder.glob("0*.md"))
    listed = re.findall(
        r"^(\d+)\. \[(.+)\]\((.+)\)$", (folder / "index.md").read_text(), re.M
    )
    assert [file for _, _, file in listed] == files
    for count, (number, title, file) in enumerate(listed, 1):
        assert int(number) == int(file[:4]) == count
        assert (folder / file).read_text().startswith(f"# {number}. {title}\n")


# --- the lists of the API ---------------------------------------------------------------


def listed() -> list[str]:
    """The names on the pages of the API, as they are written there."""
    named = [name for text in LISTED.values() for name in LISTS.findall(text)]
    for text in LISTED.values():
        for module in WHOLE.findall(text):
            named += [f"{module}.{name}" for name in import_module(module).__all__]
    return [name.removeprefix("qawait.") for name in named]


@pytest.mark.parametrize("name", qawait.__all__)
def test_every_public_name_is_on_a_page_of_the_api(name: str):
    """Add `.. autoclass:: NAME` or `.. autofunction:: NAME` to one of them."""
    places = [known for known in listed() if known.split(".")[-1] == name]
    module = rf"^\.\. (?:auto|current)module:: qawait\.{name}$"
    pages = [text for text in LISTED.values() if re.search(module, text, re.MULTILINE)]
    assert places or pages or name == "errors"


def test_no_name_is_listed_twice():
    names = listed()
    assert sorted(names) == sorted(set(names))


# --- what would be loaded from elsewhere ------------------------------------------------


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch):
    pytest.importorskip("sphinx")
    monkeypatch.syspath_prepend(str(DOCS / "extensions"))
    return import_module("self_contained").loaded_from_elsewhere


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ('<script async src="https://cdn.example/x.js">', "https://cdn.example/x.js"),
        ('<link rel="stylesheet" href="//fonts.example/a">', "//fonts.example/a"),
        ("<img alt='a' src='http://example.org/a.png'>", "http://example.org/a.png"),
        ("@import 'https://fonts.example/b';", "https://fonts.example/b"),
        ("src: url(https://fonts.example/c.woff2)", "https://fonts.example/c.woff2"),
    ],
)
def test_what_a_page_loads_from_another_host_is_found(loaded, text: str, address: str):
    assert loaded(text) == [address]


@pytest.mark.parametrize(
    "text",
    [
        '<a href="https://example.org">',
        '<script src="_static/x.js"></script><a href="https://example.org">',
        "url(data:image/png;base64,//8A)",
    ],
)
def test_what_a_reader_may_click_is_not(loaded, text: str):
    assert loaded(text) == []


# --- what the pages must say --------------------------------------------------------------


def test_the_benchmarks_begin_with_what_they_do_not_show():
    page = (DOCS / "explanation" / "benchmarks.md").read_text()
    first = page.split("## ")[1]
    assert first.startswith("What the numbers do not show\n")
    assert "|" not in first, "before the first figure"


def test_the_limits_are_those_of_the_code():
    from qawait._sweep.settings import Settings
    from qawait._transport import Limits
    from qawait.circuits.plain_qasm import LARGEST_REGISTER
    from qawait.circuits.source import LARGEST_SOURCE_BYTES
    from qawait.histograms.reading import MAX_BITS
    from qawait.measurement_decoder import MAX_CIRCUITS, MAX_KEYS

    limits = Limits()
    for words, number in {
        "circuits in one batch of results": f"{MAX_CIRCUITS:,}",
        "measurement keys in one batch of results": f"{MAX_KEYS:,}",
        "bits of one histogram's outcomes": f"{MAX_BITS:,}",
        "an OpenQASM file or text": f"{LARGEST_SOURCE_BYTES // 10**6} MB",
        "classical bits of one OpenQASM register": f"{LARGEST_REGISTER:,}",
        "one result, unpacked": f"{limits.result_bytes // 2**30} GiB",
        "any other answer": f"{limits.answer_bytes // 2**20} MiB",
        "connections at once": f"{limits.connections}",
        "points between a sweep's source and its loop": (
            f"{Settings().max_in_flight:,}"
        ),
    }.items():
        assert re.search(rf"^\| {words} \| {number}\b", LIMITS, re.MULTILINE), words


def test_every_figure_of_the_limits_has_a_benchmark_or_a_command():
    table = LIMITS.split("## How far it has been tried")[1].split("\n## ")[0]
    rows = [row for row in table.splitlines() if row.startswith("| ")][1:]
    assert rows
    for row in rows:
        command = row.split("|")[3].strip(" `").split()
        if command[0] == "python":
            assert import_module(command[2]).__doc__
        else:
            from qawait.cli.commands import qawait as group

            assert command[1] in group.commands
