"""Text on its way to a terminal: harmless, and one line where a line is promised."""

from __future__ import annotations

import logging
import sys

__all__ = ["LogLines", "clean", "say", "with_plural"]

_LONGEST = 1000
"""Characters; a service may explain itself on many pages."""


def clean(text: str, longest: int | None = _LONGEST) -> str:
    """The text on one line and without anything that could steer a terminal.

    Services, files and their names are written by others. Line breaks become spaces,
    everything else that is not printable a question mark, escape sequences included.
    """
    line = " ".join(text.split())
    if longest is not None and len(line) > longest:
        line = line[: longest - 3] + "..."
    return "".join(c if c.isprintable() else "?" for c in line)


def say(text: str, longest: int | None = _LONGEST) -> None:
    """Write one line to standard error, where it cannot disturb what is piped on."""
    encoding = sys.stderr.encoding or "utf-8"
    line = clean(text, longest).encode(encoding, "replace").decode(encoding)
    sys.stderr.write(f"qawait: {line}\n")
    sys.stderr.flush()


def with_plural(count: int, noun: str) -> str:
    """A count with its noun: `1 job`, `2 jobs`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


class LogLines(logging.Handler):
    """Shows what the library warns of as one line each, as everything else."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record."""
        say(record.getMessage())
