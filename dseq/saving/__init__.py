"""Weights on disk, in Keras 3's format."""
