"""``python -m tests.bench``: what a cached read saves and what a write costs, interleaved in one process on real servers."""
