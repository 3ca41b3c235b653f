"""Qiskit's primitives over a service: a sweep of a sampler, and a small VQE."""

from math import pi

from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector
from qiskit.primitives import BackendEstimatorV2
from qiskit.quantum_info import SparsePauliOp
from scipy.optimize import minimize

from qawait.qiskit import QawaitSampler, open_backend

angles = ParameterVector("angle", 2)
ansatz = QuantumCircuit(2)
ansatz.rx(angles[0], 0)
ansatz.rx(angles[1], 1)
ansatz.cz(0, 1)

with open_backend() as backend:
    print(backend)

    # one PUB with a 2 x 2 array of bindings; the circuit is compiled once
    grid = [[[0, 0], [0, pi]], [[pi, 0], [pi, pi]]]
    measured = ansatz.measure_all(inplace=False)
    job = QawaitSampler(backend).run([(measured, grid)], shots=100)
    bits = job.result()[0].data.meas
    print(bits)
    print(bits[0, 1].get_counts())

    # Qiskit's own estimator, and scipy's own optimiser
    energy = SparsePauliOp.from_list([("IZ", 1.0), ("ZI", 0.5)])
    estimator = BackendEstimatorV2(backend=backend)

    def cost(x):
        return estimator.run([(ansatz, energy, x)]).result()[0].data.evs

    found = minimize(cost, [2.0, 2.0], method="COBYLA", options={"maxiter": 15})
    print(f"energy {found.fun:.2f}")

# prints:
# <QawaitBackend square20: 20 qubits, simulated>
# BitArray(<shape=(2, 2), num_shots=100, num_bits=2>)
# {'10': 100}
# energy -1...
