"""A dense layer for any axes."""

from math import prod

import numpy as np

from dseq import activations, constraints, initializers, regularizers
from dseq.kernels import dense, einsum
from dseq.layers.core.einsum import Equation, ordered
from dseq.layers.layer import Layer
from dseq.program.operand import flat


class EinsumDense(Layer):
    """Dense layer whose product is given by an equation: `y = activation(einsum(equation, x, kernel) + bias)`.

    Args:
        equation: `"[X],[Y]->[Z]"` with a letter for each axis of input, kernel and output, the samples first; or
            `"...[X],[Y]->...[Z]"` or `"[X]...,[Y]->[Z]..."` for inputs of any rank.
        output_shape: Shape of the output without the batch axis and without axes of an ellipsis; None for sizes that
            are the input's. An integer for one axis.
        activation: Name of an activation, an activation, or None for none.
        bias_axes: Letters of the output's axes that have an offset, or None for no offset.
        kernel_initializer: Initializer of the kernel.
        bias_initializer: Initializer of the offset.
        kernel_regularizer: Regularizer of the kernel, or None.
        bias_regularizer: Regularizer of the offset, or None.
        kernel_constraint: Constraint of the kernel, or None.
        bias_constraint: Constraint of the offset, or None.
        lora_rank: Must be None.
        lora_alpha: Must be None.
        gptq_unpacked_column_size: Must be None.
        quantization_config: Must be None.
        **kwargs: `name`, `trainable`, `dtype`, as for every layer.

    Raises:
        ValueError: If the equation has another form, or shapes do not fit it.

    Example:
        >>> layer = dseq.layers.EinsumDense("abc,cd->abd", output_shape=(None, 64), bias_axes="d")
        >>> layer(dseq.Input((32, 128))).shape
        (None, 32, 64)
    """

    def __init__(
        self,
        equation,
        output_shape,
        activation=None,
        bias_axes=None,
        kernel_initializer="glorot_uniform",
        bias_initializer="zeros",
        kernel_regularizer=None,
        bias_regularizer=None,
        kernel_constraint=None,
        bias_constraint=None,
        lora_rank=None,
        lora_alpha=None,
        gptq_unpacked_column_size=None,
        quantization_config=None,
        **kwargs,
    ):
        for option in ("lora_rank", "lora_alpha", "gptq_unpacked_column_size", "quantization_config"):
            if locals()[option] is not None:
                raise ValueError(f"`{option}` of EinsumDense must be None. Received: {option}={locals()[option]!r}")
        super().__init__(**kwargs)
        self.equation = equation
        self.partial_output_shape = (
            (int(output_shape),) if isinstance(output_shape, int | np.integer) else tuple(output_shape)
        )
        self.bias_axes = bias_axes
        self.activation = activations.get(activation)
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)
        self.bias_constraint = constraints.get(bias_constraint)
        self.kernel = self.bias = None

    def _equation(self, input_shape):
        return Equation(self.equation, input_shape, self.partial_output_shape, self.bias_axes)

    def build(self, input_shape):
        equation = self._equation(input_shape)
        initializer = self.kernel_initializer
        if isinstance(initializer, initializers.VarianceScaling) and (
            initializer.input_axes is None or initializer.output_axes is None
        ):
            axes = {"input_axes": equation.weight_inputs, "output_axes": equation.weight_outputs}
            initializer = type(initializer).from_config(initializer.get_config() | {"seed": initializer.seed} | axes)
        self.kernel = self.add_weight(
            equation.weight_shape,
            initializer,
            name="kernel",
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
        )
        if equation.bias_shape is not None:
            self.bias = self.add_weight(
                equation.bias_shape,
                self.bias_initializer,
                name="bias",
                regularizer=self.bias_regularizer,
                constraint=self.bias_constraint,
            )
        self.require(ndim=len(input_shape))

    def compute_output_shape(self, input_shape):
        return self._equation(input_shape).output_shape

    def lower(self, plan, x):
        equation = self._equation((None, *x.shape))
        if self.built and equation.weight_shape != self.kernel.shape:
            raise ValueError(
                f"The kernel of {self.name!r} has shape {self.kernel.shape}, for other inputs. Received: input shape "
                f"{(None, *x.shape)}, which needs {equation.weight_shape}"
            )
        rows, places, summed, lost, made = equation.groups()
        size = {label: n for label, n in equation.sizes.items() if n is not None}
        x = ordered(plan, x, equation.input[1:], rows + places + summed + lost)
        if lost:
            x = self._without(plan, x, len(lost))
        kernel = ordered(plan, self.kernel, equation.weight, places + summed + made)
        bias = self.bias
        p, k, m = (prod(size[label] for label in labels) for labels in (places, summed, made))
        y = plan.value("y", [size[label] for label in rows + places + made])
        plain = rows + places + made == list(equation.output[1:])
        inside = bias is not None and not places and plain and bias.shape == tuple(size[label] for label in made)
        if places:
            parts = y.reshape((p, m)), x.reshape((p, k)), kernel.reshape((p, k, m))
            plan.forward(einsum.placed_forward, *parts)
            plan.backward(einsum.placed_backward_input, parts[1].grad, parts[0].grad, parts[2])
            plan.backward(einsum.placed_backward_kernel, parts[2].grad, parts[1], parts[0].grad)
        else:
            self._product(plan, y.reshape((m,)), x.reshape((k,)), kernel.reshape((k, m)), bias if inside else None)
        y = ordered(plan, y, rows + places + made, equation.output[1:])
        if bias is not None and not inside:
            y = self._offset(plan, y, bias)
        return activations.lower(plan, self.activation, y)

    def _product(self, plan, y, x, kernel, bias):
        """`y = x @ kernel + bias` for matrices."""
        plan.forward(dense.dense_forward, y, x, kernel, flat(bias), 0)
        plan.backward(dense.dense_backward_input, x.grad, y.grad, kernel, first=dense.dense_write_input)
        plan.backward(dense.dense_backward_kernel, kernel.grad, x, y.grad, first=dense.dense_write_kernel)
        bias_grad = None if bias is None else flat(bias.grad)
        plan.backward(dense.dense_backward_bias, bias_grad, y.grad, first=dense.dense_write_bias)

    def _without(self, plan, x, count):
        """The sum over an operand's last axes."""
        shape = x.shape[: len(x.shape) - count]
        y = plan.value("sums", shape)
        long_x = x.reshape((prod(x.shape[len(shape) :]),))
        plan.forward(einsum.sum_last_forward, flat(y), long_x)
        plan.backward(einsum.sum_last_backward, long_x.grad, flat(y.grad))
        return y

    def _offset(self, plan, x, bias):
        """The operand with an offset for some of its last axes."""
        tail = x.shape[len(x.shape) - len(bias.shape) :]
        index = np.broadcast_to(np.arange(prod(bias.shape)).reshape(bias.shape), tail).ravel()
        index = plan.constant(index, "int64")
        y = plan.value("y", x.shape)
        long_x, long_y = x.reshape((prod(tail),)), y.reshape((prod(tail),))
        plan.forward(einsum.offset_forward, long_y, long_x, flat(bias), index)
        plan.backward(einsum.offset_backward_input, flat(x.grad), flat(y.grad))
        plan.backward(einsum.offset_backward_bias, flat(bias.grad), long_y.grad, index)
        return y

    def get_config(self):
        config = super().get_config()
        config["output_shape"] = list(self.partial_output_shape)
        return config
