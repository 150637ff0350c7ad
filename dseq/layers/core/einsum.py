"""Equations of contractions: what they say about shapes, and how axes are put in order for a product of matrices."""

import re
from math import prod

from dseq.kernels.reshape import transpose_backward, transpose_forward
from dseq.program.operand import flat

FORMS = "[X],[Y]->[Z], ...[X],[Y]->...[Z], or [X]...,[Y]->[Z]..."
MOST_AXES = 4


class Equation:
    """An equation `"abc,cd->abd"` for an input of known rank.

    Labels are letters; axes behind an ellipsis have the labels 0, 1, ...

    Args:
        text: The equation.
        input_shape: Full shape of the input.
        output_shape: Shape of the output without its batch axis and without axes of an ellipsis; None for sizes that
            are those of the input.
        bias_axes: Labels of the output that have an offset, or None.

    Attributes:
        input: Labels of the input's axes.
        weight: Labels of the weight's axes.
        output: Labels of the output's axes.
        weight_shape: Shape of the weight.
        weight_inputs: Axes of the weight that are summed over.
        weight_outputs: Its other axes.
        output_shape: Full shape of the output.
        bias_shape: Shape of the offset, or None.

    Raises:
        ValueError: If the equation has none of these forms, or the shapes do not fit it.
    """

    def __init__(self, text, input_shape, output_shape, bias_axes=None):
        inputs, self.weight, outputs, left = _parsed(text)
        elided = len(input_shape) - len(inputs)
        if elided < 0 or (elided and "..." not in text):
            raise ValueError(
                f"The input of equation {text!r} must have {len(inputs)} axes{' or more' if '...' in text else ''}. "
                f"Received: input shape {tuple(input_shape)}"
            )
        hidden = "".join(map(str, range(elided)))
        self.input = hidden + inputs if left else inputs + hidden
        self.output = hidden + outputs if left else outputs + hidden
        for labels in (self.input, self.weight, self.output):
            if len(set(labels)) < len(labels):
                raise ValueError(f"A label may stand once in each part of an equation. Received: {text!r}")
        if self.input[0] != self.output[0] or self.input[0] in self.weight:
            raise ValueError(
                f"The first axis of input and output is that of the samples, and no axis of the weight. Received: "
                f"equation {text!r} for input shape {tuple(input_shape)}"
            )
        self._size(text, inputs, outputs, hidden, input_shape, output_shape, left)
        self._bias(outputs, hidden, bias_axes, left)

    def _size(self, text, inputs, outputs, hidden, input_shape, output_shape, left):
        known = dict(zip(self.input, input_shape, strict=True))
        # The partial shape speaks of the output's axes but the first and those of the ellipsis.
        spoken = [label for label in self.output[1:] if label not in hidden]
        if len(output_shape) != len(spoken):
            raise ValueError(
                f"`output_shape` must have {len(spoken)} sizes for the axes {''.join(spoken)!r} of equation {text!r}. "
                f"Received: output_shape={tuple(output_shape)}"
            )
        sizes = dict(zip(spoken, output_shape, strict=True))
        for label in spoken:
            if label in known and sizes[label] is not None and sizes[label] != known[label]:
                raise ValueError(
                    f"Input shape and output shape do not match at shared dimension '{label}'. Input shape is "
                    f"{known[label]}, and output shape is {sizes[label]}."
                )
            if label not in inputs and label not in self.weight:
                raise ValueError(
                    f"Dimension '{label}' was specified in the output '{outputs}' but has no corresponding dim in the "
                    f"input spec '{inputs}' or weight spec '{self.weight}'"
                )
        sizes = {k: known.get(k) if n is None else n for k, n in sizes.items()}
        self.weight_inputs, self.weight_outputs, shape = [], [], []
        for axis, label in enumerate(self.weight):
            if label in self.output:
                self.weight_outputs.append(axis)
                shape.append(sizes.get(label, known.get(label)))
            elif label in self.input:
                self.weight_inputs.append(axis)
                shape.append(known[label])
            else:
                raise ValueError(
                    f"Weight dimension '{label}' did not have a match in either the input spec '{inputs}' or the "
                    f"output spec '{outputs}'. For this layer, the weight must be fully specified."
                )
        if None in shape:
            raise ValueError(
                f"All axes of the weight must have a size. Received: {tuple(shape)} for equation {text!r}, input shape "
                f"{tuple(input_shape)} and output_shape={tuple(output_shape)}"
            )
        self.weight_shape = tuple(shape)
        self.sizes = known | sizes | dict(zip(self.weight, shape, strict=True))
        self.output_shape = tuple(self.sizes[label] for label in self.output)

    def _bias(self, outputs, hidden, bias_axes, left):
        self.bias_shape = None
        if bias_axes is None:
            return
        for label in bias_axes:
            if label not in outputs:
                raise ValueError(
                    f"Bias dimension '{label}' was requested, but is not part of the output spec '{outputs}'"
                )
        tail = outputs[min(outputs.find(label) for label in bias_axes) :]
        shape = [self.sizes[label] if label in bias_axes else 1 for label in tail]
        self.bias_shape = tuple(shape if left else shape + [1] * len(hidden))
        if None in self.bias_shape:
            raise ValueError(
                f"All axes of the bias must have a size. Received: {self.bias_shape} for bias_axes={bias_axes!r}"
            )

    def groups(self):
        """The labels besides that of the samples by their part: `(rows, places, summed, lost, made)`.

        Rows are in input and output, places in all three, summed in input and weight, lost in the input alone, made in
        weight and output.
        """
        inner = self.input[1:]
        rows = [k for k in inner if k in self.output and k not in self.weight]
        places = [k for k in inner if k in self.output and k in self.weight]
        summed = [k for k in self.weight if k in inner and k not in self.output]
        lost = [k for k in inner if k not in self.output and k not in self.weight]
        made = [k for k in self.output if k in self.weight and k not in inner]
        return rows, places, summed, lost, made


