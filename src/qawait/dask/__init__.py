"""Sweeps on the workers of a Dask cluster; needs the extra `dask`.

```python
from dask.distributed import Client

import qawait.dask

async with Client("tcp://...", asynchronous=True) as cluster:
    sweep = qawait.dask.sweep(
        cluster, "iqm:https://...", circuit, grid, directory="/shared/night"
    )
    async with sweep:
        async for point in sweep: ...
```

Dask schedules, repeats, moves and scales; what is here divides a sweep into shards, keeps
a shard with one owner, and lets all workers spend from one account.
"""

from __future__ import annotations

from importlib.util import find_spec

from qawait.errors import MissingExtra

if find_spec("distributed") is None:
    raise MissingExtra("qawait.dask", "dask")

from qawait.dask.outcomes import ShardTable
from qawait.dask.places import read_shards
from qawait.dask.sweep import ShardedSweep, sweep

__all__ = ["ShardTable", "ShardedSweep", "read_shards", "sweep"]
