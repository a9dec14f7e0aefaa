"""Requests that nobody would think of, made from the API's own description: `python -m tests.fuzz --help`."""
