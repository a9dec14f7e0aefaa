"""Webhooks, the events they are subscribed to, and the deliveries to them."""
