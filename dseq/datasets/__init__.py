"""Data sets to learn and to test with: `digits` comes with the package, `mnist` and `cifar10` are downloaded once."""

from dseq.datasets import cifar10, digits, mnist

__all__ = ["cifar10", "digits", "mnist"]
