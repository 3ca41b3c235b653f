"""IQM's measurements, from JSON to packed rows while the text arrives.

Wire reference, IQM, §5.2. Nearly all of that text is rows of digits, which a `RowReader`
takes by the block. The little around them is read here, piece by piece.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NoReturn

import msgspec

from qawait.errors import ProtocolError, ResponseTooLarge
from qawait.measurement_compact import MOST_BYTES, read_compact
from qawait.measurement_rows import KeyRows, RowReader, RowRefused, packed_rows
from qawait.shots import Shots
from qawait.wire import EXCERPT_CHARACTERS, cut_short, decode, excerpt_of, no_json

if TYPE_CHECKING:
    from collections.abc import Generator

__all__ = ["MAX_CIRCUITS", "MAX_KEYS", "MeasurementDecoder", "decode_measurements"]

_WHAT = "measurements"
_LONGEST = 1 << 22
"""Bytes of the longest key or row: two million columns, more than any machine has."""
MAX_CIRCUITS, MAX_KEYS = 100_000, 500_000
"""The most circuits, and keys over all circuits, of one batch. Empty ones take three
bytes of the text and two hundred times that in memory."""

_KEY = msgspec.json.Decoder(str)


def _pattern(text: bytes) -> re.Pattern[bytes]:
    """A pattern in which _ is what JSON takes for space."""
    return re.compile(text.replace(b"_", rb"[ \t\n\r]*+"), re.DOTALL)


# Nothing is ever given back (*+), so that a hostile text costs no memory and no time.
_TEXT = rb'"[^"\\\x00-\x1f]*+(?:\\.[^"\\\x00-\x1f]*+)*+'
_STRING = _TEXT + b'"'
_SPACE = _pattern(rb"_")
_LIST = _pattern(rb"_\[")
_OBJECT = _pattern(rb"_\{")
_OBJECT_OR_END = _pattern(rb"_([{\]])")
_NAME_OR_END = _pattern(rb"_(?:(%b)_:_\[|\})" % _STRING)
_NEXT_NAME_OR_END = _pattern(rb"_(?:,_(%b)_:_\[|\})" % _STRING)
_ROW = _pattern(rb'_(\[[^][{}"]*+\])(?:(_,_)|_\])')
_ROW_OR_END = _pattern(rb'_(?:(\[[^][{}"]*+\])(?:(_,_)|_\])|\])')
_COMMA_OR_BRACKET = _pattern(rb"_([,\]])")

_A_KEY, _A_COMMA, _A_ROW = "a key", "a comma or a brace", "a row"
_NOTHING = "the end of the text"
_NAME_PIECES = (
    (_pattern(_STRING + b"_"), "a colon"),
    (_pattern(b":_"), "an array of rows"),
)
_PIECES = {
    _A_KEY: _NAME_PIECES,
    _A_COMMA: ((_pattern(b",_"), _A_KEY), *_NAME_PIECES),
    _A_ROW: (
        (_pattern(rb'\[[^][{}"]*+'), "a number"),
        (_pattern(rb"\]_"), "a comma or a bracket"),
    ),
}
"""What several pieces make up, and what is expected behind each of them."""
_BROKEN_OFF = _pattern(
    rb',?_(?:%b\\?|%b_(?::_)?|\[[^][{}"]*+(?:\]_)?)?' % (_TEXT, _STRING)
)
"""What the text may end with where it ends in the middle."""
_KINDS = {
    **dict.fromkeys(b"0123456789-", "number"),
    **dict.fromkeys(b"tf", "bool"),
    ord("n"): "null",
    ord('"'): "str",
    ord("["): "array",
    ord("{"): "object",
}


def decode_measurements(body: bytes | memoryview | msgspec.Raw) -> list[Shots]:
    """Reads `[{key: [[level, ...], ...]}, ...]`, one mapping for each circuit.

    Returns:
        For each circuit its keys in the order of the wire, each with an array (shots,
        locus). A key without a single row has no columns, since its locus is not in
        these data.

    Raises:
        ProtocolError: It is not JSON, a key comes twice in one circuit, a level is not
            an integer from 0 to `MAX_LEVEL` (1.0 is one), rows have different lengths,
            or the keys of a circuit different numbers of rows.
        ResponseTooLarge: More than `MAX_CIRCUITS` circuits, or `MAX_KEYS` keys.
    """
    decoder = MeasurementDecoder()
    decoder.feed(memoryview(body))
    return decoder.close()


class MeasurementDecoder:
    """Reads measurements piece by piece; `decode_measurements` does so at once.

    It holds what it has read as packed rows, and of the text no more than the piece at
    hand and one unfinished row. Errors are those of `decode_measurements`; after one,
    every call raises it.

    Args:
        within: Whether the list may be followed by other text; `rest` is what of it was
            fed with the list.
    """

    def __init__(self, *, within: bool = False) -> None:
        self.rest: bytes | None = None
        """What follows the list, once its end was read; only if it is `within`."""
        self._within = within
        self._data: bytes | memoryview = b""
        self._at = 0
        self._before = 0
        """Bytes of the text in front of `_data`."""
        self._kept: list[bytes] = []
        """Pieces that came since, too little yet to be worth another try."""
        self._ended = False
        self._failure: ProtocolError | None = None
        self._head = b""
        self._circuits: list[Shots] = []
        self._key: str | None = None
        self._keys = 0
        self._reader = RowReader()
        self._steps = self._document()

    def feed(self, data: bytes | memoryview) -> None:
        """Takes the next piece of the text."""
        if self._failure is not None:
            raise self._failure
        missing = max(0, 4 * EXCERPT_CHARACTERS - len(self._head))
        self._head += bytes(data[:missing])
        if left := len(self._data):
            # Only when there is as much again: else many small pieces of one long row
            # would be copied over and over.
            self._kept.append(bytes(data))
            if sum(map(len, self._kept)) < left:
                return
            data = b"".join([self._data, *self._kept])
            self._kept.clear()
        self._data = data
        self._go_on()

    def close(self) -> list[Shots]:
        """The circuits, once the whole text was fed."""
        if self._failure is not None:
            raise self._failure
        self._ended = True
        self._data = b"".join([self._data, *self._kept])
        self._go_on()
        return self._circuits

    def drop(self) -> None:
        """Lets go of what was read of a text whose rest will never come."""
        # A generator that waits for more keeps this object, which keeps the generator.
        self._steps.close()

    def _go_on(self) -> None:
        try:
            next(self._steps, None)
        except ProtocolError as failure:
            self._failure = failure
            raise
        # What is left is copied, for the piece belongs to who fed it.
        self._before += self._at
        self._data, self._at = bytes(self._data[self._at :]), 0

    # --- the grammar; a step yields where it needs more text --------------------------

    def _document(self) -> Generator[None, None, None]:
        if not self._within and len(self._data) <= MOST_BYTES:
            few = read_compact(bytes(self._data))
            if few is not None:
                self._circuits, self._at = few, len(self._data)
                yield from self._nothing_more()
                return
        yield from self._take(_LIST, "a list of circuits")
        found = yield from self._take(_OBJECT_OR_END, "a circuit")
        while found[1] != b"]":
            yield from self._circuit()
            found = yield from self._take(_COMMA_OR_BRACKET, "a comma or the end")
            if found[1] == b",":
                yield from self._take(_OBJECT, "a circuit")
        if self._within:
            self.rest = bytes(self._data[self._at :])
            return
        yield from self._nothing_more()

    def _nothing_more(self) -> Generator[None, None, None]:
        while True:
            self._skip_space()
            if self._at < len(self._data):
                self._refuse(_NOTHING)
            if self._ended:
                return
            yield

    def _circuit(self) -> Generator[None, None, None]:
        keys: dict[str, KeyRows] = {}
        found = yield from self._take(_NAME_OR_END, _A_KEY)
        while found[1]:
            key = decode(_KEY, found[1], f"{_WHAT} of circuit {len(self._circuits)}")
            if key in keys:
                raise self._error(f"the key {key!r} comes twice")
            self._keys += 1
            if self._keys > MAX_KEYS:
                raise self._too_many(f"{MAX_KEYS} keys")
            self._key = key
            try:
                keys[key] = yield from self._rows()
            except RowRefused as error:
                raise self._error(str(error)) from None
            self._key = None
            found = yield from self._take(_NEXT_NAME_OR_END, _A_COMMA)
        self._circuits.append(self._joined(keys))
        if len(self._circuits) > MAX_CIRCUITS:
            raise self._too_many(f"{MAX_CIRCUITS} circuits")

    def _rows(self) -> Generator[None, None, KeyRows]:
        reader = self._reader
        reader.begin()
        found = yield from self._take(_ROW_OR_END, _A_ROW)
        while found[1]:
            if found[2] is None:
                reader.read_one(found[1], None)
                break
            reader.read_one(found[1], found[2])
            self._at = reader.read_many(self._data, self._at)
            found = yield from self._take(_ROW, _A_ROW)
        return reader.end()

    def _joined(self, keys: dict[str, KeyRows]) -> Shots:
        """The keys of one circuit as one array of packed rows."""
        first, rows = next(((k, read.rows) for k, read in keys.items()), ("", 0))
        for key, read in keys.items():
            if read.rows != rows:
                raise self._error(
                    f"keys with different numbers of shots: {first!r} has {rows},"
                    f" {key!r} {read.rows}"
                )
        return Shots(
            rows,
            {key: read.width for key, read in keys.items()},
            packed_rows(
                rows,
                [(r.planes, r.width) for r in keys.values() if r.planes is not None],
            ),
            {key: r.levels for key, r in keys.items() if r.levels is not None},
        )

    def _take(
        self, pattern: re.Pattern[bytes], expected: str
    ) -> Generator[None, None, re.Match[bytes]]:
        while True:
            end = self._at + _LONGEST
            if (found := pattern.match(self._data, self._at, end)) is not None:
                break
            if self._ended or len(self._data) > end:
                self._refuse(expected)
            yield
        self._at = found.end()
        return found

    # --- what is wrong ----------------------------------------------------------------

    def _skip_space(self) -> None:
        space = _SPACE.match(self._data, self._at)
        assert space is not None
        self._at = space.end()

    def _error(self, reason: str) -> ProtocolError:
        where = f"{_WHAT} of circuit {len(self._circuits)}"
        if self._key is not None:
            where += f", key {self._key!r}"
        return ProtocolError(f"{where}: {reason}", excerpt=excerpt_of(self._head))

    def _too_many(self, limit: str) -> ResponseTooLarge:
        return ResponseTooLarge(f"{_WHAT}: more than {limit} in one batch")

    def _refuse(self, expected: str) -> NoReturn:
        """Says why the text cannot be read on from here."""
        self._skip_space()
        rest = bytes(self._data[self._at : self._at + _LONGEST + 1])
        place = self._before + self._at
        if not self._circuits and (error := no_json(self._head, _WHAT)) is not None:
            raise error
        if expected != _NOTHING and _BROKEN_OFF.fullmatch(rest):
            if self._ended:
                raise cut_short(self._head, self._before + len(self._data), _WHAT)
            raise self._error(f"a key or a row is longer than {_LONGEST} bytes")
        for piece, following in _PIECES.get(expected, ()):
            if (found := piece.match(rest)) is None:
                break
            place, rest = place + found.end(), rest[found.end() :]
            expected = following
        kind = _KINDS.get(rest[0]) if rest else None
        got = ascii(rest[:1].decode("latin-1")) if kind is None else f"`{kind}`"
        raise self._error(f"expected {expected}, got {got} (byte {place})")
