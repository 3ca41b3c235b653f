"""Documents with IQM's measurements, in every layout; and damage to them.

All of it is drawn from a `random.Random`, so that a seed gives the same documents again.
"""

from __future__ import annotations

import json
from random import Random
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable


class Layout(NamedTuple):
    """The white space of a document, as text to put at each kind of place."""

    name: str
    after_comma: tuple[str, ...] = ("",)
    between_rows: tuple[str, ...] = ("",)
    after_colon: tuple[str, ...] = ("",)
    inside: tuple[str, ...] = ("",)
    """After an opening bracket and before a closing one."""


LAYOUTS = (
    Layout("compact"),
    Layout("spaced", (" ",), (" ",), (" ",)),
    Layout("spaced rows", ("",), (" ",), (" ",)),
    Layout("a row on each line", (" ",), ("\n    ",), (" ",)),
    Layout("indented", ("\n        ",), ("\n    ",), (" ",), ("\n      ",)),
    Layout("lines of another system", ("\r\n",), ("\r\n\t",), ("\t",)),
    Layout("mixed", *[("", " ", "\n", "\t\r ")] * 4),
    Layout("mostly compact", *[("",) * 60 + (" ",)] * 4),
)

KEYS = (
    "m",
    "c_20_0_0",
    "a b",
    "é",
    "日本",
    "😀",
    "[[0,1],[1,0]]",
    '"',
    "\\",
    "\x7f",
    "",
)


def bits(random: Random, column: int) -> str:
    return random.choice("01")


def levels(random: Random, column: int) -> str:
    return random.choice("0123456789")


def wide(random: Random, column: int) -> str:
    return str(random.choice((0, 1, 10, 99, 100, 255, 256, 65535, 65536, 2**32 - 1)))


def wide_columns(random: Random, column: int) -> str:
    """As many digits in a column, which leaves rows of one length."""
    return str(random.randrange(10**column, 10 ** (column + 1))) if column < 8 else "7"


def floats(random: Random, column: int) -> str:
    return random.choice(("0.0", "1.0"))


def numbers(random: Random, column: int) -> str:
    return random.choice(
        (
            "0",
            "1",
            "0.0",
            "1.0",
            "-0",
            "-0.0",
            "1e0",
            "10e-1",
            "2E+1",
            "1e-400",
            "300.0",
        )
    )


WRITTEN = (bits, bits, bits, levels, wide, wide_columns, floats, numbers)


def document(random: Random, *, most_rows: int = 12, most_columns: int = 6) -> bytes:
    """A document that is right, of some circuits."""
    layout = random.choice(LAYOUTS)
    outer = random.choice(LAYOUTS)

    def gap(places: tuple[str, ...]) -> str:
        return random.choice(places)

    def joined(parts: list[str], between: tuple[str, ...], ends: str) -> str:
        text = ",".join(
            part if n == 0 else gap(between) + part for n, part in enumerate(parts)
        )
        return ends[0] + gap(layout.inside) + text + gap(layout.inside) + ends[1]

    def rows(count: int) -> str:
        columns = random.choice((0, *range(1, most_columns + 1)))
        write = random.choice(WRITTEN)
        return joined(
            [
                joined(
                    [write(random, column) for column in range(columns)],
                    layout.after_comma,
                    "[]",
                )
                for _ in range(count)
            ],
            layout.between_rows,
            "[]",
        )

    circuits: list[str] = []
    for _ in range(random.choice((0, 1, 1, 1, 2, 3))):
        count = random.choice((0, 1, 2, random.randint(0, most_rows), most_rows))
        keys = random.sample(KEYS, random.choice((0, 1, 1, 1, 2, 3)))
        circuits.append(
            joined(
                [
                    _key(random, key) + ":" + gap(outer.after_colon) + rows(count)
                    for key in keys
                ],
                outer.between_rows,
                "{}",
            )
        )
    return (gap(outer.inside) + joined(circuits, outer.between_rows, "[]")).encode()


def grid(
    rows: int, columns: int, *, layout: Layout = LAYOUTS[0], key: str = "m"
) -> bytes:
    """One circuit with one key of bits, always the same ones."""
    random = Random(f"{rows} {columns}")
    comma, between = "," + layout.after_comma[0], "," + layout.between_rows[0]
    text = between.join(
        "[" + comma.join(bits(random, c) for c in range(columns)) + "]"
        for _ in range(rows)
    )
    return f'[{{"{key}":{layout.after_colon[0]}[{text}]}}]'.encode()


def _key(random: Random, key: str) -> str:
    if key and random.random() < 0.2:
        return '"' + "".join(_escaped(c) for c in key) + '"'
    return json.dumps(key, ensure_ascii=random.random() < 0.5)


