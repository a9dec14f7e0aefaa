"""The API of Clio Voice Notes, for its web client and for scripts made for it."""
