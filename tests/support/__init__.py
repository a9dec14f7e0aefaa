"""What the fixtures are made of: apps, people, audio."""
