"""`python -m qawait.local`: the service as a process of its own."""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

__all__ = ["main", "seconds"]


def seconds(text: str) -> float:
    """A duration such as `2s`, `250ms`, `1h` or `0.5`, in seconds.

    Raises:
        ValueError: It is none.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s|min|h|)", text, re.ASCII)
    if match is None:
        raise ValueError(text)
    number, unit = float(match[1]), match[2]
    if unit == "ms":
        return number / 1000
    return number * {"min": 60.0, "h": 3600.0}.get(unit, 1.0)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m qawait.local",
        description="Simulated quantum services on this machine, for IQM's and Qoro's"
        " clients. The token comes from QAWAIT_TOKEN, or is drawn.",
    )
    add = parser.add_argument
    add("--host", default="127.0.0.1", help="a loopback address (%(default)s)")
    add("--port", type=int, default=0, help="0 takes a free one (%(default)s)")
    add("--json", action="store_true", help="tell the address and the token as JSON")
    add("--tokens-file", type=Path, help="a new file for the token, not the output")
    add("--store", type=Path, help="the file that keeps the jobs")
    add("--private-store", action="store_true", help="forget the jobs at the end")
    add("--null", action="store_true", help="random results at once, no simulation")
    add("--service-time", type=seconds, help="how long each job takes, such as 2s")
    add("--service-time-cv", type=float, help="their spread over their mean (0)")
    add("--clock", choices=("real", "virtual"), help="virtual jumps over service times")
    add("--servers", type=int, default=1, help="jobs side by side at that pace")
    add("--workers", type=int, help="simulator processes (one for each core)")
    add("--simulate-on", help="a Dask scheduler whose workers simulate, tcp://...")
    add("--seed", type=int, help="the same jobs give the same samples")
    add("--target", help="the IQM chip: square20 or star (square20)")
    add("--rate-limit", choices=("iqm",), help="refuse too many requests as IQM does")
    add("--faults", help="what goes wrong, such as drop_reply:0.05@submit,503:#3@poll")
    add("--broken", help="promises that Qoro's dialect breaks, such as P1,P4")
    add("--follow-stdin", action="store_true", help="end when standard input ends")
    return parser


def main() -> int:
    """Serves until told to end; 2 if it cannot."""
    arguments = _parser().parse_args()
    # Late, because every worker process imports this module again.
    from qawait.errors import ConfigurationError
    from qawait.local.faults.promises import read_promises
    from qawait.local.faults.script import read_faults
    from qawait.local.options import ServeOptions
    from qawait.local.rate_limit import RATE_LIMITS
    from qawait.local.server import serve

    given = {
        name: value for name, value in vars(arguments).items() if value is not None
    }
    if "rate_limit" in given:
        given["rate_limit"] = RATE_LIMITS[given["rate_limit"]]
    try:
        if "faults" in given:
            given["faults"] = read_faults(given["faults"])
        if "broken" in given:
            given["broken"] = read_promises(given["broken"])
        serve(ServeOptions(**given))
    except ConfigurationError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
