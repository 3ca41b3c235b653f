"""The programs of the how-to pages run as they stand, in the vendors' environments."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.conformance.environments import vendor_python
from tests.conformance.service import clean_environment

if TYPE_CHECKING:
    from tests.service.running import LocalService

pytestmark = [pytest.mark.vendor, pytest.mark.timeout(900)]

HOW_TO = Path(__file__).parents[2] / "docs" / "how-to"
ENVIRONMENTS = {
    "iqm-client 28": "iqm28",
    "iqm-client 36": "iqm36",
    "qoro-divi 0.14": "divi14",
    "qoro-divi 0.15": "divi15",
}
"""By the first line of a program; those of qawait are run in `tests/docs`."""
PROGRAMS = [
    (page, code)
    for page in (
        "test-vendor-code-offline",
        "migrate-from-iqm-client",
        "migrate-from-qoro-divi",
    )
    for code in re.findall(
        r"^```python\n(.*?)^```$", (HOW_TO / f"{page}.md").read_text(), re.M | re.S
    )
    if not code.startswith("# qawait\n")
]
TABLES = {
    "migrate-from-iqm-client": ("iqm", ("iqm28", "iqm36")),
    "migrate-from-qoro-divi": ("divi", ("divi14", "divi15")),
}
"""The vendor's package, and the environments whose releases a page is about."""
NOT_THE_VENDORS = {"asdict", "fields", "get_backend", "replace", "run", "transpile"}
"""Names in the left column that are Python's or Qiskit's, or in both."""


@pytest.mark.parametrize(
    ("page", "program"),
    PROGRAMS,
    ids=[f"{page}-{n}" for n, (page, _) in enumerate(PROGRAMS)],
)
def test_a_program_of_the_page_prints_what_it_says(
    page: str, program: str, service: LocalService
) -> None:
    program = program.replace("http://127.0.0.1:8400", service.url)
    client = program.splitlines()[0].removeprefix("# ")
    finished = subprocess.run(
        [str(vendor_python(ENVIRONMENTS[client])), "-c", program],
        env=clean_environment(IQM_TOKEN=service.token, QORO_API_KEY=service.token),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr[-4000:]
    promised = re.findall(r"print\(.*\)  # (?:\w+: )?(.+)$", program, re.M)
    assert promised
    for words in promised:
        assert words in finished.stdout


@pytest.mark.parametrize("page", TABLES)
def test_every_call_in_the_left_column_is_one_of_the_vendors(page: str) -> None:
    """In the source of one of the releases, as a definition or a field."""
    package, environments = TABLES[page]
    source = "\n".join(
        path.read_text(errors="replace")
        for name in environments
        for path in vendor_python(name)
        .parents[1]
        .glob(f"lib/*/site-packages/{package}")
        for path in path.rglob("*.py")
    )
    text = (HOW_TO / f"{page}.md").read_text()
    table = text.split("## Line by line\n")[1].split("\n## ")[0]
    rows = [row.split("|")[1] for row in table.splitlines() if row.startswith("| ")][1:]
    called = {name for row in rows for name in re.findall(r"\b(\w+)\(", row)}
    given = {name for row in rows for name in re.findall(r"\b(\w+)=", row)}
    assert len(called) > 10
    named = (called | given) - NOT_THE_VENDORS
    missing = {
        name
        for name in named
        if not re.search(rf"\b(?:def|class) {name}\b|\b{name}\b *[:=]", source)
    }
    assert missing == set()
