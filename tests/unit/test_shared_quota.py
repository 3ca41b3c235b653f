"""One quota in a small file, for every process that uses an account."""

from __future__ import annotations

import base64
import fcntl
import itertools
import json
import logging
import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path
from random import Random

import anyio
import pytest
from tests.limited_service import READ

from qawait._auth import Secret
from qawait._limiter import Grant, Report
from qawait._quota import Quota
from qawait._shared_quota import (
    Busy,
    SharedQuota,
    name_of,
    quota_directory,
)
from qawait._turnstile import Turnstile

SMALL = Quota(units=100, window=10.0)


def ask(store: SharedQuota, units: float, member: str = "a") -> Grant:
    return store.exchange(Report(member=member, head=units), 0.0)


def store(directory: Path, **options: object) -> SharedQuota:
    return SharedQuota(SMALL, directory, lambda: "account", **options)  # type: ignore[arg-type]


# --- sharing -------------------------------------------------------------------------


def test_two_clients_share_one_quota(tmp_path: Path):
    one, other = store(tmp_path), store(tmp_path)
    assert ask(one, 30, "one").units == 30
    assert ask(other, 30, "other").units == 0
    assert ask(other, 15, "other").units == 15
    one.close()
    other.close()


_HAMMER = """
import sys, time
from pathlib import Path
from qawait._limiter import Report
from qawait._quota import Quota
from qawait._shared_quota import Busy, SharedQuota
store = SharedQuota(Quota(units=8000, window=80_000.0), Path(sys.argv[1]), lambda: "account")
print("ready", flush=True)
begin = float(sys.stdin.readline())
while time.monotonic() < begin:
    pass
had = 0
while time.monotonic() < begin + 1:
    try:
        had += store.exchange(Report(member=sys.argv[2], head=1, holding=had), 0.0).units
    except Busy:
        pass
print(had, flush=True)
sys.stdin.readline()
"""


