"""What workers run. Each job kind has one file; `runner` claims, `worker` keeps the process alive."""
