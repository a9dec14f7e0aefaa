"""Unusual requests generated from the OpenAPI document: `python -m tests.fuzz --help`."""
