"""The same client in a program without asyncio."""

import qawait

CIRCUIT = """
OPENQASM 2.0;
include "qelib1.inc";
qreg q[2];
creg c[2];
x q[1];
measure q -> c;
"""

with qawait.connect_sync() as client:
    job = client.submit(CIRCUIT, shots=100)
    for change in job.transitions():
        print(change.state)
    print(job.result(timeout=60)[0].counts())

# prints:
# pending compilation
# pending execution
# ready
# {'10': 100}
