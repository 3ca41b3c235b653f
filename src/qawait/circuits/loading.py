"""Loads Qiskit in a thread that never ends.

Qiskit 2.6 depends on the thread that has loaded it: once that thread has ended, reading
OpenQASM in another one stops the process with a segmentation fault. Circuits are read in
worker threads, and these end with their event loop or when they have nothing to do.
"""

from __future__ import annotations

import sys
import threading
from importlib import import_module

__all__ = ["load_qiskit"]

_lock = threading.Lock()


def load_qiskit() -> None:
    """Load Qiskit unless it is loaded, whichever thread asks for it.

    Raises:
        ImportError: It is not installed.
    """
    with _lock:
        if "qiskit" in sys.modules:
            return
        loaded = threading.Event()
        failures: list[ImportError] = []

        def load_and_stay() -> None:
            try:
                import_module("qiskit")
            except ImportError as error:
                failures.append(error)
            finally:
                loaded.set()
            if not failures:
                threading.Event().wait()

        threading.Thread(
            target=load_and_stay, name="qawait keeps qiskit", daemon=True
        ).start()
        loaded.wait()
    if failures:
        raise failures[0]
