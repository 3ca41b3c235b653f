"""The quantum computers of a service, and what each can do."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from qawait.errors import ConfigurationError
from qawait.iqm import messages
from qawait.iqm.calls import read
from qawait.model import Answer, Exchange, Target
from qawait.wire import checked_id, decode

if TYPE_CHECKING:
    from qawait.iqm.architecture import DynamicQuantumArchitecture

__all__ = [
    "cocos_target",
    "cocos_targets",
    "dynamic_architecture",
    "server_target",
    "server_targets",
]


def _no_such_target(name: str, known: list[str]) -> ConfigurationError:
    return ConfigurationError(
        f"the service has no target {name!r}; it has {', '.join(known) or 'none'}"
    )


def cocos_target(name: str | None) -> Exchange[Target]:
    """The one quantum computer behind a V1 address."""
    [answer] = yield [read("quantum-architecture")]
    chip = decode(messages.ARCHITECTURE, answer.body, "architecture")
    spec = chip.quantum_architecture
    if name is not None and name != spec.name:
        raise _no_such_target(name, [spec.name])
    qubits = [q for q in spec.qubits if not q.startswith("COMP_R")]
    return Target(name=spec.name, qubits=len(qubits), simulated=_simulated(answer))


def cocos_targets() -> Exchange[list[Target]]:
    """The one quantum computer behind a V1 address, as a list."""
    target = yield from cocos_target(None)
    return [target]


def _simulated(answer: Answer) -> bool:
    """Whether the answer comes from a local service, which says so in each of them."""
    return answer.headers.get("qawait-simulated") == "true"


def server_target(name: str | None) -> Exchange[Target]:
    """The quantum computer of that alias or id; the only one if no name is given."""
    [answer] = yield [read("api/v1/quantum-computers")]
    listed = decode(messages.QUANTUM_COMPUTERS, answer.body, "quantum computers")
    computers = listed.quantum_computers
    aliases = [c.alias for c in computers]
    if name is None and len(computers) != 1:
        raise ConfigurationError(
            f"name a target: the service has {', '.join(aliases) or 'none'}"
        )
    for computer in computers:
        if name is None or name in (computer.alias, computer.id):
            return Target(
                name=computer.alias, qubits=None, simulated=_simulated(answer)
            )
    raise _no_such_target(str(name), aliases)


def server_targets() -> Exchange[list[Target]]:
    """Every quantum computer with its width, health and queue."""
    [answer] = yield [read("api/v1/quantum-computers")]
    listed = decode(messages.QUANTUM_COMPUTERS, answer.body, "quantum computers")
    computers = listed.quantum_computers
    answers = yield [
        read(f"api/v1/quantum-computers/{quote(computer.alias, safe='')}/{what}")
        for computer in computers
        for what in ("artifacts/static-quantum-architectures", "health")
    ] + [
        read(
            f"api/v1/quantum-computers/{quote(computer.id, safe='')}/queue-availability"
        )
        for computer in computers
    ]
    queues = answers[2 * len(computers) :]
    targets: list[Target] = []
    for n, computer in enumerate(computers):
        static = decode(
            messages.STATIC_ARCHITECTURES, answers[2 * n].body, "static architecture"
        )
        health = decode(messages.HEALTH, answers[2 * n + 1].body, "health")
        queue = decode(messages.QUEUE, queues[n].body, "queue")
        targets.append(
            Target(
                name=computer.alias,
                qubits=len(static[0].qubits) if static else None,
                online=health.healthy,
                queue_length=queue.queue_length,
                simulated=_simulated(answer),
            )
        )
    return targets


def dynamic_architecture(
    path: str, target: str, calibration_set_id: str | None
) -> Exchange[DynamicQuantumArchitecture]:
    """What a target can do under one calibration set; None is the current one."""
    calibration = checked_id(calibration_set_id or "default")
    [answer] = yield [
        read(path.format(target=quote(target, safe=""), calibration=calibration))
    ]
    return decode(messages.DYNAMIC_ARCHITECTURE, answer.body, "dynamic architecture")
