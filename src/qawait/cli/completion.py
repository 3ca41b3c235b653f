"""`qawait completion`, and what is completed: services, targets, jobs, journals, files.

Jobs, targets and services are those of the journals on this machine; nobody is asked.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem, get_completion_class

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from qawait.journal.reading import Reading

__all__ = ["completion", "files", "job_ids", "journal_paths", "services", "targets"]

_SHELLS = ("bash", "zsh", "fish")
_WHERE = {
    "bash": 'eval "$(qawait completion bash)"    in ~/.bashrc',
    "zsh": 'eval "$(qawait completion zsh)"    in ~/.zshrc, after compinit',
    "fish": "qawait completion fish > ~/.config/fish/completions/qawait.fish",
}
_JOURNALS, _JOBS = 20, 200
"""The newest ones that are looked through; who presses a key does not wait."""
_CHIPS = ("square20", "star")


@click.command()
@click.argument("shell", type=click.Choice(_SHELLS), required=False)
def completion(shell: str | None) -> int:
    """Print what a shell needs to complete commands, options, jobs and journals.

    Without a shell it says where to put it. Services, targets and job ids are those of
    the journals on this machine.

    \b
    Examples:
      eval "$(qawait completion bash)"          (in ~/.bashrc)
      eval "$(qawait completion zsh)"           (in ~/.zshrc)
      qawait completion fish > ~/.config/fish/completions/qawait.fish

    \b
    Exit codes: 0 printed, 2 no such shell.
    """  # noqa: D301
    if shell is None:
        used = Path(os.environ.get("SHELL", "")).name
        for name in _SHELLS if used not in _SHELLS else (used,):
            click.echo(f"{name}:  {_WHERE[name]}")
        return 0
    from qawait.cli.commands import qawait

    kind = get_completion_class(shell)
    assert kind is not None
    click.echo(kind(qawait, {}, "qawait", "_QAWAIT_COMPLETE").source())
    return 0


# --- what is completed ----------------------------------------------------------------


def files(
    _: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Names of files; the shell looks them up."""
    return [CompletionItem(incomplete, type="file")]


def services(
    _: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Services that journals name, and the ways to write one."""
    known = ["local", "qoro:", "iqm:"]
    if named := os.environ.get("QAWAIT_SERVICE"):
        known.insert(0, named)
    known[:0] = _unique(filter(None, map(_service_of, _readings())))
    return _items(_unique(known), incomplete)


def targets(
    _: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Machines and clusters that journals name, and the simulators of this machine."""
    known = [r.identity.target for r in _readings() if r.identity is not None]
    return _items(_unique((*known, *_CHIPS)), incomplete)


def job_ids(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Ids of jobs in journals, the newest first; of the service that is named, if any."""
    service = context.params.get("service") or os.environ.get("QAWAIT_SERVICE")
    found: list[CompletionItem] = []
    for reading in _readings():
        if service and _service_of(reading) not in (None, service.rstrip("/")):
            continue
        for job in reversed(reading.jobs):
            if job.job_id and job.job_id.startswith(incomplete):
                tag = f", {job.tag}" if job.tag else ""
                told = f"{job.target}, {job.circuits} circuits{tag}"
                found.append(CompletionItem(job.job_id, help=told))
                if len(found) >= _JOBS:
                    return found
    # what is no id may be a journal
    return found or journal_paths(context, parameter, incomplete)


def journal_paths(
    _: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Directories, as journals are; the shell looks them up."""
    return [CompletionItem(incomplete, type="dir")]


def _service_of(reading: Reading) -> str | None:
    from qawait.journal.records import EMBEDDED

    owner = reading.identity
    if owner is None or owner.endpoint == EMBEDDED:
        return None
    kind = "qoro" if owner.dialect.startswith("qoro") else "iqm"
    return f"{kind}:{owner.endpoint.rstrip('/')}"


def _readings() -> Iterator[Reading]:
    """The journals in the state directory, the newest first; what is damaged is not."""
    from qawait.errors import JournalError
    from qawait.journal.home import journal_directory, journals
    from qawait.journal.reading import read

    try:
        paths = journals(journal_directory())
    except OSError:
        return
    for path in paths[-_JOURNALS:][::-1]:
        try:
            yield read(path)
        except (JournalError, OSError):
            continue


def _unique(texts: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(texts))


def _items(texts: Iterable[str], incomplete: str) -> list[CompletionItem]:
    return [CompletionItem(text) for text in texts if text.startswith(incomplete)]
