"""Texts of language models about recordings: summaries, titles, insights, events and answers."""
