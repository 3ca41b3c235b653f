"""What is drawn: the numbers in the artists, the labels, and what is said of bad input."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from math import sqrt
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure
from tests.plotted import a_job

from qawait import errors, plot
from qawait._sweep.point import Point
from qawait.layout import Layout
from qawait.model import (
    CircuitRecord,
    Manifest,
)
from qawait.results import Result


@pytest.fixture
def ax() -> Any:
    return Figure().add_subplot()


@pytest.fixture(autouse=True)
def _settings_stay_as_they_are() -> Iterator[None]:
    before = dict(mpl.rcParams)
    yield
    assert dict(mpl.rcParams) == before


def of_rows(*rows: list[int], label: str = "bell", simulated: bool = False) -> Any:
    """A circuit's result; each row of bits is a shot, column j is bit j."""
    bits = np.array(rows, dtype=np.uint8)
    width = bits.shape[1]
    layout = Layout((("c", width),), tuple(("m", column) for column in range(width)))
    record = CircuitRecord(label=label, shots=len(rows), layout=layout)
    manifest = Manifest(circuits=(record,), simulated=simulated)
    return Result.of_shots([{"m": bits}], manifest, job_id="j-1")[0]


def point(shots: list[list[int]] | None, **params: float) -> Point:
    error = None if shots else errors.JobFailed("too hot", job_id="j-1")
    found = of_rows(*shots) if shots else None
    return Point(key="k", index=0, params=params, result=found, error=error)


# --- counts ---------------------------------------------------------------------------


def test_bars_are_as_high_as_the_counts_in_ascending_order(ax: Any):
    shots = [[1, 0, 0]] * 5 + [[0, 0, 1]] * 3 + [[0, 0, 0]]
    assert plot.counts(of_rows(*shots, simulated=True), ax) is ax
    assert [bar.get_height() for bar in ax.patches] == [1, 5, 3]
    assert [t.get_text() for t in ax.get_xticklabels()] == ["000", "001", "100"]
    assert ax.get_title() == "bell: 9 shots (simulated)"
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("outcome", "shots")


def test_hardware_is_not_called_simulated(ax: Any):
    plot.counts(of_rows([1]), ax)
    assert ax.get_title() == "bell: 1 shot"


def test_shares_have_their_standard_errors(ax: Any):
    plot.counts(of_rows([0], [1], [1], [1]), ax, probabilities=True)
    assert [bar.get_height() for bar in ax.patches] == [0.25, 0.75]
    [bars] = [c for c in ax.containers if c.__class__.__name__ == "ErrorbarContainer"]
    [segment, _] = bars[2][0].get_segments()
    half = sqrt(0.25 * 0.75 / 4)
    assert segment[:, 1] == pytest.approx([0.25 - half, 0.25 + half])
    assert ax.get_ylabel() == "share of the shots"


def test_of_many_outcomes_the_most_frequent_are_shown_and_the_rest_told(ax: Any):
    rows = [[1, 1]] * 6 + [[0, 1]] * 3 + [[0, 0]]
    plot.counts(of_rows(*rows), ax, most=2)
    assert [t.get_text() for t in ax.get_xticklabels()] == ["10", "11"]
    assert "the 2 most frequent of 3; the others have 10% of the shots" in (
        ax.get_xlabel()
    )


def test_long_outcomes_stand_beside_bars_that_lie(ax: Any):
    rows = [[1] + [0] * 19] * 2 + [[0] * 19 + [1]] * 7
    plot.counts(of_rows(*rows), ax)
    assert [bar.get_width() for bar in ax.patches] == [2, 7]
    labels = [t.get_text() for t in ax.get_yticklabels()]
    assert labels == ["0" * 19 + "1", "1" + "0" * 19]
    top, bottom = reversed(ax.get_ylim())
    assert top < bottom, "the first outcome is at the top"