def _escaped(character: str) -> str:
    units = character.encode("utf-16-be")
    return "".join(f"\\u{units[n : n + 2].hex()}" for n in range(0, len(units), 2))


# --- damage ---------------------------------------------------------------------------

TELLING = b'[]{},:"\\ \t\r\n\x00\x0b\x0c\x1f\xa0\xc2\xe2\xff/.-+eEu0123456789tfnNI'
"""Bytes that mean something in JSON, or look as if they did."""

PIECES = (
    b"NaN", b"Infinity", b"-Infinity", b"null", b"true", b"false", b"-0", b"-1", b"1.0", b"0.5", b"1e0", b"1e-400",
    b"1e400", b"256", b"01", b"1.", b".5", b"+1", b"4294967295", b"4294967296", b"18446744073709551616",
    b"[[0]]", b"[[1,0],[0,1]]", b"[]", b"[[]]", b"{}", b"],[", b"]]", b"[[", b",,", b'""', b'"[[0]]"', b'"m":', b'"m":[[0]],',
    b'"m":[[1],[0]],', b'"\\u006d":[[1]],', b'\\"', b"\\u0022", b"\\ud83d", b"\xef\xbb\xbf", b"\xc2\xa0", b"\xe2\x80\xa8", b"//", b"/**/", b"#",
)  # fmt: skip


def _flip(random: Random, body: bytearray, at: int) -> None:
    body[at] ^= 1 << random.randrange(8)


def _replace(random: Random, body: bytearray, at: int) -> None:
    body[at] = random.choice(TELLING)


def _insert(random: Random, body: bytearray, at: int) -> None:
    body.insert(at, random.choice(TELLING))


def _delete(random: Random, body: bytearray, at: int) -> None:
    del body[at]


def _cut_out(random: Random, body: bytearray, at: int) -> None:
    del body[at : at + random.randint(1, 12)]


def _say_twice(random: Random, body: bytearray, at: int) -> None:
    body[at:at] = body[at : at + random.randint(1, 24)]


def _swap(random: Random, body: bytearray, at: int) -> None:
    other = random.randrange(len(body))
    body[at], body[other] = body[other], body[at]


def _put_in(random: Random, body: bytearray, at: int) -> None:
    body[at:at] = random.choice(PIECES)


def _put_over(random: Random, body: bytearray, at: int) -> None:
    piece = random.choice(PIECES)
    body[at : at + len(piece)] = piece


def _other_digit(random: Random, body: bytearray, at: int) -> None:
    """Most often leaves the document right, with another level."""
    for place in range(at, len(body)):
        if body[place] in b"0123456789":
            body[place] = random.choice(b"0123456789")
            return


def _turn_bracket(random: Random, body: bytearray, at: int) -> None:
    turned = dict(zip(b"[]{}", b"][}{", strict=True)) | {44: 58, 58: 44}
    for place in range(at, len(body)):
        if body[place] in turned:
            body[place] = turned[body[place]]
            return


def _sign(random: Random, body: bytearray, at: int) -> None:
    for place in range(at, len(body)):
        if body[place] in b"01":
            body[place:place] = random.choice((b"-", b"+", b" ", b"0", b"1", b"."))
            return


def _space(random: Random, body: bytearray, at: int) -> None:
    """White space where JSON allows it, and some that JSON has none of."""
    for place in range(at, len(body)):
        if body[place] in b"[],:{}":
            body.insert(place, random.choice(b"  \t\n\r\x0b\x0c\xa0"))
            return


DAMAGE: tuple[Callable[[Random, bytearray, int], None], ...] = (
    _flip, _replace, _insert, _delete, _cut_out, _say_twice, _swap, _put_in, _put_over,
    _other_digit, _other_digit, _turn_bracket, _sign, _space,
)  # fmt: skip


def damaged(random: Random, body: bytes, other: bytes) -> bytes:
    """A document with one to three mutations, or spliced with another, or cut."""
    kind = random.random()
    if kind < 0.04:
        return body[: random.randrange(len(body))]
    if kind < 0.08:
        return (
            body[: random.randrange(len(body))] + other[random.randrange(len(other)) :]
        )
    if kind < 0.12:
        begin = random.randrange(len(other))
        piece = other[begin : begin + random.randint(1, 40)]
        at = random.randrange(len(body))
        return body[:at] + piece + body[at:]
    mutated = bytearray(body)
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        if mutated:
            random.choice(DAMAGE)(random, mutated, random.randrange(len(mutated)))
    return bytes(mutated)
