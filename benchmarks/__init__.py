"""Side-by-side timings and studies; run as modules, `python -m benchmarks.NAME`."""
