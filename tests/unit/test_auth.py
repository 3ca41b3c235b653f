from __future__ import annotations

import base64
import json
import logging
import os
import pickle
import threading
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import anyio
import pytest

from qawait._auth import (
    DotenvKey,
    FixedToken,
    Secret,
    TokensFile,
    TokenSource,
    expiry_of,
    fixed,
    one_source,
)
from qawait._bearer import LOOK_AGAIN, RENEW_AHEAD, Bearer
from qawait.errors import ConfigurationError
from qawait.services import (
    IQMService,
    QoroService,
    embedded_service,
    parse_service,
)

CANARY = "canary-0123456789"
EXPIRY = 1_900_000_000
"""2030-03-17, in seconds since 1970."""


def jwt(expires_at: object, name: str = "t") -> str:
    """A token in JWT form; the signature is none."""

    def part(claims: object) -> str:
        text = json.dumps(claims).encode()
        return base64.urlsafe_b64encode(text).decode().rstrip("=")

    return f"{part({'alg': 'none'})}.{part({'exp': expires_at, 'sub': name})}.c2ln"


def write(path: Path, token: str, mode: int = 0o600) -> Path:
    path.write_text(json.dumps({"access_token": token, "refresh_token": "r", "pid": 1}))
    path.chmod(mode)
    return path


def shown(source: TokenSource) -> str | None:
    token = source.current()
    return None if token is None else token.reveal()


def iqm(
    environment: Mapping[str, str], token: str | None = None, file: str | None = None
) -> TokenSource:
    return one_source(
        token,
        file,
        environment=environment,
        token_variable="IQM_TOKEN",
        file_variable="IQM_TOKENS_FILE",
    )


def no_canary(error: BaseException) -> None:
    """The token is nowhere in an error, in what led to it, or in any frame of ours."""
    seen: list[BaseException | None] = [error]
    while seen:
        one = seen.pop()
        if one is None:
            continue
        assert CANARY not in repr(one)
        assert CANARY not in str(one)
        seen += [one.__cause__, one.__context__]
        for frame in traceback.TracebackException.from_exception(
            one, capture_locals=True
        ).stack:
            if "qawait" in frame.filename and "tests" not in frame.filename:
                assert CANARY not in str(frame.locals), f"{frame.filename} {frame.name}"


class Clock:
    """A wall clock that a test sets."""

    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


# --- secrets -------------------------------------------------------------------------


def test_a_secret_never_shows_itself():
    secret = Secret(CANARY)
    texts = [repr(secret), str(secret), f"{secret}", f"{secret!r:>40}", f"{[secret]}"]
    assert not any(CANARY in text for text in texts)
    assert CANARY.encode() not in pickle.dumps(secret)
    assert secret.reveal() == CANARY


def test_nothing_that_holds_a_token_shows_it(tmp_path: Path):
    (tmp_path / ".env").write_text(f"QORO_API_KEY={CANARY}\n")
    file = TokensFile(write(tmp_path / "tokens.json", CANARY))
    file.renew()
    key = DotenvKey("KEY", {"KEY": CANARY})
    holders = [
        file,
        key,
        fixed(CANARY),
        Bearer(file, Clock(0)),
        IQMService("https://h", token=CANARY, environment={}),
        QoroService(token=CANARY),
        parse_service("iqm:https://h", tokens_file=tmp_path / "tokens.json"),
    ]
    for holder in holders:
        assert CANARY not in repr(holder)
        assert CANARY not in repr(vars(holder))
        if not isinstance(holder, Bearer):
            assert CANARY.encode() not in pickle.dumps(holder)


# --- which source --------------------------------------------------------------------


def test_the_token_comes_from_an_argument_or_else_from_a_variable():
    assert shown(iqm({}, "given")) == "given"
    assert shown(iqm({"IQM_TOKEN": "set"})) == "set"
    assert shown(iqm({"IQM_TOKEN": ""})) is None
    assert shown(iqm({})) is None


@pytest.mark.parametrize(
    ("environment", "token", "file", "both"),
    [
        ({}, "a", "f", "token= and tokens_file="),
        ({"IQM_TOKEN": "b"}, "a", None, "token= and IQM_TOKEN"),
        ({"IQM_TOKENS_FILE": "g"}, "a", None, "token= and IQM_TOKENS_FILE"),
        ({"IQM_TOKEN": "b"}, None, "f", "tokens_file= and IQM_TOKEN"),
        ({"IQM_TOKENS_FILE": "g"}, None, "f", "tokens_file= and IQM_TOKENS_FILE"),
        (
            {"IQM_TOKENS_FILE": "g", "IQM_TOKEN": "b"},
            None,
            None,
            "IQM_TOKEN and IQM_TOKENS_FILE",
        ),
    ],
)
def test_two_sources_are_refused_and_both_are_named(
    environment: dict[str, str], token: str | None, file: str | None, both: str
):
    with pytest.raises(ConfigurationError, match=f"^{both} are given"):
        iqm(environment, token, file)


