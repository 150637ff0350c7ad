"""Input, Dense, Identity."""
