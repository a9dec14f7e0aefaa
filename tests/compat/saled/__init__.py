"""The API of the Saled transcription server."""
