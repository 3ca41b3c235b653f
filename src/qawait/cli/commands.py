"""The commands under one name."""

from __future__ import annotations

import click

from qawait.cli.demo import demo
from qawait.cli.explain import explain
from qawait.cli.jobs import jobs
from qawait.cli.journal import journal
from qawait.cli.results import results
from qawait.cli.resume import resume
from qawait.cli.run import run
from qawait.cli.serve import serve
from qawait.cli.status import cancel, status
from qawait.cli.sweep import sweep

__all__ = ["qawait"]


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="qawait", message="%(prog)s %(version)s")
def qawait() -> None:
    """Await your quantum jobs: circuits in, counts out.

    \b
    Examples:
      qawait demo
      qawait run circuits/*.qasm --shots 1000 --out results/
      qawait run bell.qasm --service iqm:https://resonance.meetiqm.com --target garnet
      qawait run bell.qasm --service qoro: --json
      qawait serve
      qawait status ID --service qoro:

    \b
    Environment:
      QAWAIT_SERVICE            the service where --service does not say
      QAWAIT_TOKEN              its token; or by vendor:
      IQM_TOKEN, QORO_API_KEY   (never given as an argument: others would see it)
      IQM_TOKENS_FILE           IQM's tokens file
      NO_COLOR                  no colours

    \b
    Exit codes:
      0    everything has a result
      1    some circuit or job has none; the table gives the reason
      2    an input, a setting or the service is at fault, in one line
      130  interrupted; jobs already sent go on
    """  # noqa: D301


for _command in (
    run,
    sweep,
    demo,
    serve,
    status,
    results,
    cancel,
    journal,
    resume,
    jobs,
    explain,
):
    qawait.add_command(_command)
