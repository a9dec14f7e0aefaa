"""What users may do and what the system does for them, without a word of HTTP. One file per noun."""
