"""Whoever hears and writes for us: transcription and language engines, local or at a provider."""
