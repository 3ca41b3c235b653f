"""IQM's own model of a run and its results, as iqm-client up to 32 has it.

Every attribute of that client's class exists with its meaning. What pydantic gave as
`model_fields` is `msgspec.structs.fields(RunResult)` here. JSON and its schema need one
hook each, because msgspec does not know arrays:

```python
msgspec.json.encode(run_result, enc_hook=enc_hook)
msgspec.json.schema(RunResult, schema_hook=schema_hook)
```

Source: wire reference, IQM, §4.4 and §5.2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import msgspec
import numpy as np
from msgspec import Raw, Struct

from qawait.errors import ProtocolError
from qawait.measurements import (
    Levels,
    as_measurements,
    decode_measurements,
)
from qawait.wire import decode

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Metadata", "RunResult", "enc_hook", "schema_hook"]

_READY = "ready"
_NOTHING = Raw(b"null")


class Metadata(Struct, frozen=True, kw_only=True):
    """What the service tells about a run; fields it does not know are ignored.

    Older services fill `request`, newer ones `parameters` and `circuits_batch`.
    """

    calibration_set_id: str | None = None
    """The calibration the run used."""
    request: dict[str, Any] | None = None
    """The whole run request, as it was submitted."""
    parameters: dict[str, Any] | None = None
    """The parameters of the run request: shots, modes and limits."""
    circuits_batch: list[Any] | None = None
    """The circuits of the run request."""
    cocos_version: str | None = None
    """The version of the service's software."""
    timestamps: dict[str, str] | None = None
    """ISO 8601 by stage; a stage that has not happened is absent."""

    @property
    def shots(self) -> int | None:
        """Shots asked for, for each circuit; None if the service does not say."""
        return self._asked("shots")

    @property
    def circuits(self) -> list[Any] | None:
        """The circuits submitted; None if the service does not say."""
        if self.circuits_batch is not None:
            return self.circuits_batch
        return None if self.request is None else self.request.get("circuits")

    @property
    def heralding_mode(self) -> str | None:
        """The heralding mode asked for; None if the service does not say."""
        return self._asked("heralding_mode")

    def _asked(self, name: str) -> Any:
        source = self.request if self.parameters is None else self.parameters
        return None if source is None else source.get(name)


class RunResult(Struct, frozen=True, kw_only=True, eq=False):
    """The state of a run and, when it is ready, its measurements.

    Raises:
        ProtocolError: There are measurements although the status is not `ready`, or
            none although it is; or they are not what measurements are.
    """

    status: str
    """The service's own word; words that this version does not know are kept."""
    measurements: list[dict[str, Levels]] | None = None
    """`measurements[circuit][key][shot][position in the locus]`: a non-negative integer,
    0 or 1 for a qubit, larger for a higher level. Read-only arrays (shots, locus); None
    unless the status is `ready`. Nested lists are accepted and become arrays."""
    message: str | None = None
    """Why it failed, or another remark of the service."""
    metadata: Metadata
    """Calibration set, request, timestamps."""
    warnings: list[str] | None = None
    """The service's warnings about this run."""

    def __post_init__(self) -> None:
        # Some services fill in an empty list before there are measurements.
        if self.status != _READY and not self.measurements:
            msgspec.structs.force_setattr(self, "measurements", None)
        elif self.status != _READY:
            raise ProtocolError(f"a run with measurements that is {self.status!r}")
        elif self.measurements is None:
            raise ProtocolError("a run that is ready, but has no measurements")
        else:
            arrays = as_measurements(self.measurements)
            msgspec.structs.force_setattr(self, "measurements", arrays)

    @classmethod
    def decode(cls, body: bytes) -> RunResult:
        """Reads the JSON object `{status, measurements, message, metadata, warnings}`.

        Raises:
            ProtocolError: It does not follow the wire model.
        """
        wire = decode(_DECODER, body, "run")
        measurements = (
            None
            if wire.measurements == _NOTHING
            else decode_measurements(wire.measurements)
        )
        return cls(
            status=wire.status,
            measurements=measurements,
            message=wire.message,
            metadata=wire.metadata,
            warnings=wire.warnings,
        )

    @classmethod
    def from_dict(cls, inp: Mapping[str, Any]) -> RunResult:
        """Reads a mapping with the keys of the JSON object; fields may be arrays.

        Raises:
            ProtocolError: It does not follow the wire model.
        """
        try:
            body = msgspec.json.encode(dict(inp), enc_hook=enc_hook)
        except (TypeError, ValueError, OverflowError, RecursionError) as error:
            raise ProtocolError(f"run: not expressible in JSON: {error}") from error
        return cls.decode(body)

    def to_dict(self) -> dict[str, Any]:
        """A dictionary of plain values, arrays as nested lists; see `from_dict`."""
        return msgspec.to_builtins(self, enc_hook=enc_hook)

    def __eq__(self, other: object) -> bool:
        """Whether both say the same; arrays are compared by value."""
        if not isinstance(other, RunResult):
            return NotImplemented
        return (
            self.status == other.status
            and self.message == other.message
            and self.metadata == other.metadata
            and self.warnings == other.warnings
            and _same(self.measurements, other.measurements)
        )

    def __ne__(self, other: object) -> bool:
        # A Struct brings its own, which would compare identities.
        return not self == other


class _Wire(Struct, frozen=True, kw_only=True):
    """The JSON object, its measurements not looked at yet."""

    status: str
    measurements: Raw = _NOTHING
    message: str | None = None
    metadata: Metadata
    warnings: list[str] | None = None


_DECODER = msgspec.json.Decoder(_Wire)


def _same(
    one: list[dict[str, Levels]] | None, other: list[dict[str, Levels]] | None
) -> bool:
    if one is None or other is None:
        return one is other
    return len(one) == len(other) and all(
        a.keys() == b.keys() and all(np.array_equal(a[key], b[key]) for key in a)
        for a, b in zip(one, other, strict=True)
    )


def enc_hook(value: Any) -> Any:
    """Arrays as nested lists and numpy's numbers as plain ones, for msgspec."""
    if isinstance(value, np.ndarray | np.generic):
        return cast("Any", value).tolist()
    raise TypeError(f"cannot be encoded: {type(value).__name__}")


def schema_hook(kind: type) -> dict[str, Any]:
    """The JSON Schema of one key's array: rows of non-negative integers."""
    if kind is np.ndarray:
        level = {"type": "integer", "minimum": 0}
        return {"type": "array", "items": {"type": "array", "items": level}}
    raise TypeError(f"no schema for {kind.__name__}")
