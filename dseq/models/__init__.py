"""Floor 4: models."""

from dseq.models.model import Model
from dseq.models.sequential import Sequential

__all__ = ["Model", "Sequential"]
