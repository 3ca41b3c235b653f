"""A run as the oldest dialect tells it, read while it arrives.

There the measurements stand in the middle of an object, and are nearly all of it. To
msgspec they would be one value to skip, and nothing else could run for so long; so they
are taken out of the text, and msgspec reads what stands around them.
"""

from __future__ import annotations

import re

import msgspec
from msgspec import Raw, Struct

from qawait.errors import ProtocolError, ResponseTooLarge, ResponseTruncated
from qawait.iqm.run_result import Metadata, RunResult
from qawait.measurement_decoder import MeasurementDecoder, decode_measurements
from qawait.wire import cut_short, decode, excerpt_of, no_json

__all__ = ["RunDecoder"]

_NULL = Raw(b"null")
_TAKEN = Raw(b"-0")
"""What stands in the rest of the text for measurements that were taken out."""

_NAME = b'"measurements"'
_FIELD = re.compile(rb'(?<!\\)"measurements"[ \t\n\r]*+:[ \t\n\r]*+(?=([^ \t\n\r]))')
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
_LARGEST_REST = 1 << 27
"""Bytes beside the measurements: the submitted circuits may be among them."""
_LONGEST_SPACE = 64
"""Space before and behind the colon; with more, msgspec reads it all."""


class _Wire(Struct, frozen=True, kw_only=True):
    """The object, its measurements not looked at."""

    status: str
    measurements: Raw = _NULL
    message: str | None = None
    metadata: Metadata
    warnings: list[str] | None = None


_DECODER = msgspec.json.Decoder(_Wire)


class RunDecoder:
    """Reads `{status, measurements, message, metadata, warnings}` piece by piece.

    It holds packed rows for the measurements, and all the rest of the text. After an
    error it is of no more use.
    """

    def __init__(self) -> None:
        self._text = bytearray()
        """The text without the measurements."""
        self._size = 0
        self._looked_at = 0
        self._has_begun = False
        """Whether anything but space has come."""
        self._measurements: MeasurementDecoder | None = None
        self._is_within = False
        """Whether what comes next belongs to the measurements."""

    def feed(self, data: bytes | memoryview, /) -> None:
        """Take the next piece of the text.

        Raises:
            ProtocolError: It is not JSON, or the measurements are none; see
                `decode_measurements`.
            ResponseTooLarge: More than 128 MiB are no measurements.
        """
        self._size += len(data)
        if self._is_within:
            self._take_out(data)
            return
        if not self._has_begun and (start := bytes(data).strip()):
            self._has_begun = True
            if (error := no_json(start, "run")) is not None:
                raise error
        self._text += data
        if len(self._text) > _LARGEST_REST:
            raise ResponseTooLarge(
                f"run: more than {_LARGEST_REST} bytes beside the measurements"
            )
        if self._measurements is None and (start := self._start()) is not None:
            taken = bytes(self._text[start:])
            del self._text[start:]
            self._text += bytes(_TAKEN)
            self._measurements = MeasurementDecoder(within=True)
            self._is_within = True
            self._take_out(taken)

    def close(self) -> RunResult:
        """The run, once the whole text was fed.

        Raises:
            ProtocolError: It does not follow the wire model.
        """
        taken = None if self._measurements is None else self._measurements.close()
        text = bytes(self._text)
        try:
            wire = decode(_DECODER, text, "run")
        except ResponseTruncated:
            raise cut_short(text, self._size, "run") from None
        if taken is not None and wire.measurements != _TAKEN:
            raise ProtocolError(
                "run: the key 'measurements' comes twice", excerpt=excerpt_of(text)
            )
        if taken is None and wire.measurements != _NULL:
            taken = decode_measurements(wire.measurements)
        return RunResult(
            status=wire.status,
            measurements=taken,
            message=wire.message,
            metadata=wire.metadata,
            warnings=wire.warnings,
        )

    def drop(self) -> None:
        """Let go of what was read of a text whose rest will never come."""
        if self._measurements is not None:
            self._measurements.drop()

    def _take_out(self, data: bytes | memoryview) -> None:
        assert self._measurements is not None
        self._measurements.feed(data)
        if (rest := self._measurements.rest) is not None:
            self._is_within = False
            self._text += rest

    def _start(self) -> int | None:
        """Where the measurements begin, if that is in the text so far.

        A quote within a string has a backslash before it, so that the name in quotes is
        never but a key; it has to be one of the run itself, and of no object in that.
        """
        while (at := self._text.find(_NAME, self._looked_at)) >= 0:
            field = _FIELD.match(self._text, at)
            if field is None:
                if len(self._text) - at < len(_NAME) + _LONGEST_SPACE:
                    self._looked_at = at
                    return None
            elif field[1] != b"n" and _depth(self._text[:at]) == 1:
                return field.end()
            self._looked_at = at + 1
        self._looked_at = max(self._looked_at, len(self._text) - len(_NAME))
        return None


def _depth(text: bytearray) -> int:
    """How many objects and arrays are open at the end of a text."""
    bare = _STRING.sub(b"", text)
    opened = bare.count(b"{") + bare.count(b"[")
    return opened - bare.count(b"}") - bare.count(b"]")
