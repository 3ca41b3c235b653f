from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from qawait._auth import Secret, TokensFile, token_source
from qawait.errors import ConfigurationError

CANARY = "canary-0123456789"


def test_a_secret_never_shows_itself():
    secret = Secret(CANARY)
    shown = [repr(secret), str(secret), f"{secret}", f"{secret!r:>40}", f"{[secret]}"]
    assert not any(CANARY in text for text in shown)
    assert CANARY.encode() not in pickle.dumps(secret)
    assert secret.reveal() == CANARY


def test_the_token_comes_from_the_argument_before_the_environment():
    environment = {"TOKEN": "from-environment"}
    source = token_source("given", environment=environment, token_variable="TOKEN")
    current = source.current()
    assert current is not None
    assert current.reveal() == "given"
    source = token_source(None, environment=environment, token_variable="TOKEN")
    current = source.current()
    assert current is not None
    assert current.reveal() == "from-environment"


def test_without_any_source_no_token_is_sent():
    source = token_source(None, environment={}, token_variable="TOKEN")
    assert source.current() is None
    assert not source.renew()


def test_two_sources_are_refused():
    environment = {"TOKEN": "a", "FILE": "b"}
    with pytest.raises(ConfigurationError, match="both TOKEN and FILE"):
        token_source(
            None, environment=environment, token_variable="TOKEN", file_variable="FILE"
        )
    with pytest.raises(ConfigurationError, match="not both"):
        token_source("a", "b", environment={})


def test_an_empty_variable_is_no_token():
    source = token_source(None, environment={"TOKEN": ""}, token_variable="TOKEN")
    assert source.current() is None


@pytest.mark.parametrize("wrong", ["a\nb", "zwölf", "two words", "tab\t"])
def test_a_token_with_impossible_characters_is_refused_unseen(wrong: str):
    with pytest.raises(ConfigurationError) as caught:
        token_source(wrong, environment={})
    assert wrong not in str(caught.value)


def test_a_tokens_file_is_read_again_on_renewal(tmp_path: Path):
    path = tmp_path / "tokens.json"
    path.write_text('{"access_token": "one", "pid": 1, "refresh_token": "r"}')
    source = TokensFile(path)
    assert not source.renew()
    path.write_text('{"access_token": "two"}')
    assert source.renew()
    current = source.current()
    assert current is not None
    assert current.reveal() == "two"


def test_a_tokens_file_that_is_none_is_named_and_not_shown(tmp_path: Path):
    path = tmp_path / "tokens.json"
    with pytest.raises(ConfigurationError, match=r"tokens\.json: No such file"):
        TokensFile(path)
    path.write_text(CANARY)
    with pytest.raises(ConfigurationError, match=r"tokens\.json") as caught:
        TokensFile(path)
    assert CANARY not in str(caught.value)
    assert caught.value.__cause__ is None
