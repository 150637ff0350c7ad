"""A function as a layer."""

import numpy as np

from dseq.activations import Activation
from dseq.layers.layer import Layer
from dseq.program.serialization import deserialize_keras_object
from dseq.program.structure import flatten, pack
from dseq.program.tensor import Tensor, tracing


class Lambda(Layer):
    """Applies a function.

    A function written with operators, layers and `dseq.ops` becomes part of the compiled step, gradient and all. One
    of NumPy arrays, plain or compiled by Numba, is called from the step as it is; to train through it, its gradient
    must be given.

    Args:
        function: Takes the input (or the list of inputs) with the batch axis first, and `arguments`; gives the output.
        output_shape: Shape of one sample of the output, for functions of arrays; if None, the function is tried out on
            two samples of zeros.
        mask: Must be None.
        arguments: Dict of further arguments by name.
        gradient: For functions of arrays: `gradient(dy, *inputs)` gives the gradient by the input, or a list of one for
            each input.
        **kwargs: `name`, `dtype`, as for every layer.

    Example:
        >>> dseq.layers.Lambda(lambda x: x * 2 + 1)(np.ones((1, 2), "float32"))
        array([[3., 3.]], dtype=float32)
        >>> square = dseq.layers.Lambda(np.square, gradient=lambda dy, x: 2 * x * dy)
    """

    def __init__(self, function, output_shape=None, mask=None, arguments=None, gradient=None, **kwargs):
        if not callable(function):
            raise ValueError(f"`function` of Lambda must be a function. Received: {function!r}")
        if mask is not None:
            raise ValueError(f"`mask` of Lambda must be None. Received: mask={mask!r}")
        if gradient is not None and not callable(gradient):
            raise ValueError(f"`gradient` of Lambda must be a function. Received: {gradient!r}")
        super().__init__(**kwargs)
        self.function = function
        self.arguments = dict(arguments or {})
        self.output_shape_given = output_shape
        self.gradient = gradient
        self._structure = None
        # Numba's functions know arrays only.
        self._of_arrays = gradient is not None or hasattr(function, "py_func")

    @property
    def _is_traced(self):
        return not self._of_arrays

    def call(self, inputs):
        """The function of symbolic tensors."""
        return self.function(inputs, **self.arguments)

    def _build_for(self, arguments, shapes):
        if not self.built:
            if self._is_traced:
                self._try_out(arguments, shapes)
            self._structure = pack(arguments.form[0][0], range(len(flatten(arguments.form[0][0]))))
            self.built = True
        super()._build_for(arguments, shapes)

    def _try_out(self, arguments, shapes):
        """Finds out whether the function takes symbolic tensors."""
        args, _ = arguments.filled([Tensor(s, self.dtype) for s in shapes])
        try:
            with tracing():
                self.function(*args, **self.arguments)
        except TypeError as error:
            if "symbolic" not in str(error).lower() and "Tensor" not in str(error):
                raise
            self._of_arrays = True

    def native_shapes(self, input_shapes):
        return [self.compute_output_shape(*input_shapes)]

    def compute_output_shape(self, *input_shapes):
        if self._is_traced:
            return super().compute_output_shape(*input_shapes)
        if self.output_shape_given is not None:
            given = self.output_shape_given
            return (input_shapes[0][0], *(given(input_shapes[0])[1:] if callable(given) else given))
        if any(n is None for shape in input_shapes for n in shape[1:]):
            raise ValueError(
                f"We could not automatically infer the shape of the Lambda's output. Received: inputs of shapes "
                f"{list(input_shapes)} in {self.name!r}. Specify `output_shape`."
            )
        result = self._apply([np.zeros((2, *shape[1:]), self.dtype) for shape in input_shapes])
        if result.ndim == 0 or len(result) != 2:
            raise ValueError(
                f"The function of a Lambda must keep the batch axis. Received: an output of shape {result.shape} for "
                f"two samples in {self.name!r}"
            )
        return (input_shapes[0][0], *result.shape[1:])

    def _apply(self, arrays):
        return np.asarray(self.function(pack(self._structure, arrays), **self.arguments))

    def lower(self, plan, *inputs):
        shape = self.compute_output_shape(*((None, *x.shape) for x in inputs))[1:]
        y = plan.value("y", shape)

        def forward(y, *arrays):
            result = self._apply(arrays)
            if result.shape != y.shape:
                raise ValueError(
                    f"The function of Lambda {self.name!r} must give an array of shape {y.shape}. "
                    f"Received: shape {result.shape}"
                )
            y[...] = result

        forward.__name__ = self.name
        plan.host(forward, y, *inputs)
        for i, x in enumerate(inputs):
            if x.grad is not None:
                self._require_gradient()
                plan.host_backward(self._backward(i), x.grad, y.grad, *inputs)
        return y

    def get_config(self):
        """The arguments; functions by the names under which they are registered.

        Raises:
            NotImplementedError: If a function is a lambda, which has no name to be found by.
        """
        config = super().get_config()
        if config.get("gradient") is None:  # Keras has no such argument
            config.pop("gradient", None)
        return config

    @classmethod
    def from_config(cls, config):
        """A layer with this configuration, if its functions are known by their names: no file brings any along."""
        from dseq import ops

        config = {**config}
        for name in ("function", "gradient", "output_shape"):
            value = config.get(name)
            if isinstance(value, dict | str):
                value = deserialize_keras_object(value)
                # `keras.ops.tanh` and `keras.activations.tanh` are both written as "tanh".
                config[name] = getattr(ops, value.name) if isinstance(value, Activation) else value
        return super().from_config(config)

    def _require_gradient(self):
        if self.gradient is None:
            raise ValueError(
                f"Lambda {self.name!r} is a function of NumPy arrays, and a gradient must flow through it. Received: "
                "no `gradient`. Give `gradient=`, or write the function with operators and `dseq.ops`."
            )

    def _backward(self, index):
        def backward(dx, dy, *arrays):
            gradients = self.gradient(dy, *arrays, **self.arguments)
            chosen = np.asarray(gradients[index] if isinstance(gradients, list | tuple) else gradients)
            if chosen.shape != dx.shape:
                raise ValueError(
                    f"`gradient` of Lambda {self.name!r} must give an array of its input's shape {dx.shape}. "
                    f"Received: shape {chosen.shape}"
                )
            dx += chosen

        backward.__name__ = f"{self.name} gradient"
        return backward
