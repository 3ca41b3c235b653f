# pyright: basic
"""qawait as a Qiskit backend: sampler, estimator and jobs over any of its clients.

```python
from qawait.qiskit import QawaitSampler, open_backend

with open_backend() as backend:
    job = QawaitSampler(backend).run([(circuit, values)], shots=1000)
    counts = job.result()[0].data.meas.get_counts()
```

Where an event loop runs, `await job` gives the same.
"""

from __future__ import annotations

from qawait.errors import MissingExtra

try:
    import qiskit  # noqa: F401 (so that its absence is said in one sentence)
except ImportError as error:
    raise MissingExtra("qawait.qiskit", "qiskit") from error

from qawait.qiskit.backend import QawaitBackend, open_backend
from qawait.qiskit.estimator import QawaitEstimator
from qawait.qiskit.job import QawaitJob
from qawait.qiskit.sampler import QawaitSampler

__all__ = [
    "QawaitBackend",
    "QawaitEstimator",
    "QawaitJob",
    "QawaitSampler",
    "open_backend",
]
