"""Shapes on the wire, one class per direction, every field written out. A schema checks shape, never truth."""
