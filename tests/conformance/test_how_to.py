"""The programs of the how-to page run as they stand, in the vendors' environments."""

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

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "test-vendor-code-offline.md"
PROGRAMS = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(), re.M | re.S)
ENVIRONMENTS = {
    "iqm-client 28": "iqm28",
    "iqm-client 36": "iqm36",
    "qoro-divi 0.15": "divi15",
}
"""By the first line of a program."""


@pytest.mark.parametrize("number", range(len(PROGRAMS)))
def test_a_program_of_the_page_prints_what_it_says(
    number: int, service: LocalService
) -> None:
    program = PROGRAMS[number].replace("http://127.0.0.1:8400", service.url)
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
