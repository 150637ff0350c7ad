"""Operations in models: layers and losses written with them, configurations, and messages."""

import numpy as np
import pytest

import dseq
from dseq import ops
from dseq.program.tensor import tracing


class Scale(dseq.Layer):
    """Its weights are used by samples and by what all samples share."""

    def build(self, input_shape):
        self.kernel = self.add_weight((input_shape[-1], 4), name="kernel")
        self.scale = self.add_weight((4,), "ones", name="scale")
        self.slope = self.add_weight((), "ones", name="slope")

    def call(self, x):
        y = ops.matmul(x, self.kernel) * self.scale + ops.exp(-self.slope)
        y = (y - ops.mean(y, axis=0)) * ops.rsqrt(ops.var(y, axis=0) + 1e-3)
        return ops.softmax(y[:, :3]) + ops.sum(self.scale) / 100


def formula(x, kernel, scale, slope):
    y = x @ kernel * scale + np.exp(-slope)
    y = (y - y.mean(0)) / np.sqrt(y.var(0) + 1e-3)
    e = np.exp(y[:, :3])
    return e / e.sum(-1, keepdims=True) + scale.sum() / 100


def test_a_layer_written_with_operations():
    layer = Scale(dtype="float64")
    x = np.random.default_rng(0).standard_normal((6, 5))
    y = layer(x)
    np.testing.assert_allclose(y, formula(x, *layer.get_weights()), 1e-12)
    from dseq.testing import LayerHarness

    LayerHarness(Scale(dtype="float64"), (5,), rows=4).check_gradients()


def test_a_loss_written_with_operations_trains_as_the_built_in_one():
    rng = np.random.default_rng(0)
    x, y = rng.random((64, 5), "float32"), rng.integers(0, 3, 64)

    def loss(y_true, y_pred):
        hot = ops.one_hot(ops.reshape(y_true, (-1,)), 3)
        return -ops.sum(hot * ops.log(ops.clip(y_pred, 1e-7, 1 - 1e-7)), axis=-1)

    weights = []
    for chosen in (loss, "sparse_categorical_crossentropy"):
        dseq.utils.set_random_seed(3)
        model = dseq.Sequential([dseq.Input((5,)), dseq.layers.Dense(8, "tanh"), dseq.layers.Dense(3, "softmax")])
        model.compile(dseq.optimizers.SGD(0.5), chosen)
        model.fit(x, y, batch_size=16, epochs=3, verbose=0)
        weights.append(model.get_weights())
    for mine, built_in in zip(*weights, strict=True):
        np.testing.assert_allclose(mine, built_in, 1e-4, 1e-6)


def test_a_weight_has_no_values_while_a_call_is_traced():
    w = dseq.Variable(np.ones(3), name="w")
    with tracing():
        for read in (np.asarray, np.exp, lambda w: float(w[0]), np.mean):
            with pytest.raises(TypeError, match=r"dseq\.ops|real number"):
                read(w)
        assert isinstance(w + 1, dseq.KerasTensor) and isinstance(np.ones(3) * w, dseq.KerasTensor)
        assert (w + 1).shape == (3,) and (w + 1).shared
    np.testing.assert_array_equal(np.ones(3) * w + w[0], [2, 2, 2])
    np.testing.assert_allclose(np.exp(w), np.full(3, np.e), 1e-6)


WRONG = {
    "np function": (lambda x: np.exp(x), TypeError, "dseq.ops.exp"),
    "np function of arrays": (lambda x: np.concatenate([x, x]), TypeError, "dseq.ops.concatenate"),
    "np array": (lambda x: np.asarray(x), TypeError, "dseq.ops"),
    "if": (lambda x: 1 if x > 0 else 0, TypeError, "dseq.ops.where"),
    "unknown": (lambda x: ops.no_such_function(x), AttributeError, "It has: abs, absolute, add"),
    "a sample": (lambda x: x[0], ValueError, "`dseq.ops.get_item`: the first index must be `:`"),
    "beyond": (lambda x: x[:, 7], IndexError, "`dseq.ops.get_item`: index 7 is out of bounds"),
    "samples merged": (lambda x: ops.reshape(x, (-1, 3)), ValueError, "`dseq.ops.reshape`: the batch axis must stay"),
    "samples moved": (lambda x: ops.transpose(x), ValueError, "`dseq.ops.transpose`: the axis of the samples"),
    "samples flipped": (lambda x: ops.flip(x, 0), ValueError, "`dseq.ops.flip`: `axis` can't be 0"),
    "all flipped": (lambda x: ops.flip(x), ValueError, "`dseq.ops.flip`: `axis` must be given"),
    "samples padded": (lambda x: ops.pad(x, 1), ValueError, "`dseq.ops.pad`: the axis of the samples"),
    "samples joined": (lambda x: ops.concatenate([x, x]), ValueError, "`dseq.ops.concatenate`: tensors can't be put"),
    "samples sorted": (lambda x: ops.sort(x, 0), ValueError, "which lie on several ranks"),
    "samples found": (lambda x: ops.argmax(x), ValueError, "`dseq.ops.argmax`: places can't be found"),
    "product of samples": (lambda x: ops.prod(x), ValueError, "`dseq.ops.prod`: the axis of the samples"),
    "shapes": (lambda x: x + np.ones(4), ValueError, "`dseq.ops.add`: shapes must broadcast."),
    "a constant of samples": (lambda x: x + np.ones((5, 3, 6)), ValueError, "`dseq.ops.add`: what has no batch axis"),
    "axes": (lambda x: x + x[:, 0], ValueError, "the same number of axes"),
    "no such axis": (lambda x: ops.mean(x, 3), ValueError, "`dseq.ops.mean`: `axis` must name axes"),
    "too many": (lambda x: ops.top_k(x, 9), ValueError, "can't be larger than the last axis"),
    "where": (lambda x: ops.where(x > 0), ValueError, "needs both `x1` and `x2`"),
}


