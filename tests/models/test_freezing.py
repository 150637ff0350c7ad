"""Freezing: a layer, a model inside, a whole model; what is trained, what a step computes, and what ranks exchange."""

import numpy as np
import pytest

import dseq as keras
from dseq import layers
from dseq.layers import Dense
from tests.models.gradients import check_gradients
from tests.models.zoo import fill, wave

X, Y = wave((8, 5), 1), wave((8, 2), 2)


@pytest.fixture(autouse=True)
def fresh_names():
    keras.backend.clear_session(free_memory=False)


def model_with_inner():
    x = keras.Input((5,))
    inner = keras.Sequential(
        [keras.Input((5,)), Dense(4, "tanh", name="i1"), Dense(4, "tanh", name="i2")], name="inner"
    )
    h = inner(Dense(5, "tanh", name="first")(x))
    return fill(keras.Model(x, Dense(2, name="head")(h))), inner


def counts(model):
    return len(model.trainable_weights), len(model.non_trainable_weights)


def changed(model, before):
    return [bool((a != b).any()) for a, b in zip(before, model.get_weights(), strict=True)]


def train(model, **options):
    before = model.get_weights()
    model.fit(X, Y, shuffle=False, verbose=0, **options)
    return changed(model, before)


# What is trainable: as Keras says.


def test_a_model_inside():
    model, inner = model_with_inner()
    inner.trainable = False
    assert counts(model) == (4, 4) and [layer.trainable for layer in inner.layers] == [False, False]
    assert model.trainable and [w.path for w in model.trainable_weights] == [
        "first/kernel",
        "first/bias",
        "head/kernel",
        "head/bias",
    ]
    assert [w.path for w in model.non_trainable_weights] == [
        f"inner/{n}/{w}" for n in ("i1", "i2") for w in ("kernel", "bias")
    ]


def test_a_layer_of_a_model_inside():
    model, inner = model_with_inner()
    inner.layers[0].trainable = False
    assert counts(model) == (6, 2) and inner.trainable


def test_a_whole_model_and_back():
    model, inner = model_with_inner()
    model.trainable = False
    assert counts(model) == (0, 8) and not inner.trainable and not inner.layers[1].trainable
    model.get_layer("head").trainable = True
    assert counts(model) == (0, 8), "the model itself is still frozen"
    assert len(model.get_layer("head").trainable_weights) == 2
    model.trainable = True
    assert counts(model) == (8, 0) and inner.layers[0].trainable


@pytest.mark.parametrize("whole", [False, True])
def test_before_there_are_weights(whole):
    model = keras.Sequential([Dense(3), Dense(2)])
    (model if whole else model.layers[0]).trainable = False
    model.build((None, 4))
    assert len(model.trainable_weights) == (0 if whole else 2)
    assert [layer.trainable for layer in model.layers] == [False, not whole]
    assert len(keras.Sequential([keras.Input((4,)), Dense(3, trainable=False), Dense(2)]).trainable_weights) == 2


# What is trained.


def test_only_what_is_trainable_changes():
    model, inner = model_with_inner()
    inner.trainable = False
    model.compile(keras.optimizers.SGD(0.1), "mse")
    assert train(model, epochs=2) == [True, True, False, False, False, False, True, True]
    inner.trainable = True
    model.compile("adam", "mse")
    assert train(model) == [True] * 8


def test_compile_makes_a_change_count():
    model, inner = model_with_inner()
    model.compile("adam", "mse")
    train(model)
    inner.trainable = False
    before = model.get_weights()
    with pytest.raises(ValueError, match="call `compile"):
        model.fit(X, Y, verbose=0)
    assert changed(model, before) == [False] * 8
    model.compile("adam", "mse")
    assert train(model) == [True, True, False, False, False, False, True, True]
    inner.trainable = True
    with pytest.raises(ValueError, match="call `compile"):
        model.fit(X, Y, verbose=0)
    model.compile("adam", "mse")
    assert train(model) == [True] * 8


def test_toggles_do_not_change_what_is_computed():
    model, inner = model_with_inner()
    model.compile("sgd", "mse")
    losses = []
    for _ in range(3):
        losses.append(model.evaluate(X, Y, verbose=0))
        inner.trainable = not inner.trainable
    assert losses[0] == losses[1] == losses[2]
    weights = [w.path for w in model.weights]
    inner.trainable = False
    assert [w.path for w in model.weights] == weights, "files and `set_weights` go by this order"


def backward_kernels(model):
    return [kernel.__name__ for kernel, _ in model.plans["training"].backward_calls]