def test_outcomes_too_long_to_read_are_hexadecimal(ax: Any):
    plot.counts(of_rows([1, 1] + [0] * 98), ax)
    assert [t.get_text() for t in ax.get_yticklabels()] == ["0x" + "0" * 24 + "3"]


def test_several_circuits_stand_side_by_side(ax: Any):
    first = of_rows([0], [1], [1], label="a")
    second = of_rows([1], label="b")
    plot.counts([first, second], ax)
    assert [bar.get_height() for bar in ax.patches] == [1, 2, 0, 1]
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["a", "b"]
    assert len({bar.get_facecolor() for bar in ax.patches}) == 2


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (None, "not nothing"),
        ([], "not list"),
        ({"00": 1}, "not dict"),
        (errors.JobFailed("x", job_id="j"), r"not an error \(JobFailed\)"),
        ([of_rows([1])] * 8, "at most 7 circuits side by side, not 8"),
        ([of_rows([1]), of_rows([1, 0])], "different lengths"),
    ],
)
def test_what_has_no_counts_is_said_in_one_sentence(wrong: Any, said: str):
    with pytest.raises(errors.ConfigurationError, match=said) as caught:
        plot.counts(wrong)
    assert "\n" not in str(caught.value)


def test_a_job_is_to_be_awaited_first():
    with pytest.raises(errors.ConfigurationError, match="await the job first"):
        plot.counts(a_job("j-1"))  # pyright: ignore[reportArgumentType]


def test_what_is_no_axes_is_refused():
    with pytest.raises(errors.ConfigurationError, match=r"Axes .*, not Figure"):
        plot.counts(of_rows([1]), Figure())  # pyright: ignore[reportArgumentType]


def test_without_matplotlib_the_extra_is_named():
    """In a process of its own, where it cannot be imported."""
    code = """
import sys
sys.modules["matplotlib"] = None
import qawait
assert qawait.plot.counts
try:
    qawait.plot.timeline([])
except qawait.ConfigurationError:
    pass
from qawait.plot.canvas import axes_for
try:
    axes_for("plot.counts", None)
except qawait.MissingExtra as error:
    print(error)
"""
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert ran.stdout == "plot.counts needs an extra: pip install 'qawait[plot]'\n"


def test_axes_of_ones_own_need_no_pyplot():
    code = """
import sys
import tests.unit.test_plot as here
assert "matplotlib.pyplot" not in sys.modules
here.plot.counts(here.of_rows([1]), here.Figure().add_subplot())
assert "matplotlib.pyplot" not in sys.modules
"""
    root = Path(__file__).parents[2]
    subprocess.run([sys.executable, "-c", code], check=True, cwd=root)


# --- sweeps ---------------------------------------------------------------------------


def test_one_parameter_is_a_line_with_error_bars(ax: Any):
    up, down = [0, 0], [1, 0]
    points = [
        point([up, down, down, down], gamma=0.5),
        point([up] * 4, gamma=0.25),
        point(None, gamma=0.75),
    ]
    plot.sweep(points, value="IZ", ax=ax)
    [line, *_] = ax.lines
    assert list(line.get_xdata()) == [0.25, 0.5]
    assert list(line.get_ydata()) == [1.0, -0.5]
    [bars] = [c for c in ax.containers if c.__class__.__name__ == "ErrorbarContainer"]
    _, segment = bars[2][0].get_segments()
    half = points[0].result.expectation("IZ")[1]  # pyright: ignore[reportOptionalMemberAccess]
    assert segment[:, 1] == pytest.approx([-0.5 - half, -0.5 + half])
    [missing] = [line for line in ax.lines if line.get_marker() == "x"]
    assert list(missing.get_xdata()) == [0.75]
    assert ax.get_xlabel() == "gamma (rad)"
    assert ax.get_title() == "2 points, 4 shots each, 1 without a result"


