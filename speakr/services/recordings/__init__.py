"""Recordings: what users may do with them.

access.py    load one for an actor, or say that there is none
intake.py    take a new one in
listing.py   pages of them, without their texts
editing.py   change fields
removal.py   delete, bytes and all
"""
