"""The dispatcher: sends webhook deliveries to receivers."""
