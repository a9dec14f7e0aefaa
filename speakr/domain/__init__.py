"""The words of the house, in plain Python: no room may be imported from here."""
