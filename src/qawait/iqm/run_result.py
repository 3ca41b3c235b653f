"""IQM's own model of a run and its results, as iqm-client up to 32 has it.

Every attribute of that client's class exists with its meaning. What pydantic gave as
`model_fields` is `msgspec.structs.fields(RunResult)` here. JSON and its schema need one
hook each, because msgspec does not know arrays and `Shots`:

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
from msgspec import Struct

from qawait.errors import ProtocolError
from qawait.measurements import as_measurements
from qawait.shots import Shots

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Metadata", "RunResult", "enc_hook", "schema_hook"]

_READY = "ready"
_PIECE = 1 << 20
"""Bytes that are read at once, so that the text is never there twice."""


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


class RunResult(Struct, frozen=True, kw_only=True):
    """The state of a run and, when it is ready, its measurements.

    Two are equal if they say the same; arrays are compared by value.

    Raises:
        ProtocolError: There are measurements although the status is not `ready`, or
            none although it is; or they are not what measurements are.
    """

    status: str
    """The service's own word; words that this version does not know are kept."""
    measurements: list[Shots] | None = None
    """`measurements[circuit][key][shot][position in the locus]`: a non-negative integer,
    0 or 1 for a qubit, larger for a higher level; None unless the status is `ready`. A
    circuit is kept packed and reads like the dictionary of its keys and read-only
    arrays (shots, locus). Such dictionaries, of arrays or nested lists, are accepted."""
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

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        from qawait._display.configs import run_card
        from qawait._display.writing import bundle

        return bundle(run_card(self))

    @classmethod
    def decode(cls, body: bytes) -> RunResult:
        """Reads the JSON object `{status, measurements, message, metadata, warnings}`.

        Raises:
            ProtocolError: It does not follow the wire model.
        """
        # It is made of this module's own classes.
        from qawait.iqm.run_decoder import RunDecoder

        decoder, text = RunDecoder(), memoryview(body)
        for at in range(0, len(text), _PIECE):
            decoder.feed(text[at : at + _PIECE])
        return decoder.close()

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


def enc_hook(value: Any) -> Any:
    """Arrays as nested lists and numpy's numbers as plain ones, for msgspec."""
    if isinstance(value, np.ndarray | np.generic):
        return cast("Any", value).tolist()
    if isinstance(value, Shots):
        return {key: levels.tolist() for key, levels in value.items()}
    raise TypeError(f"cannot be encoded: {type(value).__name__}")


def schema_hook(kind: type) -> dict[str, Any]:
    """The JSON Schema of one circuit: rows of non-negative integers by key."""
    if kind is Shots:
        row = {"type": "array", "items": {"type": "integer", "minimum": 0}}
        rows = {"type": "array", "items": row}
        return {"type": "object", "additionalProperties": rows}
    raise TypeError(f"no schema for {kind.__name__}")
