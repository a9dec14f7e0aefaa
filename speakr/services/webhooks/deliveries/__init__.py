"""Deliveries: one event on its way to one webhook.

history.py    requests of owners: list, read, replay
recovery.py   requests of owners for many deliveries: replay failures, cancel what waits
waiting.py    end waiting deliveries, and send held ones
claiming.py   find and claim due deliveries
sending.py    record outcomes of attempts, pause webhooks
samples.py    example deliveries
states.py     conditions that several of these modules use
retention.py  delete old deliveries and events

claiming, sending, recovery and waiting are the only modules that change a delivery's state.
"""
