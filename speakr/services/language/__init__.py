"""What language models write about recordings: summaries, titles, insights, events, answers."""