def deep(frozen):
    """A trunk of six layers and a head, with the trunk frozen or not."""
    trunk = keras.Sequential([keras.Input((5,)), *(Dense(5, "tanh") for _ in range(6))], name="trunk")
    x = keras.Input((5,))
    model = fill(keras.Model(x, Dense(2, name="head")(trunk(x))))
    trunk.trainable = not frozen
    model.compile("adam", "mse")
    model.fit(X, Y, verbose=0)
    return model


def test_a_frozen_trunk_has_no_backward_pass():
    frozen, free = deep(True), deep(False)
    assert 0 < len(backward_kernels(frozen)) < len(backward_kernels(free)) / 5
    assert backward_kernels(frozen).count("dense_write_kernel") == 1
    assert not [name for name in backward_kernels(frozen) if name.endswith("_input") or "tanh" in name]


def test_a_frozen_trunk_has_no_gradients_to_exchange():
    """The head has 12 numbers: with the alignment of the two blocks and the tail the arena has few more."""
    head, all_of_it = (
        next(s for key, s in m._sessions.items() if key[0] == "Training").parameters.grads.size
        for m in (deep(True), deep(False))
    )
    assert 12 <= head <= 12 + 3 * 16
    assert all_of_it >= 12 + 180
    model = deep(True)
    assert sum(v.numpy().size for v in model.optimizer.variables) < 2 * 12 + 16, "nor slots of the optimizer"


def test_layers_before_and_behind_a_frozen_one():
    """The gradient goes through what is frozen to what is not."""
    keras.backend.set_floatx("float64")
    try:
        model, inner = model_with_inner()
        inner.trainable = False
        check_gradients(model, X, Y)
    finally:
        keras.backend.set_floatx("float32")


def test_dropout_and_batch_normalization_of_a_frozen_model():
    inner = keras.Sequential([keras.Input((5,)), layers.BatchNormalization(), layers.Dropout(0.5)], name="inner")
    x = keras.Input((5,))
    model = keras.Model(x, Dense(2)(inner(x)))
    inner.trainable = False
    model.compile("sgd", "mse")
    before = inner.get_weights()
    model.fit(X, Y, verbose=0)
    for a, b in zip(before, inner.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    inner.trainable = True
    model.compile("sgd", "mse")
    model.fit(X, Y, verbose=0)
    assert (inner.get_weights()[2] != before[2]).all(), "moving averages"


# Weights of two models.


def pair():
    x = keras.Input((5,))
    h = Dense(4, "tanh", name="shared")(x)
    a, b = keras.Model(x, Dense(2)(h)), keras.Model(x, Dense(3)(h))
    fill(a)
    b.layers[-1].set_weights([wave((4, 3), 7, 0.3), wave((3,), 8, 0.3)])
    return a, b


def test_two_models_train_their_shared_weights_in_turns():
    """Losses are Keras'."""
    a, b = pair()
    a.compile(keras.optimizers.Adam(0.01), "mse")
    b.compile(keras.optimizers.Adam(0.02), "mse")
    losses, target = [], wave((8, 3), 3)
    for _ in range(3):
        before = b.predict(X, verbose=0)
        losses.append(a.train_on_batch(X, Y))
        assert np.abs(b.predict(X, verbose=0) - before).max() > 1e-4, "fine-tuning one changes the other"
        losses.append(b.train_on_batch(X, target))
    np.testing.assert_allclose(losses, [0.619261, 0.563291, 0.607506, 0.538428, 0.596498, 0.520588], atol=2e-6)


def test_a_generator_against_a_frozen_critic():
    """The critic is frozen in the model around it; losses are Keras'."""
    maker = keras.Sequential([keras.Input((3,)), Dense(5, "tanh")], name="maker")
    critic = keras.Sequential([keras.Input((5,)), Dense(4, "tanh"), Dense(1, "sigmoid")], name="critic")
    critic.trainable = False
    z = keras.Input((3,))
    both = fill(keras.Model(z, critic(maker(z))))
    both.compile(keras.optimizers.SGD(0.1), "binary_crossentropy")
    kept, noise = critic.get_weights(), wave((8, 3), 6)
    losses = [both.train_on_batch(noise, np.ones((8, 1))) for _ in range(4)]
    np.testing.assert_allclose(losses, [0.68298, 0.681309, 0.679642, 0.677981], atol=2e-6)
    np.testing.assert_array_equal(critic.get_weights()[0], kept[0])


def test_an_optimizer_belongs_to_one_set_of_weights():
    a, b = pair()
    optimizer = keras.optimizers.Adam(0.01)
    a.compile(optimizer, "mse")
    a.fit(X, Y, verbose=0)
    b.compile(optimizer, "mse")
    with pytest.raises(ValueError, match="can only be called for the variables it was originally built with"):
        b.fit(X, wave((8, 3), 3), verbose=0)