def test_two_parameters_are_a_heat_map(ax: Any):
    points = [
        point([[0]] * 2, gamma=1.0, beta=0.0),
        point([[1]] * 2, gamma=2.0, beta=0.0),
        point([[0], [1]], gamma=1.0, beta=5.0),
        point(None, gamma=2.0, beta=5.0),
    ]
    plot.sweep(points, "beta", "gamma", value="1", ax=ax, unit="")
    [mesh, crosses] = ax.collections
    table = mesh.get_array()
    assert table.filled(-1).tolist() == [[0.0, 0.5], [1.0, -1]]
    assert crosses.get_offsets().tolist() == [[5.0, 2.0]]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("beta", "gamma")
    assert ax.figure.axes[1].get_ylabel() == "share of 1"


def test_points_that_are_equal_in_the_parameters_drawn_are_averaged(ax: Any):
    points = [
        point([[0], [0], [0], [1]], gamma=1.0, beta=0.0),
        point([[1], [1], [1], [0]], gamma=1.0, beta=9.0),
        point([[0]] * 4, gamma=2.0, beta=9.0),
    ]
    plot.sweep(points, "gamma", value=lambda r: (r.counts().get("1", 0), 3.0), ax=ax)
    [line, *_] = ax.lines
    assert list(line.get_ydata()) == [2.0, 0.0]
    [bars] = [c for c in ax.containers if c.__class__.__name__ == "ErrorbarContainer"]
    first, second = bars[2][0].get_segments()
    assert first[1, 1] - 2.0 == pytest.approx(sqrt(18) / 2)
    assert second[1, 1] == pytest.approx(3.0)


def test_parity_is_of_all_bits_that_were_measured(ax: Any):
    plot.sweep([point([[1, 1], [1, 1]], a=0.0), point([[1, 0]] * 2, a=1.0)], ax=ax)
    assert list(ax.lines[0].get_ydata()) == [1.0, -1.0]
    assert ax.get_ylabel() == "parity"


def test_a_parameter_that_never_changes_is_no_axis(ax: Any):
    points = [point([[1]], gamma=g, beta=0.5, depth=3.0) for g in (0.0, 1.0)]
    plot.sweep(points, ax=ax)
    assert ax.get_xlabel() == "gamma (rad)"


def test_points_that_make_no_grid_are_scattered(ax: Any):
    points = [point([[n % 2]], a=float(n), b=float(n * n)) for n in range(9)]
    plot.sweep(points, value="Z", ax=ax)
    [dots] = ax.collections
    assert dots.get_offsets()[2].tolist() == [2.0, 4.0]
    assert dots.get_array().tolist()[:3] == [1.0, -1.0, 1.0]


@pytest.mark.parametrize(
    ("points", "about", "said"),
    [
        ([], {}, "there are no points yet"),
        ([point(None, gamma=1.0)], {}, "none of the 1 points has a result yet"),
        ([point([[1]])], {}, "have no parameters"),
        ([point([[1]], gamma=1.0)], {"names": ["delta"]}, "'delta'; there are: gamma"),
        (
            [point([[1]], a=n, b=n, c=n) for n in (0.0, 1.0)],
            {},
            "one parameter or two different ones: name them, among a, b, c",
        ),
        ([point([[1]], gamma=1.0)], {"value": "01"}, "has 2 digits"),
        ([point([[1]], gamma=1.0)], {"value": 7}, "not int"),
        ([point([[1]], gamma=1.0)], {"value": lambda r: "high"}, "not 'high'"),
        ("night.qawait", {}, r"qawait\.read\(path\)"),
        ([{"gamma": 1.0}], {}, "not dict"),
    ],
)
def test_a_sweep_that_cannot_be_drawn_is_said_in_one_sentence(
    points: Any, about: dict[str, Any], said: str
):
    names = about.pop("names", ())
    with pytest.raises(errors.ConfigurationError, match=said) as caught:
        plot.sweep(points, *names, **about)
    assert "\n" not in str(caught.value)
