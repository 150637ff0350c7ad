"""Data sets to learn and to test with: `digits` comes with the package, `mnist` is downloaded once."""

from dseq.datasets import digits, mnist

__all__ = ["digits", "mnist"]
