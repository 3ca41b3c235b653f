"""Files that are on their way: nobody can know their names, or put a link there."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

from qawait.testing.recording import Recording, write

SOURCES = Path(__file__).parents[2] / "src"
BY_A_RANDOM_NAME = {"TemporaryDirectory", "mkdtemp", "mkstemp"}
LINKS = pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege")


def _taken_from_tempfile(source: Path) -> set[str]:
    """What a module uses of `tempfile`."""
    text = source.read_text()
    if "tempfile" not in text:
        return set()
    tree = ast.parse(text)
    imported = {
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == "tempfile"
        for alias in node.names
    }
    return imported | {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "tempfile"
    }


def test_every_temporary_file_has_a_random_name_and_is_made_anew():
    """Ruff's S108 and S306 refuse fixed paths and `mktemp`; this refuses the rest."""
    used = {source: _taken_from_tempfile(source) for source in SOURCES.rglob("*.py")}
    assert any(used.values())
    others = {str(s): names - BY_A_RANDOM_NAME for s, names in used.items()}
    assert {source: names for source, names in others.items() if names} == {}


@LINKS
def test_a_recording_does_not_follow_a_link_in_its_place(tmp_path: Path):
    victim, place = tmp_path / "victim", tmp_path / "recorded"
    victim.write_text("kept")
    place.symlink_to(victim)
    recording = Recording(service="http://q", dialect=None, exchanges=[])
    write(place, recording, "2026-11-22T00:00:00Z")
    assert victim.read_text() == "kept"
    assert not place.is_symlink()
    assert "qawait_recording" in place.read_text()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["recorded", "victim"]
