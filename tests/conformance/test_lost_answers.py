"""Where the vendors' clients submit twice or give up, we do not; the page says so.

The page is made by `python -m tests.conformance.lost_answers`; what is right is decided
here, by the ledgers.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conformance.lost_answers import (
    AN_ID,
    SERVICES,
    cell,
    measured,
    ours,
    table,
)

PAGE = Path(__file__).parents[2] / "docs" / "explanation" / "lost-answers.md"
UNCERTAIN = "SubmissionUncertain"


@pytest.mark.parametrize("name", SERVICES)
async def test_a_lost_answer_costs_us_no_second_job(name: str) -> None:
    """A program with a journal may be run again; one call never submits twice."""
    rivals, faults = SERVICES[name]
    rows = await ours(rivals[0].dialect, faults)
    assert len(rows) == 2 * len(faults)
    assert {row.once for row in rows} == {1}
    assert {row.again for row in rows if "journal" in row.client} == {1}
    for row in rows:
        lost = name == "IQM" and not row.fault.startswith("refused")
        assert row.gets == (UNCERTAIN if lost else AN_ID), row
        assert cell(row) in PAGE.read_text()


@pytest.mark.vendor
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", SERVICES)
async def test_the_page_says_what_is_measured(name: str) -> None:
    rivals, faults = SERVICES[name]
    rows = await measured(rivals, faults)
    assert table(rows) in PAGE.read_text(), table(rows)
    theirs = [row for row in rows if not row.client.startswith("qawait")]
    # who got no answer knows no id, and who asks again has a second job
    assert max(row.again for row in theirs) == 2
