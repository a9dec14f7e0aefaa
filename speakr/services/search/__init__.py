"""Search: the index, search by words, and search by meaning."""
