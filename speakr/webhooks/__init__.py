"""Sending deliveries to the receivers that users named."""
