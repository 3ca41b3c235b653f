"""Measurements read while they arrive, as qawait reads every result: ``URL CIRCUITS``."""

from __future__ import annotations

import asyncio
import sys

from benchmarks.peers.measure import measured
from qawait._auth import FixedToken, Secret
from qawait._transport import Transport
from qawait.iqm.dialects import SERVER
from qawait.measurement_decoder import MeasurementDecoder
from qawait.model import Call


async def main(url: str, circuits: int) -> None:
    token = FixedToken(Secret("none"))
    call = Call(
        kind="read",
        method="GET",
        path=str(circuits),
        result=True,
        reader=MeasurementDecoder,
    )
    async with Transport(url, token, SERVER.read_error) as transport:
        with measured("qawait", "aiohttp", "msgspec", "numpy") as report:
            answer = await transport.ask(call)
            report["bytes"] = answer.size
    shots = answer.value
    assert len(shots) == circuits
    assert all((one.packed == shots[0].packed).all() for one in shots)
    assert shots[0]["m"].shape == (10_000, 20)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
