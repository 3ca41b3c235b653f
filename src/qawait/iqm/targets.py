"""The quantum computers of a service, and what each can do."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

from msgspec.structs import replace

from qawait.errors import ConfigurationError
from qawait.iqm import messages
from qawait.iqm.calls import read
from qawait.model import Answer, Call, Exchange, Target
from qawait.wire import checked_id, decode, shown

if TYPE_CHECKING:
    from collections.abc import Iterable

    from msgspec.json import Decoder

    from qawait.iqm.architecture import DynamicQuantumArchitecture

__all__ = [
    "cocos_target",
    "cocos_targets",
    "dynamic_architecture",
    "server_target",
    "server_targets",
    "station_architecture",
    "station_target",
    "station_targets",
]

_T = TypeVar("_T")


def _no_such_target(name: str, known: list[str]) -> ConfigurationError:
    return ConfigurationError(
        f"the service has no target {name!r}; it has {shown(', '.join(known)) or 'none'}"
    )


def cocos_target(cocos: str, name: str | None) -> Exchange[Target]:
    """The one quantum computer behind a V1 or V2 address.

    Args:
        cocos: Where Cocos is below the address, empty or with a slash at its end.
        name: What it must be called; None takes any.
    """
    [answer] = yield [read(f"{cocos}quantum-architecture")]
    return _chip(name, answer)


def cocos_targets(cocos: str) -> Exchange[list[Target]]:
    """The one quantum computer behind a V1 or V2 address, with its figures."""
    answer, metrics = yield [
        read(f"{cocos}quantum-architecture"),
        read(f"{cocos}calibration/metrics/default", optional=True),
    ]
    figures = _optional(messages.METRIC_SET, metrics, "quality metrics")
    target = _chip(None, answer)
    if figures is None:
        return [target]
    return [
        replace(
            target,
            calibration_set_id=figures.calibration_set_id,
            figures=_numbers((n, m.value) for n, m in figures.metrics.items()),
        )
    ]


def _chip(name: str | None, answer: Answer) -> Target:
    chip = decode(messages.ARCHITECTURE, answer.body, "architecture")
    spec = chip.quantum_architecture
    if name is not None and name != spec.name:
        raise _no_such_target(name, [spec.name])
    # computational resonators stand among the qubits here
    qubits = [q for q in spec.qubits if not q.startswith(("COMP_R", "COMPR"))]
    return Target(name=spec.name, qubits=len(qubits), simulated=_simulated(answer))


def _simulated(answer: Answer) -> bool:
    """Whether the answer comes from a local service, which says so in each of them."""
    return answer.headers.get("qawait-simulated") == "true"


def _optional(decoder: Decoder[_T], answer: Answer, what: str) -> _T | None:
    """What an answer says; None where the service has none to give."""
    return None if answer.status >= 300 else decode(decoder, answer.body, what)


def _numbers(pairs: Iterable[tuple[str, Any]]) -> dict[str, float]:
    """Those figures that are numbers, also where they are written as strings."""
    numbers: dict[str, float] = {}
    for name, value in pairs:
        with suppress(TypeError, ValueError, OverflowError):
            numbers[name] = float(value)
    return numbers


def server_target(name: str | None) -> Exchange[Target]:
    """The quantum computer of that alias or id; the only one if no name is given."""
    [answer] = yield [read("api/v1/quantum-computers")]
    computer = _chosen(name, _computers(answer))
    [static] = yield [_static(computer)]
    return Target(
        name=computer.alias, qubits=_width(static), simulated=_simulated(answer)
    )


def server_targets() -> Exchange[list[Target]]:
    """Every quantum computer with its width, health, queue and figures."""
    [answer] = yield [read("api/v1/quantum-computers")]
    computers = _computers(answer)
    answers = yield [call for computer in computers for call in _questions(computer)]
    targets: list[Target] = []
    for n, computer in enumerate(computers):
        static, health, queue, metrics = answers[4 * n : 4 * n + 4]
        healthy = _optional(messages.HEALTH, health, "health")
        waiting = _optional(messages.QUEUE, queue, "queue")
        figures = _optional(messages.OBSERVATION_SET, metrics, "quality metrics")
        observations = figures.observations if figures else ()
        targets.append(
            Target(
                name=computer.alias,
                qubits=_width(static),
                online=healthy.healthy if healthy else None,
                queue_length=waiting.queue_length if waiting else None,
                simulated=_simulated(answer),
                calibration_set_id=figures.describes_id if figures else None,
                figures=_numbers((o.dut_field, o.value) for o in observations),
            )
        )
    return targets


def _computers(answer: Answer) -> list[messages.QuantumComputer]:
    listed = decode(messages.QUANTUM_COMPUTERS, answer.body, "quantum computers")
    return listed.quantum_computers


def _chosen(
    name: str | None, computers: list[messages.QuantumComputer]
) -> messages.QuantumComputer:
    aliases = [c.alias for c in computers]
    if name is None and len(computers) != 1:
        raise ConfigurationError(
            f"name a target: the service has {shown(', '.join(aliases)) or 'none'}"
        )
    for computer in computers:
        if name is None or name in (computer.alias, computer.id):
            return computer
    raise _no_such_target(str(name), aliases)


def _static(computer: messages.QuantumComputer) -> Call:
    alias = quote(computer.alias, safe="")
    return read(
        f"api/v1/quantum-computers/{alias}/artifacts/static-quantum-architectures",
        optional=True,
    )


def _questions(computer: messages.QuantumComputer) -> list[Call]:
    alias, by_id = quote(computer.alias, safe=""), quote(computer.id, safe="")
    return [
        _static(computer),
        read(f"api/v1/quantum-computers/{alias}/health", optional=True),
        read(f"api/v1/quantum-computers/{by_id}/queue-availability", optional=True),
        read(f"api/v1/calibration-sets/{alias}/default/metrics", optional=True),
    ]


def _width(static: Answer) -> int | None:
    chips = _optional(messages.STATIC_ARCHITECTURES, static, "static architecture")
    return len(chips[0].qubits) if chips else None


def dynamic_architecture(
    path: str, target: str, calibration_set_id: str | None
) -> Exchange[DynamicQuantumArchitecture]:
    """What a target can do under one calibration set; None is the current one."""
    calibration = checked_id(calibration_set_id or "default")
    [answer] = yield [
        read(path.format(target=quote(target, safe=""), calibration=calibration))
    ]
    return decode(messages.DYNAMIC_ARCHITECTURE, answer.body, "dynamic architecture")


# --- station --------------------------------------------------------------------------


def station_target(name: str | None) -> Exchange[Target]:
    """The one quantum computer of a station; its name is the label of the chip."""
    [answer] = yield [read("duts")]
    label = _chip_label(name, answer)
    [static] = yield [_station_static(label)]
    return _station_chip(label, answer, static)


def station_targets() -> Exchange[list[Target]]:
    """The one quantum computer of a station, with its figures."""
    [answer] = yield [read("duts")]
    label = _chip_label(None, answer)
    static, metrics = yield [
        _station_static(label),
        read("calibration-sets/default/metrics", optional=True),
    ]
    target = _station_chip(label, answer, static)
    figures = _optional(messages.OBSERVATION_SET, metrics, "quality metrics")
    if figures is None:
        return [target]
    return [
        replace(
            target,
            calibration_set_id=(
                figures.calibration_set.observation_set_id
                if figures.calibration_set
                else figures.describes_id
            ),
            figures=_numbers((o.dut_field, o.value) for o in figures.observations),
        )
    ]


def _chip_label(name: str | None, answer: Answer) -> str:
    labels = [dut.label for dut in decode(messages.DUTS, answer.body, "chips")]
    if name is None and len(labels) != 1:
        raise ConfigurationError(
            f"name a target: the service has {shown(', '.join(labels)) or 'none'}"
        )
    label = labels[0] if name is None else name
    if label not in labels:
        raise _no_such_target(label, labels)
    return label


def _station_static(label: str) -> Call:
    return read(f"static-quantum-architectures/{quote(label, safe='')}", optional=True)


def _station_chip(label: str, answer: Answer, static: Answer) -> Target:
    chip = _optional(messages.STATIC_ARCHITECTURE, static, "static architecture")
    return Target(
        name=label,
        qubits=len(chip.qubits) if chip else None,
        simulated=_simulated(answer),
    )


def station_architecture(
    target: str, calibration_set_id: str | None
) -> Exchange[DynamicQuantumArchitecture]:
    """What a station can do; the current calibration set is first asked for its id."""
    if calibration_set_id is None:
        [answer] = yield [read("calibration-sets/default")]
        current = decode(messages.CALIBRATION_SET, answer.body, "calibration set")
        calibration_set_id = current.observation_set_id
    path = "calibration-sets/{calibration}/dynamic-quantum-architecture"
    return (yield from dynamic_architecture(path, target, calibration_set_id))
