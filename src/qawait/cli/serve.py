"""`qawait serve`: the local service in the foreground."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["serve"]


class _Seconds(click.ParamType[float]):
    name = "duration"

    def convert(
        self, value: str, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        from qawait.local.__main__ import seconds

        try:
            return seconds(value)
        except ValueError:
            self.fail(
                f"{value!r} is no duration: write 2s, 250ms, 1h or 0.5", param, ctx
            )


class _Read(click.ParamType[Any]):
    """Text that a function of ours reads, or refuses with a sentence."""

    def __init__(self, name: str, read: Callable[[str], Any]) -> None:
        self.name = name
        self._read = read

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Any:
        from qawait.errors import ConfigurationError

        try:
            return self._read(value)
        except ConfigurationError as error:
            self.fail(str(error), param, ctx)


def _faults(text: str) -> Any:
    from qawait.local.faults import read_faults

    return read_faults(text)


def _promises(text: str) -> Any:
    from qawait.local.faults.promises import read_promises

    return read_promises(text)


@click.command()
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=0,
    metavar="N",
    help="0 takes a free one.  [default: 0]",
)
@click.option(
    "--tokens-file",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="A new file that holds the token while the service runs, for its owner only;"
    " the token is then not shown.",
)
@click.option(
    "--store",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Where the jobs are kept.  [default: in the user's state directory]",
)
@click.option(
    "--null",
    is_flag=True,
    help="Answer every job at once with random results and simulate nothing.",
)
@click.option(
    "--service-time",
    type=_Seconds(),
    metavar="TIME",
    help="How long a machine takes for a job, such as 2s, 250ms or 1h."
    "  [default: as long as the simulation]",
)
@click.option(
    "--service-time-cv",
    type=click.FloatRange(min=0),
    default=0.0,
    metavar="X",
    help="Spread of the service times, as a share of their mean.  [default: 0]",
)
@click.option(
    "--clock",
    type=click.Choice(["real", "virtual"]),
    default="real",
    help="virtual: jump over a job's service time when somebody asks for it, and forget"
    " all jobs at the end.  [default: real]",
)
@click.option(
    "--servers",
    type=click.IntRange(min=1),
    default=1,
    metavar="N",
    help="Jobs side by side where there is a service time.  [default: 1]",
)
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    metavar="N",
    help="Simulator processes.  [default: one for each core]",
)
@click.option(
    "--simulate-on",
    metavar="ADDRESS",
    help="A Dask scheduler whose workers simulate, such as tcp://10.0.0.5:8786."
    "  [default: processes of this machine]",
)
@click.option(
    "--target",
    type=click.Choice(["square20", "star"]),
    default="square20",
    help="The IQM chip: a lattice, or a star around a resonator.  [default: square20]",
)
@click.option(
    "--rate-limit",
    type=click.Choice(["iqm"]),
    help="Refuse too many requests for a while, as IQM does.",
)
@click.option(
    "--faults",
    type=_Read("script", _faults),
    metavar="SCRIPT",
    help="What goes wrong, such as drop_reply:0.05@submit,503:#3@poll,slow:2s@results.",
)
@click.option(
    "--broken",
    type=_Read("promises", _promises),
    metavar="P1,...",
    help="Promises that Qoro's dialect does not keep, of P1 to P4.",
)
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    metavar="N",
    help="The same submissions give the same samples, and meet the same faults."
    "  [default: new ones each time]",
)
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help='Tell the address as one line of JSON, {"url": ..., "token": ...}.',
)
def serve(
    port: int,
    tokens_file: Path | None,
    store: Path | None,
    null: bool,
    service_time: float | None,
    service_time_cv: float,
    clock: str,
    servers: int,
    workers: int | None,
    simulate_on: str | None,
    target: str,
    rate_limit: str | None,
    faults: tuple[Any, ...] | None,
    broken: frozenset[str] | None,
    seed: int | None,
    as_json: bool,
) -> int:
    """Run a quantum service on this machine, with a real simulator behind it.

    It speaks IQM's Server api/v1 and V2 at its address, V1 below /cocos, the station's
    dialect below /station and Qoro's below /api, to their vendors' own clients too. It
    takes requests from this machine only, and keeps its jobs when it is started again.
    Its token is that of QAWAIT_TOKEN, or a new one, and is shown at the start.
    With --tokens-file it is in a file instead.

    \b
    Examples:
      qawait serve --port 8400
      QAWAIT_TOKEN=... qawait run bell.qasm --service iqm:http://127.0.0.1:8400
      QAWAIT_TOKEN=... qawait run bell.qasm --service qoro:http://127.0.0.1:8400/api
      qawait serve --service-time 2s --servers 1      (a queue with that pace)
      qawait serve --null --service-time 1h --clock virtual    (hours, without waiting)
      qawait serve --target star                      (qubits around a resonator)
      qawait serve --port 8400 --tokens-file token    (for commands of the same user)
      qawait run bell.qasm --service iqm:http://127.0.0.1:8400 --tokens-file token
      qawait serve --null                             (for load tests)
      qawait serve --simulate-on tcp://10.0.0.5:8786  (on the workers of a cluster)
      qawait serve --faults drop_reply:0.05@submit --seed 1    (answers get lost)
    """  # noqa: D301
    from qawait.local.options import ServeOptions
    from qawait.local.rate_limit import RATE_LIMITS
    from qawait.local.server import serve as serve_until_told_to_end

    if workers is not None and simulate_on is not None:
        raise click.UsageError("--simulate-on uses all workers of the cluster")
    given: dict[str, Any] = {} if workers is None else {"workers": workers}
    serve_until_told_to_end(
        ServeOptions(
            port=port,
            tokens_file=tokens_file,
            store=store,
            null=null,
            service_time=service_time,
            service_time_cv=service_time_cv,
            clock=clock,
            servers=servers,
            simulate_on=simulate_on,
            target=target,
            rate_limit=None if rate_limit is None else RATE_LIMITS[rate_limit],
            faults=faults or (),
            broken=broken or frozenset(),
            seed=seed,
            json=as_json,
            **given,
        )
    )
    return 0