def test_a_service_names_the_two_sources_and_shows_neither(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setenv("IQM_TOKEN", CANARY)
    with pytest.raises(ConfigurationError, match="token= and IQM_TOKEN") as caught:
        IQMService("https://h", token=CANARY)
    no_canary(caught.value)


def test_the_command_lines_own_token_goes_before_every_variable(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.setenv("IQM_TOKEN", "of-iqm")
    assert shown(parse_service("iqm:https://h").token) == "of-iqm"
    assert shown(parse_service("iqm:https://h", token="own").token) == "own"
    path = write(tmp_path / "t.json", "from-file")
    assert shown(parse_service("iqm:https://h", tokens_file=path).token) == "from-file"
    with pytest.raises(ConfigurationError, match="is for IQM"):
        parse_service("qoro:", tokens_file=path)


def test_the_embedded_service_reads_no_variable(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("IQM_TOKEN", "of-iqm")
    monkeypatch.setenv("IQM_TOKENS_FILE", "/not/there")
    monkeypatch.setenv("IQM_QUANTUM_COMPUTER", "elsewhere")
    service = embedded_service("http://127.0.0.1:1", "own")
    assert shown(service.token) == "own"
    assert service.default_target is None


@pytest.mark.parametrize("wrong", ["a\nb", "zwölf", "two words", "tab\t"])
def test_a_token_with_impossible_characters_is_refused_unseen(
    wrong: str, tmp_path: Path
):
    with pytest.raises(ConfigurationError, match=r"^token= holds") as caught:
        iqm({}, wrong)
    assert wrong not in str(caught.value)
    with pytest.raises(ConfigurationError, match=r"^IQM_TOKEN holds"):
        iqm({"IQM_TOKEN": wrong})
    with pytest.raises(ConfigurationError, match="characters") as caught:
        TokensFile(write(tmp_path / "tokens.json", wrong)).renew()
    assert wrong not in str(caught.value)
    for source in (f"canary {CANARY}", f"{CANARY}\n"):
        with pytest.raises(ConfigurationError) as caught:
            IQMService("https://h", token=source, environment={})
        no_canary(caught.value)
        with pytest.raises(ConfigurationError) as caught:
            QoroService(token=source)
        no_canary(caught.value)


# --- the tokens file -----------------------------------------------------------------


def test_a_tokens_file_is_read_when_needed_and_again_on_renewal(tmp_path: Path):
    path = write(tmp_path / "tokens.json", "one")
    source = TokensFile(path)
    assert source.unread
    assert source.renew()
    assert (shown(source), source.unread) == ("one", False)
    assert not source.renew()
    write(path, "two")
    assert shown(source) == "one"
    assert source.renew()
    assert shown(source) == "two"


def test_a_tokens_file_that_cannot_be_read_again_keeps_its_token(tmp_path: Path):
    path = write(tmp_path / "tokens.json", "one")
    source = TokensFile(path)
    source.renew()
    path.write_text('{"access_tok')
    with pytest.raises(ConfigurationError):
        source.renew()
    assert shown(source) == "one"


def test_a_relative_tokens_file_stays_the_same_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "tokens.json", "one")
    source = TokensFile("tokens.json")
    source.renew()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert not source.renew()


def test_a_tokens_file_that_is_none_is_named_and_not_shown(tmp_path: Path):
    path = tmp_path / "tokens.json"
    with pytest.raises(ConfigurationError, match=r"tokens\.json: No such file"):
        TokensFile(path).renew()
    for content in (
        CANARY,
        f'{{"token": "{CANARY}"}}',
        f'{{"access_token": ["{CANARY}',
    ):
        path.write_text(content)
        path.chmod(0o600)
        with pytest.raises(ConfigurationError, match="not a JSON object") as caught:
            TokensFile(path).renew()
        no_canary(caught.value)
    path.write_bytes(b'{"access_token": "\xff"}')
    with pytest.raises(ConfigurationError, match="not a JSON object"):
        TokensFile(path).renew()


def test_only_an_ordinary_file_is_read_and_a_link_to_one(tmp_path: Path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(ConfigurationError, match="pipe is not an ordinary file"):
        TokensFile(pipe).renew()
    with pytest.raises(ConfigurationError, match=r"directory|ordinary"):
        TokensFile(tmp_path).renew()
    large = tmp_path / "large"
    large.write_bytes(b" " * (1 << 20) + b"{}")
    with pytest.raises(ConfigurationError, match="too large"):
        TokensFile(large).renew()
    link = tmp_path / "link"
    link.symlink_to(write(tmp_path / "tokens.json", "behind-a-link"))
    source = TokensFile(link)
    source.renew()
    assert shown(source) == "behind-a-link"


@pytest.mark.parametrize(
    ("mode", "warned"), [(0o600, False), (0o400, False), (0o640, True), (0o604, True)]
)
def test_a_file_that_others_can_read_is_read_with_one_warning(
    mode: int, warned: bool, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    path = write(tmp_path / "tokens.json", CANARY, mode)
    source = TokensFile(path)
    source.renew()
    source.renew()
    assert shown(source) == CANARY
    told = [r.message for r in caplog.records]
    assert told == (
        [f"the tokens file {path} can be read by other users; `chmod 600` it"]
        if warned
        else []
    )
    assert CANARY not in caplog.text


# --- expiry --------------------------------------------------------------------------


def b64(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode()


EXPIRIES = {
    "whole": (jwt(EXPIRY), EXPIRY),
    "fraction": (jwt(EXPIRY + 0.5), EXPIRY + 0.5),
    "plain": ("plain", None),
    "no claims": ("a.b.c", None),
    "two parts": (jwt(EXPIRY).rpartition(".")[0], None),
    "five parts": (jwt(EXPIRY) + ".four.five", None),
    "word": (jwt("soon"), None),
    "truth": (jwt(True), None),
    "nothing": (jwt(None), None),
    "negative": (jwt(-1), None),
    "beyond the calendar": (jwt(10**15), None),
    "no text": ("x." + b64(b"\xff\xff") + ".x", None),
    "deep": ("x." + b64(b"[" * 50000) + ".x", None),
}


@pytest.mark.parametrize("name", EXPIRIES)
def test_the_expiry_of_a_jwt_is_understood_and_of_nothing_else(name: str):
    token, expires_at = EXPIRIES[name]
    assert expiry_of(Secret(token)) == expires_at


def test_base64url_is_read_as_such():
    # the claims are chosen so that their base64 has - and _ in it, and no padding
    for extra in range(200):
        claims = json.dumps({"exp": 7, "n": "\u00ff\u00fe" + "~?" * extra})
        part = base64.urlsafe_b64encode(claims.encode()).decode().rstrip("=")
        assert expiry_of(Secret(f"x.{part}.y")) == 7


async def test_a_token_is_looked_for_anew_when_a_minute_is_left(tmp_path: Path):
    path = write(tmp_path / "tokens.json", jwt(EXPIRY, "old"))
    clock = Clock(EXPIRY - 3600)
    bearer = Bearer(TokensFile(path), clock)
    assert await bearer.token() == Secret(jwt(EXPIRY, "old"))
    write(path, jwt(EXPIRY + 3600, "new"))
    clock.now = EXPIRY - RENEW_AHEAD - 1
    assert await bearer.token() == Secret(jwt(EXPIRY, "old"))
    clock.now += 1
    assert await bearer.token() == Secret(jwt(EXPIRY + 3600, "new"))


async def test_the_last_minute_costs_a_look_every_few_seconds(tmp_path: Path):
    path = write(tmp_path / "tokens.json", jwt(EXPIRY, "old"))
    clock = Clock(EXPIRY - 30)
    bearer = Bearer(TokensFile(path), clock)
    await bearer.token()
    write(path, jwt(EXPIRY + 3600, "new"))
    clock.now += LOOK_AGAIN - 0.1
    assert await bearer.token() == Secret(jwt(EXPIRY, "old"))
    clock.now += 0.2
    assert await bearer.token() == Secret(jwt(EXPIRY + 3600, "new"))


async def test_a_clock_set_back_does_not_put_off_the_look(tmp_path: Path):
    path = write(tmp_path / "tokens.json", jwt(EXPIRY, "old"))
    clock = Clock(EXPIRY - 1)
    bearer = Bearer(TokensFile(path), clock)
    await bearer.token()
    write(path, jwt(EXPIRY + 3600, "new"))
    clock.now -= 20
    assert await bearer.token() == Secret(jwt(EXPIRY + 3600, "new"))


async def test_a_file_gone_in_the_last_minute_does_no_harm_before_the_end(
    tmp_path: Path,
):
    path = write(tmp_path / "tokens.json", jwt(EXPIRY))
    clock = Clock(EXPIRY - 30)
    bearer = Bearer(TokensFile(path), clock)
    await bearer.token()
    path.unlink()
    clock.now += 20
    assert await bearer.token() == Secret(jwt(EXPIRY))
    clock.now += 20
    with pytest.raises(ConfigurationError, match="No such file"):
        await bearer.token()


async def test_an_expired_token_is_told_with_its_file_and_time(tmp_path: Path):
    path = write(tmp_path / "tokens.json", jwt(EXPIRY, CANARY))
    with pytest.raises(ConfigurationError) as caught:
        await Bearer(TokensFile(path), Clock(EXPIRY)).token()
    assert str(caught.value) == (
        f"the token in the tokens file {path} expired at 2030-03-17T17:46:40+00:00; "
        "log in again"
    )
    no_canary(caught.value)


class Held:
    """A source that is read for as long as a test wants, and counts it."""

    name = "held"
    unread = False
    expires_at = None

    def __init__(self, following: list[str]) -> None:
        self.release = threading.Event()
        self.following = following
        self.token = Secret("first")
        self.reads = 0

    def current(self) -> Secret:
        return self.token

    def renew(self) -> bool:
        self.reads += 1
        assert self.release.wait(10)
        self.token = Secret(self.following.pop(0))
        return True


@pytest.mark.parametrize(("following", "newer"), [("second", True), ("first", False)])
async def test_whoever_is_refused_during_a_look_shares_what_comes_of_it(
    following: str, newer: bool
):
    source = Held([following, "third"])
    bearer = Bearer(source, Clock(0))
    told: list[bool] = []

    async def refused() -> None:
        told.append(await bearer.renewed(Secret("first")))

    async with anyio.create_task_group() as group:
        for _ in range(20):
            group.start_soon(refused)
        await anyio.wait_all_tasks_blocked()
        source.release.set()
    assert told == [newer] * 20
    assert source.reads == 1


async def test_whoever_was_refused_with_an_older_token_needs_no_look():
    source = Held(["second", "third"])
    source.release.set()
    bearer = Bearer(source, Clock(0))
    assert await bearer.renewed(Secret("first"))
    assert await bearer.renewed(Secret("first"))
    assert source.reads == 1


async def test_the_next_one_looks_where_the_one_that_looked_was_cancelled():
    source = Held(["second", "third"])
    bearer = Bearer(source, Clock(0))
    told: list[bool] = []

    async def refused() -> None:
        told.append(await bearer.renewed(Secret("first")))

    async with anyio.create_task_group() as group:
        with anyio.CancelScope() as scope:
            scope.cancel()
            source.release.set()
            await refused()
        group.start_soon(refused)
    assert told == [True]


async def test_a_token_given_as_an_argument_is_the_services_affair():
    source = FixedToken(Secret(jwt(1)))
    assert await Bearer(source, Clock(EXPIRY)).token() == Secret(jwt(1))


# --- Qoro's key ----------------------------------------------------------------------


def test_qoros_key_comes_from_the_dotenv_before_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.DEBUG)
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    monkeypatch.chdir(below)
    monkeypatch.setenv("QORO_API_KEY", "of-the-environment")
    (tmp_path / ".env").write_text(f"QORO_API_KEY={CANARY}\n")
    (tmp_path / ".env").chmod(0o644)
    source = QoroService().token
    assert source.unread
    source.renew()
    assert shown(source) == CANARY
    assert source.name == f"file {tmp_path / '.env'}"
    assert "chmod 600" in caplog.text
    assert CANARY not in caplog.text
    # the nearest one counts, even if it does not set the key
    (tmp_path / "a" / ".env").write_text("OTHER=1\n")
    source = QoroService().token
    source.renew()
    assert shown(source) == "of-the-environment"
    assert shown(QoroService(token="given").token) == "given"


def test_qoros_key_is_read_again_on_renewal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text("QORO_API_KEY=one")
    source = DotenvKey("QORO_API_KEY", {})
    source.renew()
    assert not source.renew()
    (tmp_path / ".env").write_text("QORO_API_KEY=two")
    assert source.renew()
    assert shown(source) == "two"


def test_without_a_key_it_says_where_one_can_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text("QORO_API_KEY=\n")
    with pytest.raises(ConfigurationError, match=r"token=.*QORO_API_KEY.*\.env"):
        DotenvKey("QORO_API_KEY", {}).renew()


def test_a_malformed_dotenv_is_refused_unseen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("QORO_API_KEY", CANARY)
    for line in (f'QORO_API_KEY="{CANARY}', f"QORO_API_KEY={CANARY} two"):
        (tmp_path / ".env").write_text(f"X=1\n{line}\n")
        with pytest.raises(ConfigurationError, match=r"\.env") as caught:
            QoroService().token.renew()
        no_canary(caught.value)


@pytest.mark.parametrize("wrong", [b"canary-0123456789", 5, ["x"]])
def test_a_token_that_is_no_text_is_refused_unseen(wrong: Any):
    with pytest.raises(ConfigurationError, match="text") as caught:
        fixed(wrong)
    assert "canary" not in str(caught.value)
