"""The vendors' environments are built whole or not at all, with a Python that runs."""

from __future__ import annotations

import fcntl
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from tests.conformance import environments
from tests.conformance.environments import (
    EnvironmentUnavailable,
    find_python,
    pythons,
    vendor_python,
)

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty cache, a pin that no index has, and no index to ask."""
    monkeypatch.setattr(environments, "CACHE", tmp_path / "cache")
    monkeypatch.setattr(environments, "REQUIREMENTS", {"moon": ("moon-client==1",)})
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    return tmp_path / "cache"


def shim(folder: Path, text: str) -> str:
    folder.mkdir()
    path = folder / "python3.11"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


def test_the_running_python_comes_first_then_those_on_path(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    there = shim(tmp_path / "a", "")
    monkeypatch.setenv("PATH", str(tmp_path / "a"))
    assert list(pythons()) == [sys.executable, there]


def test_a_shim_that_does_not_run_is_passed_over(tmp_path: Path) -> None:
    """pyenv has a shim for every version, also for those that are switched off."""
    off = shim(tmp_path / "a", "echo 'pyenv: python3.11: command not found'; exit 127")
    on = shim(tmp_path / "b", """echo '["right", "there", "3.11.4"]'""")
    assert find_python([off, on]) == ("right", "there", "3.11.4")


def test_no_python_at_all_is_one_line_that_says_what_to_install(tmp_path: Path) -> None:
    new = shim(tmp_path / "a", """echo '["new", "there", "3.13.0"]'""")
    with pytest.raises(
        EnvironmentUnavailable, match=r"python3\.11 or python3\.12"
    ) as e:
        find_python([new])
    assert "\n" not in str(e.value)


@pytest.mark.vendor
def test_a_failed_build_is_one_line_and_leaves_nothing(cache: Path) -> None:
    with pytest.raises(EnvironmentUnavailable, match="moon-client==1") as e:
        vendor_python("moon")
    assert "\n" not in str(e.value)
    assert [path.suffix for path in cache.iterdir()] == [".lock"]


@pytest.mark.usefixtures("cache")
def test_a_failed_build_is_tried_twice_and_then_remembered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A network that fails for a moment costs nothing, one that is gone costs once."""
    built: list[str] = []

    def build(home: Path, *_: object) -> None:
        built.append(home.name)
        raise EnvironmentUnavailable(f"no route to the index, try {len(built)}")

    monkeypatch.setattr(environments, "_build", build)
    for _ in range(3):
        with pytest.raises(EnvironmentUnavailable, match="try 2"):
            vendor_python("moon")
    assert len(built) == 2


def test_a_build_that_succeeds_at_the_second_try_is_used(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    built: list[str] = []

    def build(home: Path, *_: object) -> None:
        built.append(home.name)
        if len(built) == 1:
            raise EnvironmentUnavailable("the connection was reset")
        (home / "bin").mkdir(parents=True)
        (home / "bin" / "python").touch()

    monkeypatch.setattr(environments, "_build", build)
    assert vendor_python("moon") == cache / built[0] / "bin" / "python"
    assert len(built) == 2


@pytest.mark.vendor
def test_two_runs_at_once_build_one_environment(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second waits for the lock and finds what the first has built."""
    built: list[str] = []
    second = threading.Thread(target=vendor_python, args=("moon",))

    def build(home: Path, *_: object) -> None:
        built.append(home.name)
        if len(built) > 1:
            return
        second.start()
        with (
            home.with_suffix(".lock").open("w") as lock,
            pytest.raises(BlockingIOError),
        ):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        (home / "bin").mkdir(parents=True)
        (home / "bin" / "python").touch()

    monkeypatch.setattr(environments, "_build", build)
    interpreter = vendor_python("moon")
    second.join()
    assert len(built) == 1
    assert interpreter == cache / built[0] / "bin" / "python"
