"""Floor 3: the training loop."""
