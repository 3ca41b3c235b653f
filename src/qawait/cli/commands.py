"""The commands under one name."""

from __future__ import annotations

import click

from qawait.cli.chaos import chaos
from qawait.cli.completion import completion
from qawait.cli.config import config
from qawait.cli.demo import demo
from qawait.cli.doctor import doctor
from qawait.cli.explain import explain
from qawait.cli.jobs import jobs
from qawait.cli.journal import journal
from qawait.cli.plot import plot
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
      qawait doctor

    \b
    Environment:
      QAWAIT_SERVICE            the service where --service does not say
      QAWAIT_TOKEN              its token; or by vendor:
      IQM_TOKEN, QORO_API_KEY   (never given as an argument: others would see it)
      IQM_TOKENS_FILE           IQM's tokens file
      XDG_STATE_HOME            where journals are kept  [default: ~/.local/state]
      NO_COLOR, FORCE_COLOR     no colours; colours also where there is no terminal

    \b
    Exit codes:
      0    everything has a result
      1    some circuit has no result, a check failed, something is open or damaged
      2    an input, a setting or the service is at fault, in one line
      130  interrupted; jobs already sent go on
    """  # noqa: D301


_COMMANDS: dict[click.Command, str] = {
    run: "Run OpenQASM 2 and 3 files, each as a job of its own.",
    sweep: "Run one circuit at every point of a grid.",
    demo: "Map the landscape of a QAOA circuit, on this machine.",
    serve: "Run a quantum service on this machine.",
    chaos: "Kill a program that sweeps, and count what that cost.",
    status: "Say how jobs stand, or everything in a journal.",
    results: "Wait for jobs and show their counts.",
    cancel: "Ask the service to cancel jobs.",
    journal: "Look into a journal, check and export it.",
    resume: "Follow the jobs of a journal to their end.",
    jobs: "List what your programs have sent, the newest first.",
    explain: "Say what is open in a journal, and how to go on.",
    plot: "Draw what a journal holds.",
    doctor: "Look for what stands in the way of using a service.",
    config: "Show every setting and where it came from.",
    completion: "Print what a shell needs to complete commands.",
}
"""Each in a line that the list of commands has room for."""

for _command, _summary in _COMMANDS.items():
    _command.short_help = _summary
    qawait.add_command(_command)
