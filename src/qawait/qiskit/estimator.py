# pyright: basic
"""Qiskit's estimator over a service that computes expectation values itself: Qoro's."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Unpack

import anyio.to_thread
import numpy as np
from qiskit.primitives import BaseEstimatorV2, DataBin, PrimitiveResult, PubResult
from qiskit.primitives.containers.estimator_pub import EstimatorPub
from qiskit.quantum_info import SparseObservable, SparsePauliOp

from qawait.errors import ConfigurationError
from qawait.qiskit.pubs import Bindings, coerced
from qawait.qiskit.work import Part, RunOptions, carry_out, checked_options

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from qiskit.primitives import EstimatorPubLike

    from qawait.circuit_result import CircuitResult
    from qawait.circuits import Compiled
    from qawait.qiskit.backend import QawaitBackend
    from qawait.qiskit.job import QawaitJob
    from qawait.qiskit.work import Standing

__all__ = ["QawaitEstimator"]


class QawaitEstimator(BaseEstimatorV2):
    """Expectation values by Qoro's expectation jobs, without shots.

    For any other service take Qiskit's own: `BackendEstimatorV2(backend=backend)`.

    Args:
        backend: The backend of a Qoro client.
        options: As `QawaitSampler` takes them.

    Raises:
        ConfigurationError: The service only counts, or there is no such option.
    """

    def __init__(self, backend: QawaitBackend, **options: Unpack[RunOptions]) -> None:
        if backend.vendor != "qoro":
            raise ConfigurationError(
                f"{backend.name} returns shots and no expectation values; use "
                "qiskit.primitives.BackendEstimatorV2(backend=backend)"
            )
        self.backend = backend
        self.options = checked_options(dict(options))

    def run(
        self, pubs: Iterable[EstimatorPubLike], *, precision: float | None = None
    ) -> QawaitJob:
        """Run PUBs: tuples of a circuit, observables, an array of values.

        Every binding of a PUB is computed for all of its observables.

        Args:
            pubs: A list of them.
            precision: Noted in the result; the service computes without shots.

        Returns:
            A job whose result is a `PrimitiveResult` with `evs` and `stds`. Of a
            simulator `stds` are 0, for nothing was sampled; of a quantum computer NaN,
            for the service tells none.

        Raises:
            ConfigurationError: One is no PUB; it is named by its number.
            ClientClosed: The client is closed.
        """
        taken = coerced(EstimatorPub, pubs, 0.0 if precision is None else precision)
        return self.backend._begin(partial(self._run, taken))

    async def _run(
        self, pubs: list[EstimatorPub], standing: Standing
    ) -> PrimitiveResult[PubResult]:
        backend = self.backend
        compile_them = partial(backend._compiled, measure_all=None)
        templates = await anyio.to_thread.run_sync(
            compile_them,
            {f"pub {number}": pub.circuit for number, pub in enumerate(pubs)},
            self.options,
        )
        asked = [_Asked(number, pub) for number, pub in enumerate(pubs)]
        parts = [
            one.part(template)
            for one, template in zip(asked, templates, strict=True)
            if one.labels
        ]
        await carry_out(backend._client, parts, standing, self.options)
        results = [one.result(simulated=backend.simulated) for one in asked]
        return PrimitiveResult(results, metadata=backend._metadata(standing))


class _Asked:
    """What one PUB asks for, and what the service computed of it."""

    def __init__(self, number: int, pub: EstimatorPub) -> None:
        self._number = number
        self._pub = pub
        self._terms = np.empty(pub.observables.shape, dtype=object)
        for place in np.ndindex(*self._terms.shape):
            self._terms[place] = _paulis(pub.observables[place])
        self.labels = sorted(
            {label for terms in self._terms.flat for label in terms if label.strip("I")}
        )
        """Every Pauli label of it but the identity, which needs no circuit."""
        self._bindings = Bindings(pub.parameter_values)
        self._values: list[Mapping[str, float]] = [{}] * len(self._bindings)

    def part(self, template: Compiled) -> Part:
        keys = [f"{self._number}.{place}" for place in range(len(self._bindings))]
        about: Any = {"shots": 1, "take": self._take, "observables": self.labels}
        pairs = zip(keys, self._bindings, strict=True)
        if template.parameters:
            return Part(points=list(pairs), template=template, **about)
        return Part(points=[(key, template.bind({}, key)) for key in keys], **about)

    def _take(self, place: int, result: CircuitResult) -> None:
        # a service pads labels, or leaves identities away
        self._values[place] = {
            label.lstrip("I"): value for label, value in result.values.items()
        }

    def result(self, *, simulated: bool) -> PubResult:
        pub = self._pub
        places = np.arange(len(self._bindings)).reshape(pub.parameter_values.shape)
        places, terms = np.broadcast_arrays(places, self._terms)
        evs = np.empty(pub.shape)
        for at in np.ndindex(*pub.shape):
            values = {"": 1.0, **self._values[places[at]]}
            observable: Any = terms[at]
            evs[at] = sum(
                weight * values[label.lstrip("I")]
                for label, weight in observable.items()
            )
        stds = np.full(pub.shape, 0.0 if simulated else np.nan)
        data = DataBin(evs=evs, stds=stds, shape=pub.shape)
        return PubResult(
            data,
            metadata={
                "target_precision": pub.precision,
                "circuit_metadata": pub.circuit.metadata,
            },
        )


def _paulis(observable: Mapping[str, float]) -> dict[str, float]:
    """An observable of a PUB by Pauli labels; its projectors are written in them."""
    if all(set(label) <= set("IXYZ") for label in observable):
        return dict(observable)
    whole = SparseObservable.from_list(list(observable.items()))
    operator = SparsePauliOp.from_sparse_observable(whole).simplify()
    return {label: weight.real for label, weight in operator.to_list()}
