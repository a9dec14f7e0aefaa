"""The Whisper ASR webservice."""
