from __future__ import annotations

from typing import Literal

import msgspec
import pytest

from qawait.errors import ProtocolError, ResponseTruncated, UnexpectedContent
from qawait.wire import checked_id, decode


class Message(msgspec.Struct):
    id: str
    n: int = 0


DECODER = msgspec.json.Decoder(Message)


def test_a_well_formed_answer_becomes_its_value():
    assert decode(DECODER, b' {"id": "a", "later": 1}', "job") == Message("a")


@pytest.mark.parametrize(
    ("body", "kind", "says"),
    [
        (b"", UnexpectedContent, "job: the answer is empty"),
        (b" \r\n\t", UnexpectedContent, "job: the answer is empty"),
        (b"\n<html><b>504</b>", UnexpectedContent, "HTML page"),
        (b"upstream error", UnexpectedContent, "not JSON"),
        (b'\xff\xfe{"id":"a"}', UnexpectedContent, "not JSON"),
        (b'{"id": "a"', ResponseTruncated, "in the middle, after 10 bytes"),
        (b'{"id": "a', ResponseTruncated, "in the middle"),
        (b'{"id": "truncated", "n": "truncated"}', ProtocolError, "Expected `int`"),
        (b'{"id": 1}', ProtocolError, r"Expected `str`.*\$\.id"),
        (b'{"id": "\xff"}', ProtocolError, "not UTF-8"),
        (b'{"id": "a"} {', ProtocolError, "malformed"),
        (b'{"n": NaN}', ProtocolError, "malformed"),
        (b'{"x": ' + b"[" * 100_000, ProtocolError, "nested too deeply"),
    ],
)
def test_a_bad_answer_is_told_in_our_own_errors(body, kind, says):
    with pytest.raises(ProtocolError, match=says) as caught:
        decode(DECODER, body, "job")
    assert type(caught.value) is kind
    assert "\n" not in str(caught.value)


def test_a_word_of_the_answer_is_not_taken_for_its_end():
    decoder = msgspec.json.Decoder(Literal["a", "b"])
    with pytest.raises(ProtocolError, match="Invalid enum value 'truncated'") as caught:
        decode(decoder, b'"truncated"', "job")
    assert not isinstance(caught.value, ResponseTruncated)


def test_the_excerpt_is_short_and_cannot_steer_a_terminal():
    body = b"<p>\x1b[2J\n" + "ä".encode() * 500
    with pytest.raises(UnexpectedContent) as caught:
        decode(DECODER, body, "job")
    assert caught.value.excerpt == "<p> [2J " + "ä" * 192


@pytest.mark.parametrize("job_id", ["a", "06b32c55-4065-49b3", "_x.y~z", "a" * 128])
def test_an_id_that_is_one_segment_is_kept(job_id):
    assert checked_id(job_id) == job_id


@pytest.mark.parametrize(
    "job_id", ["", ".", "..", ".a", "~a", "a/b", "a%2Fb", "a b", "a\n", "ä", "a" * 129]
)
def test_an_id_that_could_leave_its_place_in_a_path_is_refused(job_id):
    with pytest.raises(ProtocolError, match="unusable id"):
        checked_id(job_id)
