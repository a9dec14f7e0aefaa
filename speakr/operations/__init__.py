"""What the operator does: starting everything with one command, keeping it alive, preparing a first start."""
