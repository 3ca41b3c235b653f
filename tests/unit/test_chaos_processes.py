"""Processes that are forked, heard and killed.

Each test is a program of its own: who forks has one thread, and a test runner may not.
"""

from __future__ import annotations

import os
import subprocess
import sys

BEGINNING = """
import os, signal, sys, time
from qawait.chaos.processes import DONE, Forked, side_by_side
from qawait.errors import Error
"""


def run(program: str) -> str:
    ran = subprocess.run(
        [sys.executable, "-c", BEGINNING + program],
        capture_output=True,
        text=True,
        check=False,
        timeout=50,
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def test_programs_run_at_once_and_each_is_heard():
    """Each waits for a word of the next, which it would not have one after the other."""
    said = run("""
first, second = os.pipe(), os.pipe()
def one(say):
    os.write(first[1], b"1")
    say(f"one heard {os.read(second[0], 1)}")
def two(say):
    os.write(second[1], b"2")
    say("two")
    say(f"two heard {os.read(first[0], 1)}" + "." * 200_000)
a, b = side_by_side([one, two])
print(a, b[0], len(b[1]))
""")
    assert said == "[\"one heard b'2'\"] two 200014\n"


def test_a_program_that_fails_is_told_with_its_error():
    said = run("""
def fail(say):
    say("so far")
    raise RuntimeError("on purpose")
try:
    side_by_side([lambda say: say("well"), fail])
except Error as error:
    print(error)
""")
    assert "exit code 70" in said
    assert "RuntimeError: on purpose" in said


def test_only_what_a_program_says_is_heard_of_it():
    ran = subprocess.run(
        [
            *(sys.executable, "-c"),
            BEGINNING
            + "side_by_side([lambda say: sys.stderr.write('to go on: ...')])\n"
            + "sys.stderr.write('of the parent')",
        ],
        capture_output=True,
        text=True,
        check=True,
        timeout=50,
    )
    assert ran.stderr == "of the parent"


def test_an_interrupt_ends_every_program_and_what_they_have_started():
    """Their programs wait without end, and their ids no longer exist afterwards."""
    said = run("""
def endless(say):
    time.sleep(1000)
def starts(say):
    with Forked(endless) as process:
        os.write(ids[1], f"{process._pid}\\n".encode())
        process.listen(None)
ids = os.pipe()
parent = os.getpid()
def interrupts(say):
    heard = b""
    while heard.count(b"\\n") < 2:
        heard += os.read(ids[0], 100)
    os.write(told[1], heard)
    os.kill(parent, signal.SIGINT)
    time.sleep(1000)
told = os.pipe()
try:
    side_by_side([starts, starts, interrupts])
except KeyboardInterrupt:
    print(os.read(told[0], 100).decode().split())
""")
    pids = [int(word) for word in said.strip("[]\n").replace("'", "").split(", ")]
    assert len(pids) == 2
    for pid in pids:
        assert not is_running(pid)


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_program_does_not_outlive_its_context():
    said = run("""
def endless(say):
    say("here")
    time.sleep(1000)
with Forked(endless) as process:
    process.listen(30, lambda: process.lines)
    pid = process._pid
print(pid, process.lines, len(process.said_at), process.began < process.said_at[0])
""")
    pid, rest = said.split(" ", 1)
    assert rest == "['here'] 1 True\n"
    assert not is_running(int(pid))
