"""What IQM's measurements mean, said in the plainest Python: an oracle for the decoder.

It shares nothing with the library: the standard library's `json` reads the text, and
loops look at every number. Where RFC 8259 leaves a reader free, it says what we chose:

- a key may come once in a circuit, after its escapes are read;
- keys are text: a surrogate that stands alone is refused;
- a number is what the nearest float64 is, so `1.0`, `10e-1` and `-0` are levels, and so
  is `1e-400`, which is 0; `0.5`, `-1` and `1e400` are none.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

HIGHEST_LEVEL = 2**32 - 1

Circuits = list[dict[str, list[list[int]]]]


class Refused(Exception):
    """The document is not IQM's measurements; the text says why."""


def read(body: bytes) -> Circuits:
    """Reads `[{key: [[level, ...], ...]}, ...]`.

    Raises:
        Refused: It is no such document.
    """
    try:
        document = json.loads(
            body.decode("utf-8"),
            object_pairs_hook=_keys,
            parse_constant=_constant,
            parse_int=_integer,
        )
    except (ValueError, RecursionError) as error:
        raise Refused(str(error)) from None
    _demand(type(document) is list, "no list of circuits")
    for circuit in document:
        _demand(type(circuit) is dict, "a circuit that is no object")
        _demand(len({_rows(rows) for rows in circuit.values()}) <= 1, "unequal shots")
    return [
        {
            key: [[int(level) for level in row] for row in rows]
            for key, rows in c.items()
        }
        for c in document
    ]


def _rows(rows: Any) -> int:
    """How many rows one key has, if all is well with them."""
    _demand(type(rows) is list, "a key without a list of rows")
    for row in rows:
        _demand(type(row) is list, "a row that is no list")
        _demand(len(row) == len(rows[0]), "rows of different lengths")
        for level in row:
            _demand(type(level) in (int, float), "a level that is no number")
            _demand(0 <= level <= HIGHEST_LEVEL, "a level out of range")
            _demand(level == int(level), "a level that is no integer")
    return len(rows)


def _keys(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    keys = dict(pairs)
    _demand(len(keys) == len(pairs), "a key twice")
    for key in keys:
        key.encode("utf-8")
    return keys


def _constant(text: str) -> Any:
    raise Refused(f"{text} is not JSON")


def _integer(text: str) -> int:
    # Python refuses to read integers of thousands of digits, which are out of range.
    return int(text[:40])


def _demand(holds: bool, why: str) -> None:
    if not holds:
        raise Refused(why)
