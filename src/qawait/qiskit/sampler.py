# pyright: basic
"""Qiskit's sampler over a service: all bindings of all PUBs as one sweep."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Unpack

import anyio.to_thread
from qiskit.primitives import BaseSamplerV2, PrimitiveResult, SamplerPubResult
from qiskit.primitives.containers.sampler_pub import SamplerPub

from qawait.qiskit.arrays import PubArrays
from qawait.qiskit.pubs import Bindings, coerced, field_names
from qawait.qiskit.work import Part, RunOptions, carry_out, checked_options

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from qiskit.primitives import SamplerPubLike

    from qawait.circuits import Compiled
    from qawait.qiskit.backend import QawaitBackend
    from qawait.qiskit.job import QawaitJob
    from qawait.qiskit.work import Standing

__all__ = ["QawaitSampler"]


class QawaitSampler(BaseSamplerV2):
    """Takes PUBs with arrays of parameters and gives back their bits.

    A circuit is compiled once, whatever the number of its bindings, and all bindings
    with the same number of shots go as one sweep of the client: in batches, within its
    rate limit, written into its journal. Where the service takes templates (Qoro), each
    PUB with several bindings is a sweep of its own, and its circuit travels once.

    Args:
        backend: The backend.
        default_shots: For PUBs and runs that say nothing.
        options: `budget`, `max_in_flight`, `batch`, `tag`, `seed`, `optimization_level`,
            `options` and `execution_config`, as `Client.sweep` takes them.

    Raises:
        ConfigurationError: There is no such option.
    """

    def __init__(
        self,
        backend: QawaitBackend,
        *,
        default_shots: int = 1024,
        **options: Unpack[RunOptions],
    ) -> None:
        self.backend = backend
        self.default_shots = default_shots
        self.options = checked_options(dict(options))

    def run(
        self, pubs: Iterable[SamplerPubLike], *, shots: int | None = None
    ) -> QawaitJob:
        """Run PUBs: circuits, or tuples of a circuit, an array of values, shots.

        Args:
            pubs: A list of them.
            shots: For PUBs that say nothing; None is `default_shots`.

        Returns:
            A job whose result is a `PrimitiveResult`. Nothing is sent unless every
            circuit can run.

        Raises:
            ConfigurationError: One is no PUB; it is named by its number.
            ClientClosed: The client is closed.
        """
        default = self.default_shots if shots is None else shots
        taken = coerced(SamplerPub, pubs, default)
        for number, pub in enumerate(taken):
            field_names(number, pub.circuit)
        return self.backend._begin(partial(self._run, taken))

    async def _run(
        self, pubs: list[SamplerPub], standing: Standing
    ) -> PrimitiveResult[SamplerPubResult]:
        backend = self.backend
        templates = await anyio.to_thread.run_sync(
            backend._compiled,
            {f"pub {number}": pub.circuit for number, pub in enumerate(pubs)},
            self.options,
        )
        arrays = [
            PubArrays(number, pub.circuit, pub.shape) for number, pub in enumerate(pubs)
        ]
        shared: dict[Any, list[int]] = {}
        for number, pub in enumerate(pubs):
            # Qoro binds a template itself; to write out each binding takes us 4 ms
            apart = backend.vendor == "qoro" and pub.size > 1
            group = (pub.shots, number if apart else None)
            shared.setdefault(group, []).append(number)
        parts = [
            _part(int(shots), numbers, pubs, templates, arrays)
            for (shots, _), numbers in shared.items()
        ]
        await carry_out(backend._client, parts, standing, self.options)
        results = [
            SamplerPubResult(
                filled.data(),
                metadata={
                    "shots": filled.shots,
                    "ordered": filled.ordered,
                    "circuit_metadata": pub.circuit.metadata,
                },
            )
            for pub, filled in zip(pubs, arrays, strict=True)
        ]
        return PrimitiveResult(results, metadata=backend._metadata(standing))


def _part(
    shots: int,
    numbers: list[int],
    pubs: list[SamplerPub],
    templates: list[Compiled],
    arrays: list[PubArrays],
) -> Part:
    bindings = [Bindings(pubs[number].parameter_values) for number in numbers]
    places = [
        (number, place)
        for number, values in zip(numbers, bindings, strict=True)
        for place in range(len(values))
    ]

    def take(index: int, result: Any) -> None:
        number, place = places[index]
        arrays[number].put(place, result)

    template = templates[numbers[0]]
    if len(numbers) == 1 and template.parameters:
        return Part(
            shots=shots,
            points=_Keyed(numbers, bindings, None),
            take=take,
            template=template,
        )
    chosen = [templates[number] for number in numbers]
    return Part(shots=shots, points=_Keyed(numbers, bindings, chosen), take=take)


class _Keyed:
    """All bindings of some PUBs, each under a key of its own: PUB, dot, place.

    Args:
        numbers: Of the PUBs.
        bindings: Of each.
        templates: What to bind to them; None leaves that to the sweep, which need not
            even do it where a service takes templates.
    """

    def __init__(
        self,
        numbers: list[int],
        bindings: list[Bindings],
        templates: list[Compiled] | None,
    ) -> None:
        self._numbers = numbers
        self._bindings = bindings
        self._templates = templates

    def __len__(self) -> int:
        return sum(map(len, self._bindings))

    def __iter__(self) -> Iterator[tuple[str, Any]]:
        for which, (number, bindings) in enumerate(
            zip(self._numbers, self._bindings, strict=True)
        ):
            for place, values in enumerate(bindings):
                key = f"{number}.{place}"
                if self._templates is None:
                    yield key, values
                else:
                    yield key, self._templates[which].bind(values, key)
