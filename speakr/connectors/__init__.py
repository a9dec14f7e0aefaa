"""Connectors to transcription, language and embedding engines, local or at a provider."""
