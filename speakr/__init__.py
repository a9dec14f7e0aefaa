"""Speakr: a self-hosted server that turns recordings into organised, searchable notes."""

__version__ = "0.1.0"
