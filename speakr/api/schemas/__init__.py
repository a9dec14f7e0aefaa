"""Schemas of requests and responses, one class per direction, with every field written out. They check the form only."""