@pytest.mark.parametrize("case", WRONG)
def test_messages(case):
    wrong, kind, message = WRONG[case]
    x = dseq.Input((3, 6))
    with pytest.raises(kind) as caught:
        wrong(x)
    assert message in str(caught.value), str(caught.value)


def test_arrays_in_front_of_tensors():
    x = dseq.Input((3,))
    y = np.ones(3, "float32") * x + np.float64(2)
    assert y.shape == (None, 3) and y.dtype == "float32"
    model = dseq.Model(x, y)
    np.testing.assert_array_equal(model.predict(np.ones((2, 3), "float32"), verbose=0), np.full((2, 3), 3.0))


def test_names_classes_and_configurations_are_those_of_keras():
    x = dseq.Input((4, 3))
    calls = {
        "Add": (x + 1, {}, (x, 1)),
        "Mean": (ops.mean(x, axis=1), {"axis": 1, "keepdims": False}, (x,)),
        "GetItem": (x[:, 0], {}, (x, (slice(None), 0))),
        "Reshape": (ops.reshape(x, (-1, 12)), {"newshape": (-1, 12)}, (x,)),
        "Max": (ops.max(x, 1), {"axis": 1, "keepdims": False, "initial": None}, (x,)),
        "LeakyRelu": (ops.leaky_relu(x, 0.1), {"negative_slope": 0.1}, (x,)),
        "Swapaxes": (ops.swapaxes(x, 1, 2), {"axis1": 1, "axis2": 2}, (x,)),
        "OneHot": (
            ops.one_hot(x, 5),
            {"num_classes": 5, "axis": -1, "dtype": None, "sparse": False},
            (x,),
        ),
    }
    for name, (y, options, arguments) in calls.items():
        operation = y.node.layer
        assert type(operation).__name__ == name
        config = operation.get_config()
        assert config.pop("name").startswith(operation.name.rstrip("_0123456789")) and config == options
        assert y.node.arguments == (arguments, {})
        again = type(operation).from_config(operation.get_config())(*arguments)
        assert again.shape == y.shape and again.dtype == y.dtype


def test_a_model_of_operations_survives_its_configuration():
    x = dseq.Input((4, 3))
    y = ops.concatenate([ops.mean(x, axis=1), x[:, 0] * 2.0], axis=-1)
    y = ops.where(y > 0.5, ops.square(y), ops.expand_dims(ops.max(y, axis=-1), -1)) + np.ones((6,), "float32")
    model = dseq.Model(x, ops.pad(y, ((0, 0), (1, 0))))
    again = dseq.Model.from_config(model.get_config())
    data = np.random.default_rng(0).random((5, 4, 3), "float32")
    np.testing.assert_array_equal(model.predict(data, verbose=0), again.predict(data, verbose=0))


def test_numbers_of_rows_that_change():
    x = dseq.Input((None, 3))
    model = dseq.Model(x, ops.mean(ops.exp(x[:, ::2]) * 2 - 1, axis=1))
    for rows, steps in ((3, 5), (4, 2), (1, 5)):
        data = np.random.default_rng(rows).random((rows, steps, 3), "float32")
        expected = (np.exp(data[:, ::2]) * 2 - 1).mean(1)
        np.testing.assert_allclose(model(data), expected, 1e-5)


def test_at_once():
    assert ops.shape(dseq.Input((3,))) == (None, 3) and ops.ndim(np.ones((2, 3))) == 2 and ops.size(np.ones(6)) == 6
    for made, dtype in (
        (ops.zeros((2,)), "float32"),
        (ops.ones(3, "int32"), "int32"),
        (ops.arange(3), "int32"),
        (ops.arange(0.0, 1.0, 0.5), "float32"),
        (ops.eye(2), "float32"),
        (ops.convert_to_tensor([1, 2]), "int32"),
        (ops.convert_to_tensor([1.0, 2]), "float32"),
        (ops.full((2,), 3), "float32"),
    ):
        assert made.dtype == dtype
    v = dseq.Variable(np.arange(3.0), name="v")
    np.testing.assert_array_equal(ops.add(v, 1), [1, 2, 3])
    np.testing.assert_array_equal(ops.concatenate([v, v]), [0, 1, 2, 0, 1, 2])
    assert ops.is_tensor(v) and not ops.is_tensor([1])
    assert isinstance(ops.convert_to_numpy(v), np.ndarray)
