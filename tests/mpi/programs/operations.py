"""Values and gradients of operations whose samples lie on several ranks, against those of one rank with all samples."""

import numpy as np

from dseq import ops
from dseq.parallel import communicator
from dseq.program.variable import Variable
from tests.ops.harness import Run, Sample, part

world = communicator.get()
rng = np.random.default_rng(0)
WEIGHTS = [rng.standard_normal(shape) for shape in ((3,), (3, 3))]


def standardised(x, w, v):
    return (x - ops.mean(x, axis=0)) / ops.std(x, axis=0) * w


def both_ways(x, w, v):  # a weight and a shared result, each used by samples and by other shared results
    moment = ops.mean(x * w, axis=0)
    return [x * moment + ops.sum(w), ops.square(moment) + w * ops.max(v)]


def extremes(x, w, v):
    return [ops.max(x * w, axis=0), ops.min(ops.matmul(x, v)), ops.max(ops.round(x), axis=0) * w]


CASES = {
    "standardised": standardised,
    "both ways": both_ways,
    "extremes": extremes,
    "ties": lambda x, w, v: ops.max(ops.minimum(x, 0.1) * w, axis=0),
    "regularizer": lambda x, w, v: [ops.sum(ops.square(v)) + ops.sum(ops.abs(w)), ops.mean(x) * 0.5],
    "sums": lambda x, w, v: [ops.sum(x * w), ops.var(ops.matmul(x, v)), ops.logsumexp(x @ v)],
    "products": lambda x, w, v: [ops.einsum("bi,bj->ij", x, x * w), ops.matmul(v, v) @ ops.mean(x, axis=0)],
    "broadcast": lambda x, w, v: ops.where(x > 0, ops.sum(v) + x, w) + ops.expand_dims(ops.sum(v, axis=0), 0),
    "stacked": lambda x, w, v: ops.concatenate([x, ops.expand_dims(w, 0) * ops.mean(x)], axis=1),
    "tests": lambda x, w, v: [
        ops.any(x > 1.5, axis=0),
        ops.all(x > -1.5),
        ops.count_nonzero(x > 0),
        ops.mean(ops.cast(x > 0, "int32"), axis=0),
    ],
    "taken": lambda x, w, v: ops.take(v, ops.argmax(x, axis=-1), axis=0) * w,
}


def results(case, values, world=None):
    """Values, and gradients by samples and weights for random ones of the results."""
    weights = [Variable(w, "float64", f"w{i}") for i, w in enumerate(WEIGHTS)]
    run = Run(CASES[case], Sample(values), *weights, world=world)
    made = run.forward()
    rng = np.random.default_rng(1)
    slopes = []
    for tensor, y in zip(run.tensors, made, strict=True):
        whole = y.shape if tensor.shared else (len(values), *y.shape[1:])
        slope = rng.standard_normal(whole)
        slopes.append(slope if tensor.shared or world is None else slope[part(len(values), world)])
    by_samples, *by_weights = run.backward(*slopes)
    if world is not None:
        for gradient in by_weights:
            world.allreduce_sum(gradient)
    shared = [tensor.shared for tensor in run.tensors]
    return made, shared, by_samples, by_weights


for rows in (7, 2):  # with fewer rows than ranks, some have none
    values = np.random.default_rng(rows).standard_normal((rows, 3))
    mine = part(rows, world)
    for case in CASES:
        made, shared, by_samples, by_weights = results(case, values, world)
        expected, _, whole, wanted = results(case, values)
        for y, all_rows, alike in zip(made, expected, shared, strict=True):
            np.testing.assert_allclose(y, all_rows if alike else all_rows[mine], 1e-12, 1e-12, err_msg=case)
        np.testing.assert_allclose(by_samples, whole[mine], 1e-11, 1e-11, err_msg=case)
        for gradient, other in zip(by_weights, wanted, strict=True):
            np.testing.assert_allclose(gradient, other, 1e-11, 1e-11, err_msg=case)
        if rows == 7 and case not in ("tests", "taken"):
            assert np.abs(whole).max() > 0.01, case
if world.rank == 0:
    print("all cases agree")
