"""Transcriptions of files that are not kept."""
