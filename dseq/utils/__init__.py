"""Keras' utilities, by its names."""

from dseq.program.seeds import set_random_seed
from dseq.utils.normalize import normalize
from dseq.utils.to_categorical import to_categorical

__all__ = ["normalize", "set_random_seed", "to_categorical"]
