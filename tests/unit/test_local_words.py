"""Every release of iqm-client gets words that it knows; and the small readers."""

from __future__ import annotations

import click
import pytest

from qawait.cli.serve import serve
from qawait.errors import ConfigurationError
from qawait.local.__main__ import seconds
from qawait.local.border import is_own_host
from qawait.local.jobs import Stage
from qawait.local.options import ServeOptions
from qawait.local.rate_limit import RATE_LIMITS
from qawait.local.targets import CHIPS, SQUARE20
from qawait.local.user_agents import iqm_client, v1_word

ENDS = {"ready", "failed"}
KNOWN = {
    "6.0": {"pending"},
    "12.0": {"pending compilation", "pending execution"},
    "13.4": {"pending compilation", "pending execution", "aborted"},
    "17.8": {"pending compilation", "pending execution", "aborted"},
    "18.8": {"received", "processing", "pending execution", "aborted"},
    "22.16": {"received", "processing", "pending execution", "aborted"},
    "24.3": {"received", "processing", "pending execution", "aborted"},
    "25.5": {"received", "processing", "pending_execution", "aborted"},
    "26.0.0": {
        "received",
        "compilation_started",
        "execution_pending",
        "execution_started",
        "aborted",
    },
    "27.0": {"received", "processing", "pending_execution", "aborted"},
    "28.0.0": {"received", "processing", "pending_execution", "aborted"},
}
"""Of the words that a release accepts those that may be used. Wire reference §4.2."""


@pytest.mark.parametrize("release", KNOWN)
def test_a_release_gets_no_word_that_stops_it(release: str) -> None:
    agent = f"Linux, python 3.11.7, iqm-client {release}, qiskit 1.0"
    words = {v1_word(stage, agent) for stage in Stage if stage is not Stage.OPEN}
    assert words == KNOWN[release] | ENDS


def test_another_agent_gets_the_words_in_full() -> None:
    assert v1_word(Stage.COMPILING, "curl/8") == "pending compilation"
    assert v1_word(Stage.RUNNING, "curl/8") == "pending execution"
    assert iqm_client("python-requests/2.34") is None


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2s", 2.0),
        ("250ms", 0.25),
        ("0.5", 0.5),
        ("10", 10.0),
        ("2min", 120.0),
        ("1h", 3600.0),
    ],
)
def test_a_duration_is_read_in_its_unit(text: str, value: float) -> None:
    assert seconds(text) == value


@pytest.mark.parametrize("text", ["", "s", "-1s", "1d", "1 s", "nan", "\u0662s"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"^"):
        seconds(text)


@pytest.mark.parametrize(
    "options",
    [
        {"host": "0.0.0.0"},
        {"host": "192.168.1.4"},
        {"port": 70000},
        {"service_time": -1.0},
        {"service_time": float("nan")},
        {"servers": 0},
        {"workers": 0},
        {"target": "garnet"},
    ],
)
def test_options_that_cannot_be_right_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(ConfigurationError):
        ServeOptions(**options)  # pyright: ignore


def test_the_command_line_offers_every_target_and_every_rate_limit() -> None:
    offered = {
        option.name: option.type.choices
        for option in serve.params
        if isinstance(option.type, click.Choice)
    }
    assert offered["target"] == tuple(CHIPS)
    assert offered["rate_limit"] == tuple(RATE_LIMITS)


def test_a_host_needs_the_right_port() -> None:
    assert is_own_host("127.0.0.1:8080", 8080)
    assert is_own_host("127.0.0.1", 80)
    assert not is_own_host("127.0.0.1:80", 8080)
    assert not is_own_host("127.0.0.1:8080", None)


def test_the_figures_of_square20_stay_the_same() -> None:
    figures = {figure.name: figure for figure in SQUARE20.metrics()}
    t1 = figures["characterization.model.QB7.t1_time"]
    cz = figures["metrics.irb.cz.tgss.QB1__QB2.fidelity:par=d2"]
    assert (t1.unit, cz.unit) == ("s", "")
    assert t1.value == pytest.approx(4.520444592647255e-05, rel=1e-12)
    assert cz.value == pytest.approx(0.9945597194950097, rel=1e-12)
