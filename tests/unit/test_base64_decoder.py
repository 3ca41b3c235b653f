from __future__ import annotations

import base64
import binascii
import random

import pytest

from qawait.histograms import base64_decoder
from qawait.histograms.base64_decoder import decode

SEED = 7


def plainly(text: str) -> bytes | str:
    """The bytes, or what is wrong, by binascii alone."""
    try:
        return binascii.a2b_base64(text, strict_mode=True)
    except ValueError as error:
        return str(error)


def fast(text: str) -> bytes | str:
    try:
        return decode(text).tobytes()
    except ValueError as error:
        return str(error)


LONG = 3 * 2**17
"""Bytes, which take four blocks and the beginning of a fifth."""


@pytest.mark.parametrize("size", [0, 1, 2, 3, 3071, 3072, 3073, LONG - 1, LONG + 1])
def test_every_length_is_decoded(size: int):
    data = random.Random(SEED).randbytes(size)
    assert decode(base64.b64encode(data).decode()).tobytes() == data


def test_every_pair_of_characters_is_decoded():
    data = b"".join(n.to_bytes(3, "big") for n in range(0, 2**24, 4093))
    text = base64.b64encode(data).decode()
    assert {*text} == {*map(chr, base64_decoder._ALPHABET)}
    assert decode(text).tobytes() == data


@pytest.mark.parametrize("character", [*"=-_ \n\0\x7f,:@[`{", "\xe9", "€", "😀"])
@pytest.mark.parametrize(
    "at", [0, 1, 2, 3, 5_001, 131_071, 131_072, -5, -4, -3, -2, -1]
)
def test_a_foreign_character_is_refused_as_binascii_refuses_it(at: int, character: str):
    text = base64.b64encode(random.Random(SEED).randbytes(LONG)).decode()
    at %= len(text)
    broken = text[:at] + character + text[at + 1 :]
    assert isinstance(plainly(broken), str) or (character, at) == ("=", len(text) - 1)
    assert fast(broken) == plainly(broken)


@pytest.mark.parametrize("cut", [1, 2, 3])
def test_a_text_that_is_cut_is_refused(cut: int):
    text = base64.b64encode(random.Random(SEED).randbytes(LONG)).decode()
    with pytest.raises(ValueError, match=r"[Ii]ncorrect padding|Invalid base64"):
        decode(text[:-cut])


@pytest.mark.parametrize(
    "end", ["\n\n\n\n", "\n===", "A===", "=AAA", "AA=A", "A=A=", "A\n==", "AA=\n"]
)
def test_the_last_four_characters_are_read_as_strictly(end: str):
    text = base64.b64encode(random.Random(SEED).randbytes(6_000)).decode()
    assert isinstance(plainly(text + end), str)
    assert fast(text + end) == plainly(text + end)


def test_padding_in_the_middle_is_refused():
    """Two texts, one after the other, are not one."""
    text = base64.b64encode(random.Random(SEED).randbytes(5_000)).decode()
    assert text.endswith("=")
    with pytest.raises(ValueError, match="padding"):
        decode(text + text)
