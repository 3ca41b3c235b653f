"""How a command ends: every failure one line on standard error, and an exit code."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import sys
from typing import TYPE_CHECKING

import click
from click.exceptions import NoArgsIsHelpError

from qawait.cli.text import LogLines, say
from qawait.errors import (
    AuthenticationError,
    CircuitError,
    ConfigurationError,
    ConnectFailed,
    Error,
    JobError,
    MissingExtra,
    PermissionDenied,
    ProtocolError,
    RequestTimeout,
    ResponseError,
    TlsFailed,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "BAD_INPUT",
    "EXIT_CODES",
    "INTERRUPTED",
    "NO_RESULT",
    "ServiceFailed",
    "exit_code",
    "remedy",
]

EXIT_CODES = {
    0: "everything has a result",
    1: "some circuit has no result, a check failed, something is open or damaged",
    2: "an input, a setting or the service is at fault, in one line",
    130: "interrupted; jobs already sent go on",
}
"""What the exit codes mean; each command's help says it of itself."""
NO_RESULT = 1
"""The exit code where some circuit or job has no result."""
BAD_INPUT = 2
"""The exit code where an input, a setting or the service is at fault."""
INTERRUPTED = 130
"""The exit code after Ctrl-C, as shells have it: 128 + SIGINT."""


class ServiceFailed(click.ClickException):
    """What a service, or the way to it, did wrong, with the service's name."""

    def __init__(self, service: str, error: Error, tokens: str) -> None:
        super().__init__(f"{service}: {error}{remedy(error, tokens)}")
        self.error = error


def remedy(error: Error, tokens: str) -> str:
    """What to do about it, unless the error says so itself."""
    match error:
        case AuthenticationError():
            return f"; put a valid token into {tokens}"
        case PermissionDenied():
            return f"; the account of the token in {tokens} may not do this"
        case TlsFailed():
            return "; is it the right host, and does this machine trust it?"
        case ConnectFailed():
            return "; is the address right, and is the service running?"
        case RequestTimeout():
            return "; try again later"
        case ResponseError(status=404):
            return "; is the address right?"
        case ProtocolError() if "address" not in str(error):
            return "; is the address right?"
        case _:
            return ""


def exit_code(command: click.Command, arguments: Sequence[str]) -> int:
    """Run a command to its exit code; only a fault of qawait itself shows a traceback."""
    log = logging.getLogger("qawait")
    handler = LogLines(logging.WARNING)
    log.addHandler(handler)
    # what asyncio finds open after a second Ctrl-C helps nobody
    logging.getLogger("asyncio").addHandler(logging.NullHandler())
    try:
        code = command.main(
            args=list(arguments), prog_name="qawait", standalone_mode=False
        )
        sys.stdout.flush()
    except NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return BAD_INPUT
    except click.UsageError as error:
        path = error.ctx.command_path if error.ctx else "qawait"
        said = f"{error.format_message().rstrip('.')}; see {path} --help"
        return _told(arguments, error, [said])
    except click.ClickException as error:
        cause = error.error if isinstance(error, ServiceFailed) else error
        return _told(arguments, cause, [error.format_message()])
    except (KeyboardInterrupt, click.Abort):
        say("interrupted")
        return INTERRUPTED
    except BrokenPipeError:
        # the reader of a pipe has seen enough; Python must not complain at its own end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return NO_RESULT
    except OSError as error:
        # the disk is full, a directory may not be written
        said = f"{error.filename or 'input or output'}: {error.strerror or error}"
        return _told(arguments, error, [said])
    except Error as error:
        return _told(arguments, error, _lines(error))
    finally:
        log.removeHandler(handler)
    return code if isinstance(code, int) else 0


def _told(arguments: Sequence[str], error: Exception, lines: list[str]) -> int:
    """Say what was wrong, and with `--json` as a document too."""
    for line in lines:
        say(line)
    if "--json" in arguments:
        document = {
            "type": type(error).__name__,
            "message": "\n".join(lines),
            "exit_code": BAD_INPUT,
        }
        for name in ("job_id", "outcome", "resume"):
            if isinstance(error, JobError):
                document[name] = getattr(error, name)
        # one line, as that of `serve`; what cannot be written is no further failure
        with contextlib.suppress(OSError):
            sys.stdout.write(json.dumps({"error": document}) + "\n")
            sys.stdout.flush()
    return BAD_INPUT


def _lines(error: Error) -> list[str]:
    """One line; one more for each circuit where several cannot be used."""
    match error:
        case MissingExtra():
            return [str(error)]
        case CircuitError():
            return [f"{error}; nothing was sent"]
        case ConfigurationError():
            first, *others = str(error).splitlines() or [""]
            if others:
                return [f"{first.rstrip(':')}; nothing was sent", *others]
            return [first]
        case _:
            return [str(error)]
