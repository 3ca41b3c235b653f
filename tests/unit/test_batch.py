from __future__ import annotations

from typing import Any

import pytest

from qawait._batch import is_light
from qawait.iqm import Circuit, Instruction

MEASURE = Instruction("measure", ("QB1",), {"key": "m"})
SMALL = Circuit("small", (MEASURE,) * 10)


@pytest.mark.parametrize(
    ("circuits", "light"),
    [
        (SMALL, True),
        ([SMALL] * 50, True),
        ([SMALL] * 51, False),
        (Circuit("large", (MEASURE,) * 501), False),
        ([SMALL, "OPENQASM 2.0;"], False),
        ("OPENQASM 2.0;", False),
        ({"label": SMALL}, False),
    ],
    ids=["one", "500", "510", "501 in one", "mixed", "text", "labelled"],
)
def test_only_a_few_native_instructions_are_prepared_on_the_loop(
    circuits: Any, light: bool
):
    assert is_light(circuits) is light
