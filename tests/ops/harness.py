"""Runs a function of `dseq.ops` in a plan of its own, in float64, and checks its gradients."""

import numpy as np

from dseq.parallel.shard import shard
from dseq.program.graph import Graph
from dseq.program.memory import Parameters
from dseq.program.operand import Operand
from dseq.program.plan import Plan
from dseq.program.step import Step
from dseq.program.structure import flatten
from dseq.program.tensor import Tensor, tracing
from dseq.program.variable import Variable

ROWS = 3


def sample(*shape, low=-1.0, high=1.0, dtype="float64", seed=0):
    """An input with a batch axis: random numbers, one array for each sample."""
    return Sample(_random((ROWS, *shape), low, high, dtype, seed))


def weight(*shape, low=-1.0, high=1.0, seed=1):
    """A weight of random numbers."""
    return Variable(_random(shape, low, high, "float64", seed), "float64", "w")


def _random(shape, low, high, dtype, seed):
    rng = np.random.default_rng([seed, *shape])
    if np.dtype(dtype).kind in "iu":
        return rng.integers(int(low), int(high), shape).astype(dtype)
    return (low + (high - low) * rng.random(shape)).astype(dtype)


def part(rows, world):
    """Which rows are this rank's."""
    first, last = shard(rows, world.rank, world.size)
    return slice(first, last)


class Sample:
    """Values of an input with a batch axis."""

    def __init__(self, values):
        self.values = np.asarray(values)


class Run:
    """A function in a plan.

    Args:
        function: Takes tensors, weights and constants, and gives a tensor or a list of them.
        *arguments: `Sample`, `Variable`, arrays and numbers.
        runner: As for `Step`.
        world: The communicator; each rank then has its part of the samples. None for all of them here.
    """

    def __init__(self, function, *arguments, runner="table", world=None):
        self.samples = [a for a in arguments if isinstance(a, Sample)]
        if world is not None:
            self.samples = [Sample(s.values[part(len(s.values), world)]) for s in self.samples]
        self.weights = [a for a in arguments if isinstance(a, Variable)]
        tensors = [Tensor((None, *s.values.shape[1:]), s.values.dtype.name) for s in self.samples]
        stands = iter(tensors)
        with tracing():
            made = function(*(next(stands) if isinstance(a, Sample) else a for a in arguments))
        self.tensors = flatten(made)
        self.plan = plan = Plan(True, "float64", self.weights)
        self.inputs = []
        for i, s in enumerate(self.samples):
            x = plan.input(f"x{i}", s.values.shape[1:], s.values.dtype.name)
            if s.values.dtype.kind == "f":
                x.grad = Operand(f"d x{i}", x.shape, "activation_grads", x.dtype)
                plan.blocks.append(x.grad)
            self.inputs.append(x)
        self.outputs = Graph(tensors, self.tensors).lower(plan, self.inputs)
        for y in self.outputs:
            if y.grad is not None:
                plan.give(y.grad)
        self.step = Step(plan, Parameters(self.weights, [], plan.tail_size, "float64"), runner)
        self.step.clock[:3] = 17, 3, 0
        if world is not None:
            self.step.clock[3:5] = world.rank, world.size
            self.step.exchange = lambda arrays: world.allreduce_sum(arrays[0])
        self.step.bind(len(self.samples[0].values) if self.samples else 0)

    def forward(self):
        """The results."""
        for x, s in zip(self.inputs, self.samples, strict=True):
            self.step.array(x)[...] = s.values
        self.step.forward()
        return [self.step.array(y).copy() for y in self.outputs]

    def backward(self, *dy):
        """The gradients by samples, then by weights, for those of the results; None where there is none."""
        step = self.step
        step.parameters.grads.fill(0)
        step._grads.fill(0)
        step._shared["shared_grads"][0].fill(0)
        for y, d in zip(self.outputs, dy, strict=True):
            if y.grad is not None:
                step.array(y.grad)[...] += d
        step.backward()
        slopes = [None if x.grad is None else step.array(x.grad).copy() for x in self.inputs]
        known = self.plan.gradients
        for w in self.weights:
            slopes.append(step.array(known[id(w)]).copy() if id(w) in known else np.zeros(w.shape))
        return slopes


def check(function, expected, *arguments, slopes=True, rtol=1e-6, atol=1e-7, runner="table", exact=1e-12):
    """Compares values with a formula, also those computed at once, and gradients with finite differences.

    Args:
        function: The function of tensors.
        expected: The same in NumPy, a function of arrays.
        *arguments: As for `Run`.
        slopes: Whether gradients are looked at.
        rtol: Tolerance of gradients.
        atol: The same.
        runner: As for `Step`.
        exact: Tolerance of values.
    """
    run = Run(function, *arguments, runner=runner)
    arrays = [a.values if isinstance(a, Sample) else a.array if isinstance(a, Variable) else a for a in arguments]
    wanted = [np.asarray(w) for w in flatten(expected(*arrays))]
    made = run.forward()
    at_once = [np.asarray(e) for e in flatten(function(*arrays))]
    assert len(made) == len(wanted) == len(at_once)
    for y, w, e, t in zip(made, wanted, at_once, run.tensors, strict=True):
        assert y.shape == w.shape == e.shape, (y.shape, w.shape, e.shape)
        full = (None, *y.shape[1:]) if not t.shared else y.shape
        assert t.shape == full, (t.shape, full)
        assert t.dtype == e.dtype.name, (t.dtype, e.dtype)
        np.testing.assert_allclose(y, w, exact, exact)
        np.testing.assert_allclose(e, w, exact, exact)
    if not slopes:
        return run
    rng = np.random.default_rng(5)
    dy = [rng.standard_normal(y.shape) for y in made]
    found = run.backward(*dy)
    places = [s.values for s in run.samples] + [w.array for w in run.weights]
    for x, slope in zip(places, found, strict=True):
        if slope is None:
            continue
        direction = rng.standard_normal(x.shape)
        kept, step, sides = x.copy(), 1e-6, []
        for sign in (1, -1):
            x[...] = kept + sign * step * direction
            sides.append(sum((y * d).sum() for y, d in zip(run.forward(), dy, strict=True)))
        x[...] = kept
        np.testing.assert_allclose((slope * direction).sum(), (sides[0] - sides[1]) / (2 * step), rtol, atol)
    return run
