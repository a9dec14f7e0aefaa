"""The API of Dictanote AudioScribe: finished recordings as sessions with a title and two texts."""
