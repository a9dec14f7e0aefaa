"""Corrections of transcripts and their history."""
