"""Plays blocks of Python as the cells of a notebook, page by page.

Reads a JSON object of pages and their blocks from standard input, and writes one of the
same pages with what went wrong, or null. Runs as a script: pages read files and change
the working directory, which a test must not.
"""

from __future__ import annotations

import ast
import asyncio
import contextlib
import inspect
import io
import json
import os
import sys
import tempfile
import traceback
from typing import Any


def play(blocks: list[str], runner: asyncio.Runner) -> str | None:
    """Run blocks in one namespace; what went wrong, and in which of them.

    What awaits nothing runs beside the event loop, as in a script.
    """
    namespace: dict[str, Any] = {"__name__": "__page__"}
    for block in blocks:
        code = compile(block, "<page>", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        try:
            outcome = eval(code, namespace)  # noqa: S307 (a page of ours)
            if inspect.iscoroutine(outcome):
                runner.run(outcome)
        except Exception:
            return f"{block}\n{traceback.format_exc()}"
    return None


def main() -> None:
    errors: dict[str, str | None] = {}
    for page, blocks in json.load(sys.stdin).items():
        with (
            tempfile.TemporaryDirectory() as here,
            contextlib.redirect_stdout(io.StringIO()),
            asyncio.Runner() as runner,
        ):
            os.chdir(here)
            errors[page] = play(blocks, runner)
            os.chdir("/")
    json.dump(errors, sys.stdout)


if __name__ == "__main__":
    main()
