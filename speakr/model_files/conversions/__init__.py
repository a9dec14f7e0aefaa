"""Scripts that convert models. Each runs alone, in an environment of its own; nothing here is imported."""
