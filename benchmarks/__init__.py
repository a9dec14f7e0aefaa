"""Speed and memory, measured against real processes. Each file is one command and prints a table."""
