"""Keras-style models trained by all ranks of an MPI job: `import dseq as keras`."""

__version__ = "0.1.0"

from dseq.parallel import abort

abort.install()  # before anything can fail: one rank's exception must end the job

from dseq import (
    activations,
    backend,
    callbacks,
    config,
    constraints,
    data,
    datasets,
    distribution,
    initializers,
    layers,
    losses,
    metrics,
    models,
    optimizers,
    regularizers,
    saving,
    tree,
    utils,
)
from dseq.initializers import Initializer
from dseq.layers import Input, Layer
from dseq.losses import Loss
from dseq.metrics import Metric
from dseq.models import Model, Sequential
from dseq.optimizers import Optimizer
from dseq.parallel import communicator
from dseq.parallel.communicator import print_once
from dseq.program import ranks
from dseq.program.tensor import Tensor as KerasTensor
from dseq.program.tensor import operators
from dseq.program.variable import Variable
from dseq.regularizers import Regularizer

ranks.provide(communicator.get)


def __getattr__(name):
    # Only models with operations of their own need these functions and their kernels, and few scripts the networks.
    if name == "applications":
        import dseq.applications as applications

        return applications
    if name == "ops":
        import dseq.ops as ops

        return ops
    if name == "random":
        import dseq.random as random

        return random
    if name == "Operation":
        from dseq.program.operation import Operation

        return Operation
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


operators.load = lambda: __getattr__("ops")


def version() -> str:
    """The version of dseq."""
    return __version__


__all__ = [
    "Initializer",
    "Input",
    "KerasTensor",
    "Layer",
    "Loss",
    "Metric",
    "Model",
    "Operation",
    "Optimizer",
    "Regularizer",
    "Sequential",
    "Variable",
    "activations",
    "applications",
    "backend",
    "callbacks",
    "config",
    "constraints",
    "data",
    "datasets",
    "distribution",
    "initializers",
    "layers",
    "losses",
    "metrics",
    "models",
    "ops",
    "optimizers",
    "print_once",
    "random",
    "regularizers",
    "saving",
    "tree",
    "utils",
    "version",
]
