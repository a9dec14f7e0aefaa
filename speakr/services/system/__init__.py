"""The server as a whole: settings of administrators, health, statistics and clean-up."""
