"""`dseq.random`: distributions, seeds, and draws in a layer's `call`."""

import numpy as np
import pytest

import dseq as keras
from dseq import layers, ops


class Draws(layers.Layer):
    def __init__(self, draw, **kwargs):
        super().__init__(**kwargs)
        self.draw = draw

    def call(self, x):
        return self.draw(x)


def drawn(draw, rows=400, batch_size=400):
    inputs = keras.Input((2,))
    model = keras.Model(inputs, Draws(draw)(inputs))
    return model.predict(np.ones((rows, 2), np.float32), batch_size=batch_size, verbose=0)


def test_normal_numbers_in_call_have_a_row_for_each_sample_and_their_moments():
    values = drawn(lambda x: keras.random.normal((ops.shape(x)[0], 3), mean=5.0, stddev=2.0))
    assert values.shape == (400, 3)
    assert abs(values.mean() - 5) < 0.3
    assert abs(values.std() - 2) < 0.2
    assert len(np.unique(values)) > 1190


def test_uniform_integers_and_classes_in_call():
    def draw(x):
        size = ops.shape(x)
        logits = ops.log(ops.cast([0.1, 0.9], "float32")) + 0 * x
        classes = keras.random.categorical(logits, 3)
        return [keras.random.uniform(size, 2, 4), keras.random.randint(size, -1, 3), ops.cast(classes, "float32")]

    uniform, integers, classes = drawn(draw)
    assert 2 <= uniform.min() < 2.1
    assert 3.9 < uniform.max() < 4
    assert set(np.unique(integers)) == {-1, 0, 1, 2}
    assert classes.shape == (400, 3)
    assert abs(classes.mean() - 0.9) < 0.05


def test_dropout_scales_what_it_keeps():
    values = drawn(lambda x: keras.random.dropout(x, 0.25))
    assert set(np.unique(values.round(4))) == {0, np.float32(1.3333)}
    assert abs((values == 0).mean() - 0.25) < 0.06


def test_what_has_no_batch_axis_is_the_same_for_all_samples():
    values = drawn(lambda x: x * keras.random.normal((2,)))
    assert np.ptp(values, axis=0).max() == 0
    assert values[0, 0] != values[0, 1]


def test_two_draws_from_one_generator_differ():
    generator = keras.random.SeedGenerator(3)

    def draw(x):
        return [keras.random.normal(ops.shape(x), seed=generator) for _ in range(2)]

    first, second = drawn(draw)
    assert not np.any(first == second)


def test_each_call_on_arrays_draws_anew():
    layer = Draws(lambda x: keras.random.normal(ops.shape(x)))
    x = np.ones((4, 2), np.float32)
    assert not np.any(layer(x) == layer(x))


def test_noise_differs_from_step_to_step_and_gradients_pass():
    keras.utils.set_random_seed(1)

    def noisy(x):
        return x + keras.random.normal(ops.shape(x), seed=keras.random.SeedGenerator(2))

    model = keras.Sequential([keras.Input((2,)), layers.Dense(2, kernel_initializer="zeros"), Draws(noisy)])
    model.compile(keras.optimizers.SGD(0.0), "mse")
    losses = [model.train_on_batch(np.ones((5, 2)), np.zeros((5, 2))) for _ in range(3)]
    assert len({float(loss) for loss in losses}) == 3
    model.compile(keras.optimizers.SGD(0.5), "mse")
    before = model.get_weights()[0]
    model.train_on_batch(np.ones((50, 2)), np.full((50, 2), 9.0))
    assert np.all(model.get_weights()[0] > before)


def test_arrays_of_every_distribution():
    random = keras.random
    assert np.array_equal(random.normal((4,), seed=7), random.normal((4,), seed=7))
    assert not np.array_equal(random.normal((4,), seed=7), random.normal((4,), seed=8))
    assert random.normal((2, 3)).dtype == np.float32
    assert np.abs(random.truncated_normal((1000,), seed=1)).max() <= 2
    assert random.randint((3,), 0, 2).dtype == np.int32
    assert sorted(random.shuffle(np.arange(6), seed=2)) == list(range(6))
    assert abs(random.gamma((2000,), 3.0, seed=1).mean() - 3) < 0.3
    assert abs(random.beta((2000,), 1.0, 3.0, seed=1).mean() - 0.25) < 0.03
    assert abs(random.binomial((2000,), 4.0, 0.5, seed=1).mean() - 2) < 0.1
    assert random.categorical(np.zeros((2, 3), np.float32), 4).shape == (2, 4)


def test_set_random_seed_reproduces_arrays():
    keras.utils.set_random_seed(5)
    first = keras.random.uniform((3,))
    keras.utils.set_random_seed(5)
    assert np.array_equal(first, keras.random.uniform((3,)))


def test_seed_generators_are_made_from_their_configuration():
    generator = keras.random.SeedGenerator(11)
    twin = keras.random.SeedGenerator.from_config(generator.get_config())
    assert np.array_equal(keras.random.normal((3,), seed=generator), keras.random.normal((3,), seed=twin))
    with pytest.raises(ValueError, match="must be an integer"):
        keras.random.SeedGenerator("a")


def test_what_only_draws_arrays_says_so_in_call():
    with pytest.raises(ValueError, match="draws arrays only"):
        drawn(lambda x: keras.random.gamma(ops.shape(x), 1.0))


def test_a_batch_axis_outside_of_call_is_an_error():
    with pytest.raises(ValueError, match="only in a layer's `call`"):
        ops.zeros((None, 3))


def test_constants_with_a_row_for_each_sample():
    def draw(x):
        size = ops.shape(x)
        row = ops.broadcast_to(ops.arange(3, dtype="float32"), (size[0], 3))
        return [ops.zeros((size[0], 3)) + 1, ops.ones(size) * x, ops.full((size[0], 1), 7, "int32"), row]

    zeros, ones, sevens, row = drawn(draw, rows=7, batch_size=3)
    assert np.array_equal(row, np.tile([0, 1, 2], (7, 1)))
    assert np.array_equal(zeros, np.ones((7, 3)))
    assert np.array_equal(ones, np.ones((7, 2)))
    assert np.array_equal(sevens, np.full((7, 1), 7))


@pytest.mark.parametrize("batch_size", [None, 4])
def test_call_sees_no_number_of_samples(batch_size):
    seen = []

    class Recurrent(layers.Layer):
        def call(self, x):
            seen.append(x.shape)
            state = ops.zeros((ops.shape(x)[0], 2))
            for t in range(x.shape[1]):
                state = state * 0.5 + x[:, t]
            return state

    layer = Recurrent()
    x = np.arange(24, dtype=np.float32).reshape(4, 3, 2)
    expected = 0.25 * x[:, 0] + 0.5 * x[:, 1] + x[:, 2]
    assert np.allclose(layer(x), expected)  # arrays
    inputs = keras.Input((3, 2), batch_size=batch_size)
    outputs = layer(inputs)
    assert outputs.shape == (batch_size, 2)
    assert np.allclose(keras.Model(inputs, outputs).predict(x, verbose=0), expected)
    assert layer.compute_output_shape((4, 3, 2)) == (4, 2)
    assert set(seen) == {(None, 3, 2)}
