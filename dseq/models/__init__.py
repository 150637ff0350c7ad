"""Floor 4: models."""

from dseq.models.cloning import clone_model
from dseq.models.configuration import model_from_json
from dseq.models.functional import Functional
from dseq.models.model import Model
from dseq.models.sequential import Sequential
from dseq.program import registry

registry.provide("keras.src.models.functional", {"Functional": Functional})
for _name in ("keras", "keras.models"):
    registry.provide(_name, {"Functional": Functional, "Model": Model, "Sequential": Sequential})

__all__ = ["Functional", "Model", "Sequential", "clone_model", "model_from_json"]
