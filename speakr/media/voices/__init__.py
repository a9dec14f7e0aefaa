"""Diarization: from sound to voice vectors, from vectors to speakers. numpy only, no network."""
