"""Shard a sweep over the worker processes of a Dask cluster."""

import asyncio
import tempfile
from math import pi

from dask.distributed import Client, LocalCluster
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter

import qawait.dask

gamma, beta = Parameter("gamma"), Parameter("beta")
circuit = QuantumCircuit(2, 2, name="turn")
circuit.rx(gamma, 0)
circuit.rx(beta, 1)
circuit.measure([0, 1], [0, 1])


async def main(directory: str) -> None:
    grid = {"gamma": [0.0, pi], "beta": [0.0, pi / 2, pi]}
    async with (
        LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            asynchronous=True,
            dashboard_address=":0",
        ) as cluster,
        Client(cluster, asynchronous=True) as dask,
        qawait.dask.sweep(
            dask, None, circuit, grid, shots=500, directory=directory, shards=2
        ) as sweep,
    ):
        failed = [point.key async for point in sweep if point.error]
        data = await sweep.dataset()
    print(len(failed), "points failed;", dict(data["shots"].sizes))
    print(data["counts"].sel(gamma=pi, beta=0.0).to_series().to_dict())


if __name__ == "__main__":  # each worker process imports this file
    with tempfile.TemporaryDirectory() as directory:
        asyncio.run(main(directory))

# prints:
# 0 points failed; {'gamma': 2, 'beta': 3}
# {'00': 0, '01': 500, '10': 0, '11': 0}
