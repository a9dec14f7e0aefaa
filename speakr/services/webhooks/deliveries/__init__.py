"""Deliveries: one event on its way to one webhook.

history.py    what owners may see and ask: list, look, replay
recovery.py   what owners may ask for many at once: telling failures again, calling off what waits
waiting.py    ending what waits, and letting go what was held
claiming.py   what is due, and taking it; with sending.py and the two above all that changes a delivery's state
sending.py    what attempts came to: outcomes, pauses
samples.py    a delivery as it would arrive
states.py     conditions that several of these ask for
retention.py  letting go of old ones, and of old events
"""
