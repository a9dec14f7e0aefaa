"""The API of ahmetoner's Whisper ASR webservice: `/asr` and `/detect-language`. Nothing is kept."""
