"""Maintenance beside the dispatcher: recovery, mail, and the removal of what is no longer needed."""
