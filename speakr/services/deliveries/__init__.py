"""Deliveries: one event on its way to one webhook.

history.py    what owners may see and ask: list, look, replay
claiming.py   what is due, and taking it; with sending.py the only place that changes a delivery's state
sending.py    what attempts came to: outcomes, pauses
retention.py  letting go of old ones, and of old events
"""
