"""`qawait doctor` and `qawait config`: what they find, whatever is set, whoever answers."""

from __future__ import annotations

import base64
import json
import time
from pathlib import Path
from typing import Any

import pytest

from qawait.cli import checks, main
from qawait.cli.asking import _clock
from qawait.cli.disk import Disk, file_system_of, look_at
from qawait.testing import serving

VARIABLES = (
    *("QAWAIT_SERVICE", "QAWAIT_TOKEN", "IQM_TOKEN", "QORO_API_KEY", "IQM_SERVER_URL"),
    *("IQM_TOKENS_FILE", "IQM_QUANTUM_COMPUTER", "HTTPS_PROXY", "https_proxy"),
    *("ALL_PROXY", "all_proxy", "NO_COLOR", "FORCE_COLOR", "COLUMNS"),
)
NOBODY = "iqm:http://127.0.0.1:9"


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)


def document(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, Any]:
    code = main([*arguments, "--json"])
    return code, json.loads(capsys.readouterr().out)


def found(
    checks: list[dict[str, Any]], service: str | None, name: str
) -> dict[str, Any]:
    [one] = [c for c in checks if c["service"] == service and c["name"] == name]
    return one


def tokens_file(seconds: float) -> str:
    """A tokens file whose token ends so many seconds from now."""

    def part(content: dict[str, Any]) -> str:
        text = base64.urlsafe_b64encode(json.dumps(content).encode()).decode()
        return text.rstrip("=")

    token = f"{part({'alg': 'none'})}.{part({'exp': time.time() + seconds})}.c2ln"
    path = Path("tokens.json")
    path.write_text(json.dumps({"access_token": token}))
    path.chmod(0o600)
    return str(path)


# --- doctor ---------------------------------------------------------------------------


