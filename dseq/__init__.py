"""Keras-style models trained by all ranks of an MPI job: `import dseq as keras`."""

__version__ = "0.1.0"

from dseq.parallel import abort

abort.install()  # before anything can fail: one rank's exception must end the job

from dseq import (  # noqa: E402
    activations,
    backend,
    callbacks,
    config,
    datasets,
    initializers,
    layers,
    losses,
    metrics,
    models,
    optimizers,
    utils,
)
from dseq.layers import Input, Layer  # noqa: E402
from dseq.models import Model, Sequential  # noqa: E402
from dseq.parallel.communicator import print_once  # noqa: E402
from dseq.program.tensor import Tensor as KerasTensor  # noqa: E402
from dseq.program.variable import Variable  # noqa: E402

__all__ = [
    "Input",
    "KerasTensor",
    "Layer",
    "Model",
    "Sequential",
    "Variable",
    "activations",
    "backend",
    "callbacks",
    "config",
    "datasets",
    "initializers",
    "layers",
    "losses",
    "metrics",
    "models",
    "optimizers",
    "print_once",
    "utils",
]
