"""What `qawait doctor` looks at on this machine."""

from __future__ import annotations

import importlib.util
import os
import platform
import re
import sys
from importlib import metadata
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from msgspec import Struct

from qawait.cli.disk import NETWORK, look_at

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["FAIL", "OK", "WARN", "Check", "disk", "proxy", "simulator", "versions"]

OK, WARN, FAIL = "ok", "warn", "fail"

_CORE = ("aiohttp", "anyio", "msgspec", "numpy")
_EXTRAS = ("click", "rich", "qiskit", "qiskit-aer", "matplotlib", "pandas", "xarray")
_NEWEST_TESTED = (3, 13)
_LITTLE, _TOO_LITTLE = 2**30, 64 * 2**20
"""Bytes; a night of sweeps writes some hundred million."""
_PROXIES = ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")


class Check(Struct, frozen=True, kw_only=True):
    """One thing that was looked at."""

    name: str
    verdict: str
    """`ok`, `warn` or `fail`."""
    said: str
    """What was found."""
    advice: str | None = None
    """What to do about it; None where there is nothing to do."""
    service: str | None = None
    """The service that it is about; None for this machine."""


def versions() -> list[Check]:
    """Python, qawait, and what they are made of."""
    from qawait import __version__

    python = sys.version_info[:2]
    tested = python <= _NEWEST_TESTED
    newest = ".".join(map(str, _NEWEST_TESTED))
    found = [
        Check(
            name="python",
            verdict=OK if tested else WARN,
            said=f"{platform.python_version()} on {platform.system()}"
            f" {platform.machine()}",
            advice=None if tested else f"qawait is tested up to Python {newest}",
        )
    ]
    wanted = _wanted()
    here = [f"qawait {__version__}"]
    old: list[str] = []
    for name in _CORE:
        version = _version(name)
        here.append(f"{name} {version or 'missing'}")
        if version is None or _numbers(version) < _numbers(wanted.get(name, "0")):
            old.append(f"{name}>={wanted.get(name, '0')}")
    found.append(
        Check(
            name="packages",
            verdict=FAIL if old else OK,
            said=", ".join(here),
            advice=f"pip install {' '.join(map(repr, old))}" if old else None,
        )
    )
    extras = [f"{n} {v}" for n in _EXTRAS if (v := _version(n)) is not None]
    absent = [name for name in _EXTRAS if _version(name) is None]
    said = ", ".join(extras)
    if absent:
        said += f"; not installed: {', '.join(absent)}"
    found.append(Check(name="extras", verdict=OK, said=said))
    return found


def _wanted() -> dict[str, str]:
    """The oldest version of each dependency that will do, as the metadata say."""
    try:
        lines = metadata.requires("qawait") or []
    except metadata.PackageNotFoundError:
        return {}
    found = (re.match(r"([\w-]+)>=([\d.]+)", line) for line in lines)
    return {match[1]: match[2] for match in found if match}


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, re.findall(r"\d+", version)[:3]))


def disk(directory: Path) -> Check:
    """Whether journals can be kept where they go."""
    if not directory.is_absolute():
        return Check(
            name="journals",
            verdict=FAIL,
            said="there is no home directory",
            advice="set XDG_STATE_HOME to a directory on a local disk",
        )
    found = look_at(directory)
    kind = found.kind or "unknown file system"
    said = f"{directory} ({kind}, {found.free_bytes / 2**30:.1f} GiB free)"
    elsewhere = "set XDG_STATE_HOME to a directory on a local disk, or name a journal"
    verdict, advice = OK, None
    if found.problem is not None:
        verdict, said = FAIL, f"{said}: {found.path}: {found.problem}"
        advice = elsewhere
    elif found.free_bytes < _TOO_LITTLE:
        verdict, advice = FAIL, f"make room, or {elsewhere}"
    elif found.kind in NETWORK:
        verdict = WARN
        advice = (
            f"{found.kind} is a disk of another machine, on which a lock or a commit "
            f"may be lost: {elsewhere}"
        )
    elif found.free_bytes < _LITTLE:
        verdict, advice = WARN, "there is little room left"
    elif found.kind in ("tmpfs", "ramfs"):
        verdict, advice = WARN, f"{found.kind} is gone at a restart: {elsewhere}"
    return Check(name="journals", verdict=verdict, said=said, advice=advice)


def proxy() -> Check:
    """Whether there is a proxy that others would use, and qawait does not."""
    for name in _PROXIES:
        if value := os.environ.get(name):
            # what stands before the host may be a password
            host = urlsplit(value).hostname or "a proxy"
            return Check(
                name="proxy",
                verdict=WARN,
                said=f"{name} names {host}, and commands do not use it",
                advice="if services can be reached by it only, name it in a program: "
                "qawait.connect(proxy=...)",
            )
    return Check(name="proxy", verdict=OK, said="none in the environment, none used")


def simulator() -> Check:
    """Whether circuits can run on this machine."""
    absent = [
        name for name in ("qiskit", "qiskit_aer") if not importlib.util.find_spec(name)
    ]
    if absent:
        return Check(
            name="simulator",
            service="local",
            verdict=FAIL,
            said=f"{' and '.join(absent)} not installed",
            advice="pip install 'qawait[local]'",
        )
    return Check(
        name="simulator", service="local", verdict=OK, said="Qiskit Aer is installed"
    )
