"""Measurements of what people wait for: each ``bench_*.py`` is a program, ``python -m benchmarks`` runs them."""
