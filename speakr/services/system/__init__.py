"""The server as a whole: settings of administrators, health, numbers, clean-up."""
