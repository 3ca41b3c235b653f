"""Forked processes that say lines into a pipe and can be killed at any moment."""

from __future__ import annotations

import logging
import os
import select
import signal
import time
import traceback
from typing import TYPE_CHECKING

from qawait.errors import Error, JournalLocked

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["CRASHED", "DONE", "INTERRUPTED", "REFUSED", "Forked", "side_by_side"]

DONE, CRASHED, REFUSED, INTERRUPTED = 0, 70, 75, 130
"""How a process ends that is not killed; REFUSED by the lock of its journal."""


class Forked:
    """A copy of this process in which a program runs; as a context it does not outlive it.

    It starts in a millisecond, with everything loaded. Whoever forks has one thread only.

    Attributes:
        lines: What it has said so far.
        said_at: When each of them was heard, on the monotonic clock.
        began: When it was started, on the same clock.
    """

    def __init__(self, program: Callable[[Callable[[str], None]], None]) -> None:
        self._reads, writes = os.pipe()
        self.lines: list[str] = []
        self.said_at: list[float] = []
        self._rest = b""
        self._over = False
        self._ended = False
        self.began = time.monotonic()
        self._pid = os.fork()
        if self._pid == 0:
            code = CRASHED
            try:
                os.close(self._reads)
                code = _carry_out(program, writes)
            except KeyboardInterrupt:
                # before or after anything was under way
                code = INTERRUPTED
            finally:
                # not a byte of what the parent had begun to write, or would clean up
                os._exit(code)
        os.close(writes)

    def __enter__(self) -> Forked:
        return self

    def __exit__(self, *_: object) -> None:
        if not self._ended:
            self.send(signal.SIGKILL)
            self.end()

    def listen(
        self, seconds: float | None, enough: Callable[[], bool] = lambda: False
    ) -> bool:
        """Hear it for so long, or until it is enough; whether it has ended by itself."""
        until = None if seconds is None else time.monotonic() + seconds
        while not self._over and not enough():
            left = None if until is None else max(0.0, until - time.monotonic())
            if not select.select([self._reads], [], [], left)[0]:
                return False
            self._read()
        return self._over

    def _read(self) -> None:
        said = os.read(self._reads, 65536)
        self._over = not said
        *lines, self._rest = (self._rest + said).split(b"\n")
        self.lines += [line.decode() for line in lines]
        self.said_at += [time.monotonic()] * len(lines)

    def freeze(self) -> None:
        """Stop it where it is, and hear what it has said by then."""
        self.send(signal.SIGSTOP)
        os.waitpid(self._pid, os.WUNTRACED)
        self.listen(0.0)

    def send(self, number: int) -> None:
        """Send it a signal; one that has ended does not mind, until `end`."""
        os.kill(self._pid, number)

    def kill(self) -> None:
        """Kill it, and hear its last words; of a line that was cut nobody knows."""
        self.send(signal.SIGKILL)
        self.listen(10.0)
        self.end()

    def end(self) -> int:
        """Wait for it; its exit code, negative for a signal."""
        _, status = os.waitpid(self._pid, 0)
        self._ended = True
        os.close(self._reads)
        return os.waitstatus_to_exitcode(status)


def _carry_out(program: Callable[[Callable[[str], None]], None], writes: int) -> int:
    def say(line: str) -> None:
        os.write(writes, f"{line}\n".encode())

    # what goes wrong on purpose is no news, nor is that it may be gone on with
    logging.disable(logging.CRITICAL)
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 2)
    os.close(nothing)
    try:
        program(say)
    except JournalLocked:
        return REFUSED
    except KeyboardInterrupt:
        return INTERRUPTED
    except BaseException as error:
        say("".join(traceback.format_exception(error)).replace("\n", "\\n"))
        return CRASHED
    return DONE


def side_by_side(
    programs: Sequence[Callable[[Callable[[str], None]], None]],
) -> list[list[str]]:
    """Run programs at once, each in a process of its own; what each of them said.

    A single core is idle most of the time, for programs wait for disks and answers.

    Raises:
        Error: One did not end well; says how.
        KeyboardInterrupt: This process or one of them was interrupted.
    """
    processes = [Forked(program) for program in programs]
    try:
        for process in processes:
            process.listen(None)
    except BaseException:
        # they have processes of their own to look after
        for process in processes:
            process.send(signal.SIGINT)
        raise
    finally:
        codes = [process.end() for process in processes]
    if INTERRUPTED in codes:
        raise KeyboardInterrupt
    for code, process in zip(codes, processes, strict=True):
        if code != DONE:
            last = process.lines[-1] if process.lines else ""
            raise Error(f"exit code {code}: {last}")
    return [process.lines for process in processes]