def test_a_service_that_works_is_told_with_its_dialect_its_target_and_its_clock(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving() as there:
        monkeypatch.setenv("QAWAIT_TOKEN", there.token)
        one, other = f"iqm:{there.url}", f"qoro:{there.url}/api"
        code, told = document(
            capsys, "doctor", "--service", one, "--service", other, "--service", "local"
        )
        submitted = there.ledger()["submissions"]
    rows = told["checks"]
    assert (code, told["sound"]) == (0, True)
    assert (
        "square20 (simulated), 20 qubits, dialect server"
        in (found(rows, one, "answer")["said"])
    )
    assert (
        "qoro_maestro (simulated), dialect qoro"
        in (found(rows, other, "answer")["said"])
    )
    assert found(rows, other, "clock")["verdict"] == "ok"
    assert "QAWAIT_TOKEN" in found(rows, one, "token")["said"]
    assert there.token not in json.dumps(told)
    assert found(rows, "local", "simulator")["verdict"] == "ok"
    assert submitted == []


def test_without_a_network_everything_else_is_told_and_one_thing_fails(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code, told = document(capsys, "doctor", "--service", NOBODY)
    rows = told["checks"]
    assert (code, told["sound"]) == (1, False)
    assert [row["name"] for row in rows if row["verdict"] == "fail"] == ["answer"]
    assert "Connection refused" in found(rows, NOBODY, "answer")["said"]
    assert "is the service running?" in found(rows, NOBODY, "answer")["advice"]
    assert found(rows, NOBODY, "token")["verdict"] == "warn"
    assert found(rows, None, "journals")["verdict"] == "ok"


def test_each_line_says_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--service", NOBODY]) == 1
    said = capsys.readouterr()
    lines = said.out.splitlines()
    [place] = [n for n, line in enumerate(lines) if line.startswith("fail")]
    assert lines[place + 1].strip() == (
        "is the address right, and is the service running?"
    )
    assert said.err == "qawait: 7 checks: 1 failed, 1 warning\n"


def test_a_token_that_has_ended_fails_before_anybody_is_asked(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with serving() as there:
        service = f"iqm:{there.url}"
        arguments = ("doctor", "--service", service, "--tokens-file")
        code, told = document(capsys, *arguments, tokens_file(-60))
        token = found(told["checks"], service, "token")
        assert (code, token["verdict"]) == (1, "fail")
        assert "from --tokens-file ended at 20" in token["said"]
        assert token["advice"] == "put a new one into that file"
        assert [c["name"] for c in told["checks"] if c["service"]] == ["token"]
        assert there.ledger()["requests"] == []
        _, told = document(capsys, *arguments, tokens_file(1790))
    token = found(told["checks"], service, "token")
    assert (token["verdict"], token["said"][-6:]) == ("warn", "30 min")
    answer = found(told["checks"], service, "answer")
    assert "401" in answer["said"]
    assert answer["advice"] == "put a valid token into QAWAIT_TOKEN or IQM_TOKEN"


def test_a_service_whose_clock_is_elsewhere_is_told(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(clock="manual", service_time=1) as there:
        monkeypatch.setenv("QAWAIT_TOKEN", there.token)
        there.advance(100)
        code, told = document(capsys, "doctor", "--service", f"iqm:{there.url}")
    clock = found(told["checks"], f"iqm:{there.url}", "clock")
    assert (code, clock["verdict"]) == (0, "warn")
    assert clock["said"].endswith("s behind the service")
    assert 97 <= int(clock["said"].split()[3]) <= 102


def test_a_clock_that_is_far_off_fails_either_way() -> None:
    assert [_clock("s", skew).verdict for skew in (4.0, -4.0)] == ["ok", "ok"]
    assert [_clock("s", skew).verdict for skew in (6.0, -6.0)] == ["warn", "warn"]
    ahead = _clock("s", -301.0)
    assert (ahead.verdict, ahead.said) == (
        "fail",
        "this machine is 301 s ahead of the service",
    )


@pytest.mark.parametrize(
    ("service", "words"),
    [
        ("nonsense", "unknown service 'nonsense'"),
        ("iqm:http://q.example", "would send the token unencrypted"),
        ("qoro:", "no key"),
    ],
)
def test_a_setting_that_cannot_be_used_is_a_line_and_no_crash(
    service: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, told = document(capsys, "doctor", "--service", service)
    assert code == 1
    failed = [row for row in told["checks"] if row["verdict"] == "fail"]
    assert words in failed[0]["said"]
    assert failed[0]["advice"] or service.startswith("iqm")


def test_a_proxy_that_is_not_used_is_told_without_its_password(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://ada:secret-word@proxy.example:3128")
    code, told = document(capsys, "doctor")
    proxy = found(told["checks"], None, "proxy")
    assert (code, proxy["verdict"]) == (0, "warn")
    assert "HTTPS_PROXY names proxy.example" in proxy["said"]
    assert "secret-word" not in json.dumps(told)


def test_a_place_that_cannot_be_written_to_fails(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A file stands where a directory would be made; root may write everywhere else."""
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_STATE_HOME", "/proc/self/fdinfo")
    code, told = document(capsys, "doctor")
    row = found(told["checks"], None, "journals")
    assert (code, row["verdict"]) == (1, "fail")
    assert "/proc/self/fdinfo" in row["said"]
    assert "set XDG_STATE_HOME" in row["advice"]


def test_looking_at_a_disk_leaves_nothing_behind(tmp_path: Path) -> None:
    seen = look_at(tmp_path / "not" / "there")
    assert seen.path == tmp_path
    assert seen.problem is None
    assert seen.free_bytes > 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("kind", "free", "verdict", "words"),
    [
        ("ext4", 2**31, "ok", None),
        ("ext4", 2**29, "warn", "little room"),
        ("ext4", 2**25, "fail", "make room"),
        ("nfs4", 2**31, "warn", "disk of another machine"),
        ("nfs4", 2**25, "fail", "make room"),
        ("fuse.sshfs", 2**31, "warn", "disk of another machine"),
        ("tmpfs", 2**31, "warn", "gone at a restart"),
        (None, 2**31, "ok", None),
    ],
)
def test_what_a_disk_is_decides(
    kind: str | None,
    free: int,
    verdict: str,
    words: str | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    disk = Disk(path=Path("/"), kind=kind, free_bytes=free, problem=None)
    monkeypatch.setattr(checks, "look_at", lambda _: disk)
    told = checks.disk(Path("/x/journals"))
    assert told.verdict == verdict
    assert (words is None) == (told.advice is None)
    assert words is None or words in (told.advice or "")


MOUNTS = r"""22 1 254:1 / / rw,relatime - ext4 /dev/vda1 rw
30 22 0:20 / /home rw - autofs systemd-1 rw
31 30 0:21 / /home rw,noatime shared:1 - nfs4 files:/home rw
32 22 0:22 / /home2 rw - xfs /dev/b rw
33 22 0:23 / /my\040disk rw - cifs //win/x rw
nonsense
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/home/ada/.local", "nfs4"),
        ("/home2/ada", "xfs"),
        ("/homes", "ext4"),
        ("/my disk/a", "cifs"),
    ],
)
def test_the_file_system_is_that_of_the_nearest_mount_on_top(
    path: str, kind: str
) -> None:
    assert file_system_of(Path(path), MOUNTS) == kind
    assert file_system_of(Path(path), "") is None


# --- config ---------------------------------------------------------------------------


def sources(told: dict[str, Any]) -> dict[str, tuple[str | None, str, str | None]]:
    return {s["name"]: (s["value"], s["source"], s["origin"]) for s in told["settings"]}


def test_every_setting_says_where_it_came_from(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    code, told = document(capsys, "config")
    came = sources(told)
    assert code == 0
    assert came["service"] == ("local", "default", None)
    assert came["limits.result_bytes"] == ("4096 MiB", "default", None)
    assert came["journals"] == (
        str(tmp_path / "state" / "qawait" / "journals"),
        "variable",
        "XDG_STATE_HOME",
    )
    monkeypatch.setenv("QAWAIT_SERVICE", "iqm:")
    monkeypatch.setenv("IQM_SERVER_URL", "https://q.example")
    monkeypatch.setenv("IQM_QUANTUM_COMPUTER", "garnet")
    monkeypatch.setenv("IQM_TOKEN", "a-secret-of-mine")
    _, told = document(capsys, "config")
    came = sources(told)
    assert came["service"] == ("iqm:", "variable", "QAWAIT_SERVICE")
    assert came["address"] == ("https://q.example", "variable", "IQM_SERVER_URL")
    assert came["target"] == ("garnet", "variable", "IQM_QUANTUM_COMPUTER")
    assert came["token"] == (
        "*** (does not say when it ends)",
        "variable",
        "IQM_TOKEN",
    )
    _, told = document(capsys, "config", "--target", "emerald")
    assert sources(told)["target"] == ("emerald", "argument", "--target")


def test_no_secret_is_shown_wherever_it_comes_from(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    Path(".env").write_text("QORO_API_KEY=a-secret-of-mine\n")
    Path(".env").chmod(0o600)
    code, told = document(capsys, "config", "--service", "qoro:")
    value, source, origin = sources(told)["token"]
    assert (code, value, source) == (0, "*** (does not say when it ends)", "file")
    assert Path(origin or "").name == ".env"
    assert sources(told)["address"] == (
        "https://app.qoroquantum.net/api",
        "default",
        None,
    )
    monkeypatch.setenv("QAWAIT_TOKEN", "a-secret-of-mine")
    assert main(["config", "--service", "qoro:"]) == 0
    said = capsys.readouterr().out
    assert "variable QAWAIT_TOKEN" in said
    assert "a-secret-of-mine" not in said + json.dumps(told)
    path = tokens_file(3600)
    _, told = document(capsys, "config", "--service", NOBODY, "--tokens-file", path)
    value, source, origin = sources(told)["token"]
    assert (source, origin) == ("argument", "--tokens-file")
    assert value is not None
    assert value.startswith("*** (ends at 20")


@pytest.mark.parametrize(
    ("variables", "arguments", "words"),
    [
        ({"QAWAIT_SERVICE": "nonsense"}, (), "service: unknown service"),
        ({"XDG_STATE_HOME": "relative"}, (), "not an absolute path"),
        (
            {"IQM_TOKEN": "a", "IQM_TOKENS_FILE": "b"},
            ("iqm:http://x",),
            "unclear which",
        ),
        ({}, ("qoro:",), "token: no key"),
        ({}, ("iqm:http://q.example",), "address: http://q.example would send"),
    ],
)
def test_what_cannot_be_used_is_told_and_the_rest_is_shown(
    variables: dict[str, str],
    arguments: tuple[str, ...],
    words: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    given = [word for one in arguments for word in ("--service", one)]
    assert main(["config", *given]) == 2
    said = capsys.readouterr()
    assert words in said.err
    assert "retry.attempts" in said.out
