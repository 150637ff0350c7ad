"""Layers along the steps of a sequence."""
