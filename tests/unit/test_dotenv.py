"""One variable of a `.env`; the values are those that python-dotenv gives."""

from __future__ import annotations

from pathlib import Path

import pytest

from qawait._credential_file import CredentialFile
from qawait._dotenv import nearest_dotenv, variable_in
from qawait.errors import ConfigurationError


def value(text: str | bytes, variable: str = "KEY") -> str | None:
    content = text if isinstance(text, bytes) else text.encode()
    return variable_in(CredentialFile(content, False), variable, "file x")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("KEY=abc", "abc"),
        ("KEY = abc \n", "abc"),
        ("  export KEY=abc", "abc"),
        ("export\tKEY=abc", "abc"),
        ("KEY='abc'", "abc"),
        ('KEY="abc"', "abc"),
        ("KEY='a b#c'  # why", "a b#c"),
        ('KEY="a\\"b"', 'a"b'),
        ("KEY='a\\'b'", "a'b"),
        ("KEY='${OTHER}'", "${OTHER}"),
        ("KEY=abc # why", "abc"),
        ("KEY=abc#why", "abc#why"),
        ("KEY=a=b==", "a=b=="),
        ("KEY=one\nKEY=two", "two"),
        ("KEY=abc\r\nOTHER=1\r\n", "abc"),
        (b"\xef\xbb\xbfKEY=abc", "abc"),
        ("# KEY=abc", None),
        ("KEY=", None),
        ("KEY=  # nothing", None),
        ("KEY=''", None),
        ("KEY", None),
        ("MY_KEY=abc\nKEY2=abd\nkey=abe", None),
        ("", None),
        ('nonsense !\n= 1\nOTHER="open\nKEY=abc', "abc"),
        ("exportKEY=abc", None),
    ],
)
def test_a_value_is_read_as_it_stands_there(text: str | bytes, expected: str | None):
    assert value(text) == expected


@pytest.mark.parametrize(
    "line", ["KEY='abc", 'KEY="abc', "KEY='abc'd", "KEY=${OTHER}", 'KEY="a${B}"']
)
def test_a_malformed_value_names_its_line_and_is_not_shown(line: str):
    with pytest.raises(ConfigurationError, match=r"^file x, line 2: ") as caught:
        value(f"A=1\n{line}\n")
    assert "abc" not in str(caught.value)


def test_a_file_that_is_no_text_is_refused():
    with pytest.raises(ConfigurationError, match="file x is not UTF-8"):
        value(b"KEY=\xff")


def test_the_nearest_file_is_found_and_no_directory(tmp_path: Path):
    deep = tmp_path / "a" / "b" / "c"
    deep.mkdir(parents=True)
    (tmp_path / "a" / ".env").write_text("")
    (tmp_path / "a" / "b" / ".env").mkdir()
    assert nearest_dotenv(deep) == tmp_path / "a" / ".env"
    (deep / ".env").write_text("")
    assert nearest_dotenv(deep) == deep / ".env"
