"""Keras-style models trained by all ranks of an MPI job: `import dseq as keras`."""

__version__ = "0.1.0"

from dseq.parallel import abort

abort.install()  # before anything can fail: one rank's exception must end the job

from dseq import (  # noqa: E402
    activations,
    backend,
    callbacks,
    config,
    constraints,
    data,
    datasets,
    initializers,
    layers,
    losses,
    metrics,
    models,
    optimizers,
    regularizers,
    saving,
    utils,
)
from dseq.layers import Input, Layer  # noqa: E402
from dseq.models import Model, Sequential  # noqa: E402
from dseq.parallel import communicator  # noqa: E402
from dseq.parallel.communicator import print_once  # noqa: E402
from dseq.program import ranks  # noqa: E402
from dseq.program.tensor import Tensor as KerasTensor  # noqa: E402
from dseq.program.tensor import operators  # noqa: E402
from dseq.program.variable import Variable  # noqa: E402

ranks.provide(communicator.get)


def __getattr__(name):
    # Only models with operations of their own need these functions and their kernels.
    if name == "ops":
        import dseq.ops as ops

        return ops
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


operators.load = lambda: __getattr__("ops")

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
    "constraints",
    "data",
    "datasets",
    "initializers",
    "layers",
    "losses",
    "metrics",
    "models",
    "ops",
    "optimizers",
    "print_once",
    "regularizers",
    "saving",
    "utils",
]
