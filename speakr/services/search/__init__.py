"""Search: the index, by words, and by meaning."""
