"""Benchmarks of speed and memory, against real processes. Each module is one command and prints a table."""
