"""Speech: engines, transcripts, and who speaks in them."""
