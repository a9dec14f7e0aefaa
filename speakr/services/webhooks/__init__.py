"""Webhooks, the events they subscribe to, and the deliveries to them."""
