"""Answers that come byte by byte: each is given up, and holds up nobody else."""

from __future__ import annotations

import anyio

from qawait import errors
from qawait._auth import FixedToken, Secret
from qawait._transport import Limits, Transport
from qawait.iqm.dialects import SERVER, V1
from qawait.model import Call, Dialect
from qawait.testing import LocalService, run_virtual, service

DRIBBLING, HEALTHY = 100, 50
GIVEN_UP = 10.0
"""Seconds after which less than a thousand bytes a second is too slow."""


def transport(there: LocalService, dialect: Dialect) -> Transport:
    root = there.url if dialect is SERVER else f"{there.url}/cocos"
    return Transport(
        root,
        FixedToken(Secret(there.token)),
        dialect.read_error,
        limits=Limits(connections=DRIBBLING + HEALTHY),
    )


async def took(client: Transport, call: Call) -> tuple[float, errors.Error | None]:
    began = anyio.current_time()
    error = None
    try:
        await client.send(call)
    except errors.Error as met:
        error = met
    return anyio.current_time() - began, error


def test_a_hundred_dribbling_answers_are_given_up_and_hold_up_no_other():
    async def world() -> None:
        async with service(faults="dribble:900ms@other/iqm-server") as there:
            dribbled = transport(there, SERVER)
            healthy = transport(there, V1)
            slow: list[tuple[float, errors.Error | None]] = []
            fast: list[tuple[float, errors.Error | None]] = []

            async def ask_slowly() -> None:
                path = "api/v1/quantum-computers"
                slow.append(
                    await took(dribbled, Call(kind="read", method="GET", path=path))
                )

            async def ask() -> None:
                path = "quantum-architecture"
                fast.append(
                    await took(healthy, Call(kind="read", method="GET", path=path))
                )

            async with dribbled, healthy:
                await ask()
                [(alone, _)] = fast
                async with anyio.create_task_group() as group:
                    for _ in range(DRIBBLING):
                        group.start_soon(ask_slowly)
                    await anyio.sleep(3)
                    for _ in range(HEALTHY):
                        group.start_soon(ask)
            assert len(slow) == DRIBBLING
            for seconds, error in slow:
                assert type(error) is errors.RequestTimeout
                assert GIVEN_UP <= seconds <= GIVEN_UP + 1
            assert len(fast) == 1 + HEALTHY
            for seconds, error in fast:
                assert error is None
                assert seconds < 2 * alone

    run_virtual(world)
