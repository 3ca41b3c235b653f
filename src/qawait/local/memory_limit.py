"""How much memory a simulator process may take."""

from __future__ import annotations

import os
import sys
from pathlib import Path

__all__ = ["limit_memory"]

_SHARE = 0.75
"""Of the machine's memory: the rest is for whoever works on it."""


def limit_memory(most_bytes: int | None = None) -> None:
    """Bound what this process may take from now on, where the system can (Linux).

    A job that needs more then fails with a sentence, instead of making the machine swap
    or the kernel end some other program. What is loaded or reserved already counts on
    top, since libraries reserve much more than they use.

    Args:
        most_bytes: The bound; None is three quarters of the machine's memory.
    """
    if sys.platform != "linux":
        return
    import resource

    page = os.sysconf("SC_PAGE_SIZE")
    if most_bytes is None:
        most_bytes = int(os.sysconf("SC_PHYS_PAGES") * page * _SHARE)
    reserved = int(Path("/proc/self/statm").read_text().split()[0]) * page
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    wanted = reserved + most_bytes
    # whoever started the service may have set a tighter one
    given = [limit for limit in (soft, hard) if limit != resource.RLIM_INFINITY]
    resource.setrlimit(resource.RLIMIT_AS, (min(wanted, *given, wanted), hard))
