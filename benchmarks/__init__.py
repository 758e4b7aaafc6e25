"""What is fast, against the limit; each benchmark is run with `python -m benchmarks.NAME --help`."""
