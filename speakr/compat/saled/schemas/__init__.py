"""What Saled's clients send, and what they get."""
