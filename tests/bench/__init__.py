"""Benchmarks: `python -m tests.bench [names…]`. Every figure stands beside a floor that was measured in the same run."""
