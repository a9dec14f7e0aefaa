"""Recordings: what users may do with them.

access.py    load a recording for an actor, or refuse
intake.py    create recordings from uploads
listing.py   list recordings page by page, without their texts
editing.py   change fields
removal.py   delete recordings and their audio
"""
