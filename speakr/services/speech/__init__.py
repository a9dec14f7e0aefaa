"""Speech: engines, transcripts and speakers."""
