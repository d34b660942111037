"""Bringing benchmarks' data into the cache: from a file, or from where it is published."""
