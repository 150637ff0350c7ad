"""Layers that reduce windows of images."""