def _parsed(text):
    """Labels of input, weight and output, and whether the ellipsis is on the left."""
    found = re.fullmatch(r"([a-zA-Z]+),([a-zA-Z]+)->([a-zA-Z]+)", text)
    if found:
        return *found.groups(), True
    found = re.fullmatch(r"\.\.\.([a-zA-Z]+),([a-zA-Z]+)->\.\.\.([a-zA-Z]+)", text)
    if found:
        return *found.groups(), True
    found = re.fullmatch(r"([a-zA-Z]{2,})\.\.\.,([a-zA-Z]+)->([a-zA-Z]+)\.\.\.", text)
    if found:
        return *found.groups(), False
    raise ValueError(f"Invalid einsum equation '{text}'. Equations must be in the form {FORMS}.")


def ordered(plan, x, labels, wanted):
    """An operand with its axes in another order; itself if they are in order.

    Args:
        plan: The `Plan`.
        x: Operand, of samples or of none (a weight).
        labels: Labels of its axes.
        wanted: The same labels in the order wanted.

    Raises:
        ValueError: If more groups of axes change places than there are kernels for.
    """
    order = [list(labels).index(label) for label in wanted]
    # Axes that stay side by side move as one.
    runs = []
    for axis in order:
        if runs and runs[-1][-1] == axis - 1:
            runs[-1].append(axis)
        else:
            runs.append([axis])
    if len(runs) <= 1:
        return x
    if len(runs) > MOST_AXES:
        raise ValueError(
            f"At most {MOST_AXES} groups of axes may change their order. Received: {''.join(labels)} that would have "
            f"to become {''.join(wanted)}"
        )
    sizes = [prod(x.shape[axis] for axis in run) for run in runs]
    strides = [prod(x.shape[run[-1] + 1 :]) for run in runs]
    y = plan.value("ordered", [x.shape[axis] for axis in order], shared=not x.per_row)
    missing = MOST_AXES - len(runs)
    layout = [1] * missing + sizes + [0] * missing + strides
    plan.forward(transpose_forward, flat(y), flat(x), *layout)
    plan.backward(transpose_backward, flat(x.grad), flat(y.grad), *layout)
    return y
