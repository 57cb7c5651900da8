"""Benchmarks: what is measured, never asserted; run by `make bench`."""
