"""Measurements of speed, each beside its bound and its peers: `make bench`, or `python -m benchmarks [WHAT ...] [--quick]`."""
