"""Two hundred jobs of a minute each, an outage and a queue of hours: in a second."""

import logging

import anyio

import qawait
from qawait.iqm import Circuit, Instruction
from qawait.testing import run_virtual, service

FLIP = Circuit(
    "flip",
    (
        Instruction("prx", ("QB1",), {"angle": 3.14, "phase": 0.0}),
        Instruction("measure", ("QB1",), {"key": "m"}),
    ),
)


async def survey(there: qawait.IQMService, jobs: int) -> int:
    """The program that is tested: it knows nothing of virtual time."""
    ones = 0
    async with qawait.connect(there) as client:
        submitted = [await client.submit(FLIP, shots=10) for _ in range(jobs)]
        for job in submitted:
            ones += sum((await job).counts(0).values())
    return ones


async def survey_through_an_outage() -> tuple[int, float]:
    async with service(
        service_time=60.0,
        service_time_cv=0.5,
        servers=2,
        outages=[(1800.0, 2400.0)],
        seed=1,
    ) as there:
        return await survey(there.iqm, 200), anyio.current_time()


def test_the_survey_gets_through_an_outage() -> None:
    shots, seconds = run_virtual(survey_through_an_outage)
    assert shots == 2000
    assert 1.5 * 3600 < seconds < 2.5 * 3600


if __name__ == "__main__":
    # the client says on standard error when a service is away, and when it is back
    logging.getLogger("qawait").setLevel(logging.ERROR)
    test_the_survey_gets_through_an_outage()
    print("two hours have passed")

# prints:
# two hours have passed
