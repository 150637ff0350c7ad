"""The gradient of a whole model's loss, checked against finite differences in all its trained weights at once."""

import numpy as np

import dseq as keras


def loss_of(model, x, y):
    """The loss as a function of all trained weights, given as one flat vector.

    Args:
        model: A compiled model in float64.
        x: Its inputs.
        y: Its targets.
    """

    def loss(flat):
        write(model, flat)
        return model.test_on_batch(x, y, return_dict=True)["loss"]

    return loss


def read(model):
    """All trained weights as one flat vector."""
    return np.concatenate([w.numpy().ravel() for w in model.trainable_weights])


def write(model, flat):
    """Sets all trained weights from one flat vector."""
    start = 0
    for w in model.trainable_weights:
        w.assign(flat[start : start + w.numpy().size].reshape(w.shape))
        start += w.numpy().size


def check_gradients(model, x, y, loss="mse", directions=4, rtol=1e-6, **options):
    """Compares a training step's gradient with central differences along each weight's own and some random directions.

    Args:
        model: A model made in float64, without anything random in it.
        x: Inputs.
        y: Targets.
        loss: Loss, or a list or dict of them.
        directions: Random directions in the space of all weights.
        rtol: Largest difference, relative to the largest derivative.
        **options: Further arguments of `compile`.

    Returns:
        The gradient as a flat vector.
    """
    model.compile(keras.optimizers.SGD(1.0), loss, jit_compile=False, **options)
    before = read(model)
    model.train_on_batch(x, y)
    gradient = before - read(model)
    value = loss_of(model, x, y)
    random = np.random.default_rng(0)
    probes = [random.standard_normal(len(before)) for _ in range(directions)]
    start = 0
    for w in model.trainable_weights:  # each weight alone, so that none hides behind larger ones
        probe = np.zeros(len(before))
        probe[start : start + w.numpy().size] = random.standard_normal(w.numpy().size)
        start += w.numpy().size
        probes.append(probe)
    step = 1e-6
    numeric = [(value(before + step * probe) - value(before - step * probe)) / (2 * step) for probe in probes]
    write(model, before)
    exact = [gradient @ probe for probe in probes]
    np.testing.assert_allclose(exact, numeric, rtol=rtol, atol=rtol * np.abs(numeric).max())
    assert np.count_nonzero(exact) > directions, "derivatives of exactly 0 check nothing"
    return gradient