def test_processes_that_ask_at_the_same_time_get_no_more_than_there_is(tmp_path: Path):
    command = [sys.executable, "-P", "-c", _HAMMER, str(tmp_path)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    processes = [
        subprocess.Popen([*command, name], **pipes)  # type: ignore[call-overload]
        for name in "abcd"
    ]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    begin = time.monotonic() + 0.1
    for process in processes:
        process.stdin.write(f"{begin}\n")
        process.stdin.flush()
    had = [float(process.stdout.readline()) for process in processes]
    for process in processes:
        process.communicate("done\n", timeout=10)
    assert sum(had) <= 3980 + 1, "half the limit at once, and then hardly anything"
    assert min(had) > 0
    assert sum(had) > 500


_STUBBORN = """
import sys, time
from pathlib import Path
from qawait._limiter import Report
from qawait._quota import Quota
from qawait._shared_quota import Busy, SharedQuota
store = SharedQuota(Quota(units=100, window=10.0), Path(sys.argv[1]), lambda: "account")
while True:
    for n in range(40):
        report = Report(member=f"{n}", head=1, answered=[(time.monotonic(), 0.001)])
        try:
            store.exchange(report, time.monotonic())
        except Busy:
            pass
    print("at work", flush=True)
"""


def test_a_process_that_is_killed_leaves_a_quota_that_works(tmp_path: Path):
    """At whatever moment: the lock is free, and the file is one that can be read."""
    random = Random(4)
    for _ in range(8):
        with subprocess.Popen(
            [sys.executable, "-P", "-c", _STUBBORN, str(tmp_path)],
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "at work\n"
            time.sleep(random.random() / 20)
            process.send_signal(signal.SIGKILL)
        before = json.loads((tmp_path / "account").read_bytes())
        assert before["now"] > 0
        mine = store(tmp_path)
        assert mine.exchange(Report(member="me"), 0.0).blocked == 0
        after = json.loads((tmp_path / "account").read_bytes())
        assert after["now"] >= before["now"], "it was not begun anew"
        mine.close()


def test_a_file_that_is_removed_while_it_is_open_is_made_anew(tmp_path: Path):
    one, other = store(tmp_path), store(tmp_path)
    ask(one, 30, "one")
    (tmp_path / "account").unlink()
    assert ask(one, 30, "one").units == 30
    assert ask(other, 30, "other").units == 0
    one.close()
    other.close()


# --- what is on the disk -------------------------------------------------------------


def test_nobody_else_can_read_it_and_its_name_tells_nothing(tmp_path: Path):
    name = name_of("https://example.org:443", Secret("secret-token"))
    shared = SharedQuota(SMALL, tmp_path / "state" / "quota", lambda: name)
    ask(shared, 10)
    shared.close()
    (file,) = (tmp_path / "state" / "quota").iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert "secret" not in file.name
    assert b"secret" not in file.read_bytes()
    assert "example" not in file.name


def test_each_account_of_each_host_has_a_name_of_its_own():
    tokens = (Secret("x"), Secret("y"), None)
    names = {name_of(host, t) for host in ("https://a", "https://b") for t in tokens}
    assert len(names) == 6
    assert name_of("https://a", Secret("x")) in names


def jwt(**claims: object) -> Secret:
    body = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return Secret(f"eyJhbGciOiJub25lIn0.{body}.c2ln")


def test_a_renewed_token_is_that_of_the_same_account():
    first, renewed, other = (
        name_of("https://a", jwt(sub=sub, iss="i", exp=exp))
        for sub, exp in (("me", 1), ("me", 2), ("you", 1))
    )
    assert first == renewed
    assert first != other
    assert first != name_of("https://a", jwt(sub="me", iss="j", exp=1))
    without = {name_of("https://a", jwt(exp=exp)) for exp in (1, 2)}
    assert len(without) == 2, "it does not say whose it is"


@pytest.mark.parametrize(
    "token", ["..", "a.b.c", "a.é.c", "a.////.c", "a.e30.c", "\ud800"]
)
def test_a_token_of_any_form_has_a_name(token: str):
    assert len(name_of("https://a", Secret(token))) == 32


def test_files_of_other_days_are_removed(tmp_path: Path):
    old, new = tmp_path / "old", tmp_path / "new"
    old.write_text("{}")
    new.write_text("{}")
    os.utime(old, (time.time() - 90_000,) * 2)
    shared = store(tmp_path)
    ask(shared, 1)
    shared.close()
    assert {path.name for path in tmp_path.iterdir()} == {"new", "account"}


def test_the_directory_is_the_users_own_state(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert quota_directory() == tmp_path / "qawait" / "quota"
    monkeypatch.setenv("XDG_STATE_HOME", "relative")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert quota_directory() == tmp_path / ".local/state/qawait/quota"


# --- what is wrong with the disk -----------------------------------------------------

GOOD = {"units": 100, "window": 10.0, "now": 5.0}


@pytest.mark.parametrize(
    "content",
    [
        b"nonsense",
        b"\xff\xfe\x00",
        b"{}",
        b"[]",
        json.dumps(GOOD)[:-9].encode(),
        b"[" * 100_000,
        b" " * (2 << 20),
        json.dumps(GOOD | {"units": None}).encode(),
        json.dumps(GOOD | {"units": -5}).encode(),
        json.dumps(GOOD | {"window": 0}).encode(),
        json.dumps(GOOD | {"scale": 0}).encode(),
        json.dumps(GOOD | {"now": 1e300}).encode(),
        json.dumps(GOOD | {"blocked_until": 1e9}).encode(),
        json.dumps(GOOD | {"spent": [[1e9, 50.0]]}).encode(),
        json.dumps(GOOD | {"members": {"x": {"seen": 1e9, "holding": 99}}}).encode(),
    ],
    ids=map(str, range(15)),
)
def test_a_file_that_cannot_be_right_is_begun_anew_and_carefully(
    tmp_path: Path, content: bytes
):
    (tmp_path / "account").write_bytes(content)
    shared = store(tmp_path)
    assert ask(shared, 10).units == 0, "nobody knows what has been spent"
    assert ask(shared, 0).units == 0
    shared.close()
    assert json.loads((tmp_path / "account").read_bytes())["units"] == 100


def test_what_a_longer_account_has_left_behind_does_no_harm(tmp_path: Path):
    padded = json.dumps(GOOD).encode().ljust(12_288)
    (tmp_path / "account").write_bytes(padded)
    shared = store(tmp_path)
    assert ask(shared, 30, "x").units == 30
    assert ask(shared, 30, "y").units == 0
    shared.close()
    assert (tmp_path / "account").stat().st_size == 12_288


def no_directory(tmp_path: Path) -> Path:
    (tmp_path / "file").write_text("")
    return tmp_path / "file" / "quota"


def a_link(tmp_path: Path) -> Path:
    (tmp_path / "elsewhere").write_text("precious")
    (tmp_path / "quota").mkdir()
    (tmp_path / "quota" / "account").symlink_to(tmp_path / "elsewhere")
    return tmp_path / "quota"


def no_home(tmp_path: Path) -> Path:
    return Path("~/.local/state/qawait/quota")


@pytest.mark.parametrize("where", [no_directory, a_link, no_home])
def test_where_there_is_no_file_the_clients_of_one_process_share_and_say_so_once(
    tmp_path: Path, where: object, caplog: pytest.LogCaptureFixture
):
    directory = where(tmp_path)  # type: ignore[operator]
    name = tmp_path.name if where is no_home else "account"
    one, other = (SharedQuota(SMALL, directory, lambda: name) for _ in range(2))
    with caplog.at_level(logging.INFO):
        assert ask(one, 30, "one").units == 30
        assert ask(other, 30, "other").units == 0
        assert ask(other, 15, "other").units == 15
    (record,) = caplog.records
    assert "cannot be shared with other processes" in record.getMessage()
    if where is a_link:
        assert (tmp_path / "elsewhere").read_text() == "precious"


def test_a_disk_that_is_full_is_done_without(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    shared = SharedQuota(SMALL, Path("/dev"), lambda: "full")
    assert ask(shared, 30, "one").units == 30
    assert "cannot be shared" in caplog.text


def test_a_lock_that_is_never_free_is_given_up_after_a_while(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    """A process may have been stopped just while it held it."""
    ticks = itertools.count(step=0.06)
    shared = store(tmp_path, mono=lambda: next(ticks))
    with (tmp_path / "account").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        tries, units = 0, 0.0
        while not units:
            tries += 1
            try:
                units = ask(shared, 10).units
            except Busy:
                assert tries < 20
        assert tries > 3
    assert "another process holds its lock" in caplog.text


def test_a_lock_that_is_free_again_is_used_again(tmp_path: Path):
    shared = store(tmp_path)
    with (tmp_path / "account").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(Busy):
            ask(shared, 10)
    assert ask(shared, 10).units == 10
    assert json.loads((tmp_path / "account").read_bytes())["members"]
    shared.close()


# --- the event loop ------------------------------------------------------------------


async def test_a_lock_held_elsewhere_does_not_hold_up_the_loop(tmp_path: Path):
    gate = Turnstile(SMALL, lambda: store(tmp_path))
    gaps: list[float] = []

    async def beat() -> None:
        before = anyio.current_time()
        while True:
            await anyio.sleep(0.005)
            now = anyio.current_time()
            gaps.append(now - before)
            before = now

    with (tmp_path / "account").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        async with anyio.create_task_group() as group:
            group.start_soon(beat)
            with anyio.move_on_after(0.5) as waiting:
                async with gate.turn(READ):
                    pass
            group.cancel_scope.cancel()
    assert waiting.cancelled_caught
    assert sorted(gaps)[len(gaps) * 9 // 10] < 0.05
    async with gate.turn(READ):
        pass
    await gate.close()


async def test_a_wait_that_is_cancelled_in_the_middle_of_a_report_loses_nothing(
    tmp_path: Path,
):
    quota = Quota(units=10_000, window=10.0)
    shared = SharedQuota(quota, tmp_path, lambda: "account")
    gate = Turnstile(quota, lambda: shared)
    random = Random(8)

    async def impatient() -> None:
        with anyio.move_on_after(random.random() / 500):
            async with gate.turn(READ):
                await anyio.sleep(random.random() / 1000)

    for _ in range(20):
        async with anyio.create_task_group() as group:
            for _ in range(10):
                group.start_soon(impatient)
    assert gate._flying == 0
    await gate.close()
    written = json.loads((tmp_path / "account").read_bytes())
    assert written["members"] == {}
    assert sum(units for _, units in written["spent"]) <= 200


async def test_a_report_that_is_cancelled_before_it_is_made_is_made_nevertheless(
    tmp_path: Path,
):
    gate = Turnstile(SMALL, lambda: store(tmp_path))
    async with gate.turn(READ):
        pass
    gate._free = 0.0
    scope = anyio.CancelScope()

    async def ask() -> None:
        with scope:
            async with gate.turn(READ):
                pass

    async def cancel() -> None:
        scope.cancel()

    async with anyio.create_task_group() as group:
        group.start_soon(ask)
        group.start_soon(cancel)
    await gate.close()
    written = json.loads((tmp_path / "account").read_bytes())
    assert sum(units for _, units in written["spent"]) >= 1
