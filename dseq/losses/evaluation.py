"""What a loss or metric writes into plans, run on arrays."""

import numpy as np

from dseq.program.plan import PER_ROW_SCALE, Plan
from dseq.program.step import Step


def evaluate(reader, y_true, y_pred) -> np.ndarray:
    """Runs what a loss or metric writes into a plan, on arrays with samples first.

    Args:
        reader: A loss, or anything else with `target`, `arrange`, `values_shape` and `lower_values`.
        y_true: Labels.
        y_pred: Predictions.

    Returns:
        An array of values, one for each sample and each further axis of the predictions but that of the vectors.

    Raises:
        ValueError: If shapes do not fit, or a label is no class.
    """
    rows = len(y_pred)
    if len(y_true) != rows:
        raise ValueError(
            f"`y_true` and `y_pred` must have the same number of samples. Received: {len(y_true)} and {rows}"
        )
    plan = Plan(dtype=y_pred.dtype)
    shape, dtype = reader.target(y_true.shape[1:], y_pred.shape[1:])
    dtype = y_true.dtype.name if dtype == "given" else dtype
    labels, predictions = plan.input("y_true", shape, dtype), plan.input("y_pred", y_pred.shape[1:])
    values, _ = reader.lower_values(plan, *reader.arrange(plan, labels, predictions))
    step = Step(plan, runner="calls")
    run(step, y_true=y_true.reshape(rows, *shape), y_pred=y_pred)
    return step.array(values).reshape(rows, *reader.values_shape(y_pred.shape[1:])).copy()


def run(step, **arrays) -> None:
    """Runs a step on arrays.

    Args:
        step: The step.
        **arrays: An array for each input, samples first.

    Raises:
        ValueError: If a label is no class.
    """
    y_true = arrays["y_true"]
    step.bind(len(y_true))
    with np.errstate(invalid="ignore"):  # NaN as a class number becomes one that is none
        for name, array in arrays.items():
            step.input(name)[...] = array
    if PER_ROW_SCALE in step.plan.scales:
        step.set_scale(PER_ROW_SCALE, 1 / max(len(y_true), 1))
    step.compute()
    for operand, message in step.plan.faults:
        if step.tail[operand.start] != 0:
            raise ValueError(f"{message}labels from {y_true.min()} to {y_true.max()}.")
