"""Business rules: what users may do, and what the system does for them. No HTTP code.

Each area has a package, and each noun has a module in it.
"""
