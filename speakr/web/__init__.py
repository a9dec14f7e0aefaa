"""What all doors share: who asks, how often, files in and out, live streams."""
