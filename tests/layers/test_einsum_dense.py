"""EinsumDense: NumPy's einsum, gradients, Keras' shapes and errors."""

import numpy as np
import pytest

import dseq
from dseq import layers
from dseq.testing import LayerHarness

# Equation, sample, output_shape, bias_axes, and the shapes Keras gives kernel and bias.
CASES = {
    "last axis": ("abc,cd->abd", (3, 4), (None, 5), "d", (4, 5), (5,)),
    "ellipsis": ("...x,xy->...y", (3, 2, 4), 5, "y", (4, 5), (5,)),
    "ellipsis of nothing": ("...x,xy->...y", (4,), 5, "y", (4, 5), (5,)),
    "ellipsis behind": ("ab...,bc->ac...", (3, 4, 2), 5, "c", (3, 5), (5, 1, 1)),
    "heads": ("abc,cde->abde", (3, 4), (3, 2, 5), "de", (4, 2, 5), (2, 5)),
    "heads, one offset": ("abc,cde->abde", (3, 4), (3, 2, 5), "e", (4, 2, 5), (5,)),
    "from heads": ("abde,dec->abc", (3, 2, 2), (3, 5), None, (2, 2, 5), None),
    "each place": ("abc,bcd->abd", (3, 4), (3, 5), "bd", (3, 4, 5), (3, 5)),
    "each place, moved": ("abcd,bdce->aceb", (2, 3, 4), (3, 5, 2), "e", (2, 4, 3, 5), (5, 1)),
    "kernel turned": ("abc,dc->abd", (3, 4), (3, 5), None, (5, 4), None),
    "output turned": ("abc,cd->adb", (3, 4), (5, 3), "d", (4, 5), (5, 1)),
    "middle axis": ("abc,bd->adc", (3, 4), (5, 4), "dc", (3, 5), (5, 4)),
    "axis summed": ("abc,cd->ad", (3, 4), 5, "d", (4, 5), (5,)),
}
each_case = pytest.mark.parametrize("case", CASES)


@each_case
def test_product_and_gradients(case):
    equation, sample, output, bias_axes, kernel, bias = CASES[case]
    for overwrites in (False, True):
        layer = layers.EinsumDense(equation, output, "tanh", bias_axes, dtype="float64")
        run = LayerHarness(layer, sample, rows=3, overwrites=overwrites)
        assert layer.kernel.shape == kernel and (layer.bias is None or layer.bias.shape) == (bias or True)
        x = run.array(run.inputs[0])
        expected = np.einsum(equation, x, layer.kernel.numpy())
        if bias is not None:
            expected = expected + layer.bias.numpy()
        np.testing.assert_allclose(run.forward(), np.tanh(expected), rtol=1e-12, atol=1e-13)
        assert layer.compute_output_shape((None, *sample)) == (None, *expected.shape[1:])
        run.check_gradients()


@pytest.mark.parametrize("case", ["heads", "each place, moved", "axis summed"])
def test_plain_python_agrees_and_configurations(case):
    equation, sample, output, bias_axes, _, _ = CASES[case]
    results = []
    for runner in ("table", "python"):
        layer = layers.EinsumDense(equation, output, None, bias_axes, dtype="float64")
        run = LayerHarness(layer, sample, runner=runner)
        y = run.forward()
        run.backward(np.cos(np.arange(y.size)).reshape(y.shape))
        results.append((y, run.array(run.inputs[0].grad).copy(), run.parameters.grads.copy()))
    for table, python in zip(*results, strict=True):
        np.testing.assert_allclose(table, python, rtol=1e-12, atol=1e-13)
    config = layer.get_config()
    assert layers.EinsumDense.from_config(config).get_config() == config


def test_the_initializer_knows_inputs_and_outputs():
    """Glorot's limit for a kernel of heads: 64 inputs and 8 * 32 outputs."""
    layer = layers.EinsumDense("abc,cde->abde", (None, 8, 32), kernel_initializer=dseq.initializers.GlorotUniform(3))
    layer(dseq.Input((5, 64)))
    assert layer.kernel.shape == (64, 8, 32)
    largest = np.abs(layer.kernel.numpy()).max()
    np.testing.assert_allclose(largest, np.sqrt(6 / (64 + 256)), rtol=1e-2)


@pytest.mark.parametrize(
    ("arguments", "sample", "message"),
    [
        (("ab,bc-ac", 3), (4,), "Invalid einsum equation 'ab,bc-ac'"),
        (("ab,bc->ac", 3), (4, 5), "must have 2 axes"),
        (("abc,cd->abd", (2, 5)), (3, 4), "do not match at shared dimension 'b'. Input shape is 3, and output shape"),
        (("abc,cd->abe", (3, 5)), (3, 4), "Dimension 'e' was specified in the output 'abe' but has no corresponding"),
        (("abc,cde->abd", (3, 5)), (3, 4), "Weight dimension 'e' did not have a match"),
        (("abc,cd->abd", (3, 5), None, "x"), (3, 4), "Bias dimension 'x' was requested, but is not part"),
        (("abc,cd->abd", 5), (3, 4), "`output_shape` must have 2 sizes"),
        (("abc,cd->bad", (3, 5)), (3, 4), "The first axis of input and output is that of the samples"),
        (("abb,bd->abd", (3, 5)), (3, 3), "A label may stand once"),
    ],
)
def test_errors(arguments, sample, message):
    with pytest.raises(ValueError, match=message):
        layers.EinsumDense(*arguments)(np.zeros((2, *sample), "float32"))
    with pytest.raises(ValueError, match="`lora_rank` of EinsumDense must be None"):
        layers.EinsumDense("ab,bc->ac", 3, lora_rank=2)
