"""Pictures of results, sweeps and jobs: the extra `plot` (matplotlib).

```python
qawait.plot.counts(result[0])
qawait.plot.sweep(qawait.read("night.qawait"), value="ZZ")
qawait.plot.timeline(qawait.read("night.qawait"))
qawait.plot.polling(qawait.read("night.qawait"))
```

Each draws into `ax`, or into a new figure of pyplot's, gives back the Axes, and leaves
everything else alone: no setting of matplotlib is changed and nothing is shown.
"""

from __future__ import annotations

from qawait.plot.count_bars import counts
from qawait.plot.job_timeline import timeline
from qawait.plot.question_raster import polling
from qawait.plot.sweep_map import sweep

__all__ = ["counts", "polling", "sweep", "timeline"]
