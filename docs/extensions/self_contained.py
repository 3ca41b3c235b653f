"""Fails the build if a page would ask another host for anything."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from sphinx.util import logging

if TYPE_CHECKING:
    from sphinx.application import Sphinx

_LOADED = re.compile(
    r"<(?:script|link|img|iframe|source|audio|video|embed|object)\b[^>]*?"
    r"\b(?:src|href|srcset|data)=[\"']?((?:https?:)?//[^\"'\s>]+)",
    re.IGNORECASE,
)
_IMPORTED = re.compile(r"(?:@import|url\()\s*[\"']?((?:https?:)?//[^\"')\s]+)")

_log = logging.getLogger(__name__)


def loaded_from_elsewhere(text: str) -> list[str]:
    """The addresses that a page or a style sheet loads something from by itself.

    Links that a reader may click are none of them.
    """
    return _LOADED.findall(text) + _IMPORTED.findall(text)


def check(app: Sphinx, error: Exception | None) -> None:
    """Warn of each such address, which `-W` makes an error."""
    if error is not None or app.builder.format != "html":
        return
    for path in sorted(Path(app.outdir).rglob("*")):
        if path.suffix in {".css", ".html"}:
            for address in loaded_from_elsewhere(path.read_text()):
                page = path.relative_to(app.outdir)
                _log.warning("%s would load %s", page, address, type="self_contained")


def setup(app: Sphinx) -> dict[str, bool]:
    """Look when everything is written."""
    app.connect("build-finished", check)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
