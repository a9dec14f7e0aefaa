"""What users may do and what the system does for them. No HTTP code. One package per area, one module per noun."""
