"""Measurements: each module prints one JSON object; docs/benchmarks.md has the figures."""
