"""The command `qawait`, made of the public library and nothing else.

Needs the extra `cli`, which is inside `local`. Commands import what they need when they
run, so that `qawait --help` answers at once.
"""

from __future__ import annotations

import importlib.util
import sys
from typing import TYPE_CHECKING

from qawait.errors import MissingExtra

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: What follows the program's name; None takes those of this process.

    Returns:
        The exit code: 0 done, 1 some circuit has no result, 2 an input, a setting or
        the service is at fault, 130 interrupted.
    """
    if any(importlib.util.find_spec(name) is None for name in ("click", "rich")):
        sys.stderr.write(f"qawait: {MissingExtra('the command line', 'local')}\n")
        return 2
    try:
        from qawait.cli.commands import qawait
        from qawait.cli.ending import exit_code

        given = sys.argv[1:] if arguments is None else list(arguments)
        return exit_code(qawait, given)
    except KeyboardInterrupt:
        # before or after the command itself, which has its own way to end
        return 130
