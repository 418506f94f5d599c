"""Benchmarks of cconv: frozen workloads, other libraries side by side, and their pictures."""
