"""Benchmarks: one question per module, run with ``python -m benchmarks.bench_x``."""
