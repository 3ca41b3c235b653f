"""Rows that are read as one block: what is taken was compared, byte for byte."""

from __future__ import annotations

import json

import numpy as np
import pytest

from qawait.measurement_blocks import (
    BlockReader,
    Template,
    planes_of,
    template_of,
    unpack_planes,
)

SEED = 20_261_121
read_block = BlockReader().read
WIDTHS = [*range(1, 18), 20, 31, 32, 33, 63, 64, 65, 130]
LAYOUTS = {
    "compact": {"separators": (",", ":")},
    "spaced": {},
    "indented": {"indent": 1},
}


def written(levels: np.ndarray, layout: str) -> tuple[bytes, int, Template]:
    """The rows as text, where the first begins, and their template."""
    text = json.dumps(levels.tolist(), **LAYOUTS[layout]).encode()
    first = text.index(b"[", 1)
    template = template_of(text[first : text.index(b"[", first + 1)])
    assert template is not None
    return text, first, template


def bits(rows: int, width: int) -> np.ndarray:
    return np.random.default_rng(SEED + width).integers(0, 2, (rows, width), np.uint8)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("width", WIDTHS)
def test_a_block_holds_every_row_but_the_last(width: int, layout: str) -> None:
    """The last row has a bracket behind it where the others have a comma."""
    levels = bits(37, width)
    text, first, template = written(levels, layout)
    rows = min(37, (len(text) - first) // template.stride)
    good, planes = read_block(text, first, rows, template, wide=False)
    assert good == 36
    assert np.array_equal(unpack_planes(planes, width), levels[:36])
    assert np.array_equal(planes, planes_of(levels[:36]))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("width", WIDTHS)
def test_one_wrong_byte_ends_the_block_before_its_row(width: int, layout: str) -> None:
    """Every byte of a row in turn, with every bit of it flipped, and all of them."""
    levels = bits(5, width)
    text, first, template = written(levels, layout)
    for place in range(template.stride):
        at = first + 2 * template.stride + place
        for flipped in (1, 2, 4, 8, 16, 32, 64, 128, 255):
            damaged = bytearray(text)
            damaged[at] ^= flipped
            good, planes = read_block(bytes(damaged), first, 4, template, wide=False)
            if place in template.columns and flipped == 1:
                levels[2, template.columns.index(place)] ^= 1
                assert good == 4
                assert np.array_equal(unpack_planes(planes, width), levels[:4])
                levels[2, template.columns.index(place)] ^= 1
            else:
                assert good == 2, (place, flipped)
                assert np.array_equal(unpack_planes(planes, width), levels[:2])


@pytest.mark.parametrize("layout", LAYOUTS)
def test_where_levels_are_expected_digits_up_to_nine_are_read(layout: str) -> None:
    levels = np.random.default_rng(SEED).integers(0, 10, (9, 3), np.uint8)
    text, first, template = written(levels, layout)
    good, read = read_block(text, first, 8, template, wide=True)
    assert good == 8
    assert np.array_equal(read, levels[:8])
    at = first + 5 * template.stride + template.columns[1]
    for other in b"/:;?aA+- ":
        damaged = text[:at] + bytes([other]) + text[at + 1 :]
        assert read_block(damaged, first, 8, template, wide=True)[0] == 5


def test_a_level_above_one_ends_a_block_of_bits() -> None:
    for layout in LAYOUTS:
        levels = bits(6, 4)
        levels[3, 2] = 2
        text, first, template = written(levels, layout)
        good, planes = read_block(text, first, 5, template, wide=False)
        assert good == 3
        assert np.array_equal(unpack_planes(planes, 4), levels[:3])


def test_floats_have_a_template_and_what_is_behind_the_point_stays() -> None:
    text = b"[1.0, 0.0], [0.0, 1.0], [1.0, 1.5], "
    template = template_of(text[:12])
    assert template is not None
    good, planes = read_block(text, 0, 3, template, wide=False)
    assert good == 2
    assert unpack_planes(planes, 2).tolist() == [[1, 0], [0, 1]]


@pytest.mark.parametrize(
    "row",
    [
        b"[10],",
        b"[01],",
        b"[-1],",
        b"[1e0],",
        b"[1.],",
        b"[.1],",
        b"[1 1],",
        b"[1,],",
        b"[,1],",
        b"[1]]",
        b"[1]",
        b"[[1]],",
        b'["1"],',
        b"[1],\x0b",
        b"[1\xa0],",
        b"[\xef\xbc\x91],",
    ],
)
def test_what_has_no_template_is_left_to_others(row: bytes) -> None:
    assert template_of(row) is None


def test_an_empty_row_has_a_template_without_columns() -> None:
    template = template_of(b"[ ],")
    assert template is not None
    good, planes = read_block(b"[ ],[ ],[ ]]", 0, 3, template, wide=False)
    assert (good, planes.shape) == (2, (0, 2))


def test_rows_are_read_from_the_middle_of_a_text_and_from_a_view() -> None:
    """A block may begin at any byte, aligned or not."""
    levels = bits(40, 20)
    text, first, template = written(levels, "compact")
    for offset in range(16):
        shifted = memoryview(b"x" * offset + text)
        good, planes = read_block(shifted, offset + first, 39, template, wide=False)
        assert good == 39
        assert np.array_equal(unpack_planes(planes, 20), levels[:39])
