"""Sharing between users and within groups."""
