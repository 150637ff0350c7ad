"""A plan is the step of a model as data: kernels, and the operands they are called with, in order.

Layers, losses and optimizers write plans; `dseq.program.step` runs them. `print(plan)` shows the program.
"""

import hashlib
from contextlib import contextmanager

import numpy as np

from dseq.kernels.cast import cast_forward
from dseq.kernels.fill import fill
from dseq.program.floatx import standardize
from dseq.program.host import Exchange, Host
from dseq.program.operand import Operand, along_tree, flat

CLOCK = ("seed", "step", "first_row", "shard", "shards")
GRADIENTS = ("activation_grads", "shared_grads")
PER_ROW_SCALE = "1 / rows"


class Plan:
    """The calls of one step: forward, backward, and after the reduction over ranks the update.

    Args:
        training: Whether layers behave as in training (Dropout drops).
        dtype: The float type everything is computed in.
        trainable: Variables whose gradients are wanted; a plan to evaluate or predict with has none.
    """

    def __init__(self, training=False, dtype=None, trainable=()):
        self.training = training
        self.augments = training  # whether layers change images at random; Keras' also do called alone, unless told
        self.dtype = standardize(dtype)
        self.trainable = {id(variable) for variable in trainable}
        self.blocks = []
        self.inputs = []
        self.variables = {}
        self.gradients = {}
        self.constants = {}
        self.scales = {}
        self.tail_size = 0
        self.faults = []
        self.clock = Operand("clock", (len(CLOCK),), "clock", "int64")
        self.head_calls = []  # made once for many steps; only rewriting puts calls here
        self.forward_calls = []
        self.update_calls = []
        self.settle_calls = []
        self.penalties = []
        self.metrics = []  # (metric, labels, predictions, weights) that layers add to
        self.scored = True  # False: nobody reads what `penalty` gathers
        self.regularized = True  # False: without the penalties that depend on weights alone
        self.strict = False  # True: the step sums the gradients of a fixed number of shards, along a tree
        self.streams = 0
        self.given = []
        self.overwrites = True  # False: every backward call adds, as running a plan over several shards needs
        self.zeroes = False  # True: gradients of activations are zeroed where they begin to be added to, not before all
        self.backward_entries = []  # (kernel, arguments, first) of `backward`, the last call of the pass first
        self._floats = {}
        self._noted = set()
        self._rows_per_sample = 1
        self._depth = 0
        self._needs_grad = False
        self._scope = ""

    # What a model says while it walks its graph.

    def enter(self, name, variables, inputs):
        """Begins a layer: its name goes before its values', and it needs gradients if anything under it does."""
        previous = self._scope, self._needs_grad
        self._depth += 1
        self._scope = f"{self._scope}/{name}" if self._scope else name
        for variable in variables:
            self.use(variable)
        self._needs_grad = any(id(v) in self.trainable for v in variables) or any(x.grad is not None for x in inputs)
        return previous

    def leave(self, previous):
        """Ends the layer that `enter` began; after the outermost one no weight holds a block of this plan any more."""
        self._scope, self._needs_grad = previous
        self._depth -= 1
        if self._depth == 0:
            for variable in self.variables.values():
                variable.grad = None

    def use(self, variable):
        """Makes a weight known to the plan; trainable ones get a gradient block when gradients are wanted.

        `variable.grad` is this plan's block while a layer is being lowered, and None at all other times: weights
        are shared by plans, and calls hold the block itself.

        Raises:
            ValueError: If the weight is of another float type than the plan's: kernels compute in one.
        """
        if np.dtype(variable.dtype).kind == "f" and variable.dtype != self.dtype:
            raise ValueError(
                f"All layers of a model must compute in one float type, {self.dtype} here. Received: weight "
                f"{variable.label} of {variable.dtype}. Give model and layers the same `dtype`, or none and call "
                "`dseq.config.set_floatx` before making them."
            )
        known = id(variable) in self.variables
        self.variables[id(variable)] = variable
        if not known and id(variable) in self.trainable:
            gradient = Operand(f"d {variable.label}", variable.shape, "grads", variable.dtype)
            gradient.variable = variable
            self.gradients[id(variable)] = gradient
        variable.grad = self.gradients.get(id(variable))

    def first_time(self, variable) -> bool:
        """Whether this is asked for a weight for the first time: what is done once though a layer is called often."""
        known = id(variable) in self._noted
        self._noted.add(id(variable))
        return not known

    # What layers, losses and optimizers say.

    def input(self, name, shape, dtype=None):
        """A block the trainer fills with this rank's rows: features, labels or sample weights.

        Args:
            name: What the trainer calls it.
            shape: Its shape without the axis of rows.
            dtype: Its type, the plan's float type unless given; that one also for floats of other sizes than 4 and 8
                bytes, for which there are no kernels.

        Raises:
            ValueError: If the type is not one of numbers.
        """
        kind = np.dtype(dtype or self.dtype)
        if kind.kind not in "fiub":
            raise ValueError(
                f"Data must be real numbers: floats, integers or bools. Received: dtype={dtype!r} of {name}"
            )
        known = kind.kind != "f" or kind.itemsize in (4, 8)
        operand = Operand(name, tuple(shape), "activations", kind.name if known else self.dtype)
        self.blocks.append(operand)
        self.inputs.append(operand)
        return operand

    def floats(self, x):
        """An operand in the plan's float type: itself, or its values cast, once however often it is asked for."""
        if x.dtype == self.dtype:
            return x
        block = x.block
        if id(block) not in self._floats:
            y = Operand(f"{block.label} as {self.dtype}", block.shape, block.arena, self.dtype, block.rows_per_sample)
            self.blocks.append(y)
            self.forward(cast_forward, flat(y), flat(block))
            self._floats[id(block)] = y
        y = self._floats[id(block)]
        y = y if x.shape == y.shape else y.reshape(x.shape)
        y.mask = x.mask
        return y

    def value(self, name, shape, dtype=None, shared=False):
        """A new activation.

        Args:
            name: What listings call it, under the layer's name.
            shape: Its shape without the axis of rows.
            dtype: Its type, the plan's float type unless given.
            shared: True for one block that belongs to no sample, as sums over the batch are.

        Returns:
            The operand, with `.grad` if a gradient must flow through this layer.
        """
        name = f"{self._scope}/{name}" if self._scope else name
        arena, rows = ("shared", 1) if shared else ("activations", self._rows_per_sample)
        operand = Operand(name, tuple(shape), arena, dtype or self.dtype, rows)
        if self._needs_grad and dtype is None:
            gradients = "shared_grads" if shared else "activation_grads"
            operand.grad = Operand(f"d {name}", operand.shape, gradients, operand.dtype, rows)
            self.blocks.append(operand.grad)
        self.blocks.append(operand)
        return operand

    @contextmanager
    def folded(self, steps):
        """Inside, each sample makes `steps` rows: layers that see one step then run over all of them at once."""
        before, self._rows_per_sample = self._rows_per_sample, self._rows_per_sample * steps
        try:
            yield
        finally:
            self._rows_per_sample = before

    def constant(self, value, dtype=None):
        """A block that never changes: a number becomes an array of one element.

        Returns:
            An operand of the plan's float type, or of `dtype`.
        """
        array = np.atleast_1d(np.asarray(value, dtype or self.dtype))
        key = (array.dtype.name, array.shape, array.tobytes())
        if key not in self.constants:
            content = hashlib.sha256(key[2]).hexdigest()[:12]  # listings and digests tell contents apart
            label = str(array[0]) if array.size == 1 else f"constant_{content}"
            self.constants[key] = Operand(label, array.shape, "constants", array.dtype.name)
            self.constants[key].array = array
        return self.constants[key]

    def scale(self, name):
        """A float64 number the trainer sets before each step, e.g. 1 / (rows of the global batch)."""
        return self.scales.setdefault(name, Operand(name, (1,), "scales", "float64"))

    def sums(self, name, size=1):
        """`size` slots in the tail of the gradient arena: added up over rows here, over ranks by the reduction."""
        operand = Operand(name, (size,), "tail", self.dtype)
        operand.start = self.tail_size
        self.tail_size += size
        return operand

    def fault(self, message):
        """A slot a kernel adds to when it meets a label or index it cannot use.

        The trainer then raises before any update, on all ranks.

        Args:
            message: The rule, ending in "Received: "; the range of the labels given is put behind it. A message that
                ends in a full stop stays as it is.
        """
        operand = self.sums("fault")
        self.faults.append((operand, message))
        return operand

    def penalty(self, name, per_sample=False):
        """A slot for what is added to the loss besides the losses of outputs; its sum over ranks counts.

        Args:
            name: What listings call it.
            per_sample: True: a sum over samples, to be divided by the rows of the global batch. The gradient then is
                to be multiplied by `plan.per_row_scale()`.

        Returns:
            The operand, or None where nobody asks for the loss.
        """
        if not self.scored:
            return None
        operand = self.sums(name)
        self.penalties.append((operand, per_sample))
        return operand

    def per_row_scale(self):
        """1 / (rows of the global batch), a float64 number."""
        return self.scale(PER_ROW_SCALE)

    def stream(self) -> int:
        """A number for a layer's random draws, different for every caller of the plan."""
        self.streams += 1
        return self.streams

    def forward(self, kernel, *args):
        """Appends a call to the forward pass. The first argument is what it writes."""
        self.forward_calls.append((kernel, args))
        args[0].block.producer = (kernel, args)

    def backward(self, kernel, *args, first=None):
        """Puts a call before the backward calls so far. The first argument is the gradient it adds to.

        A call whose gradient nobody needs (None) is left out.

        Args:
            kernel: A kernel that adds to the gradient.
            *args: Its arguments.
            first: A kernel of the same arguments that writes instead. It takes the place of `kernel` where that is
                the first to touch a block: the block need not be zeroed before and read again.
        """
        if args[0] is not None:
            self.backward_entries.append((kernel, args, first))

    def host(self, function, *args):
        """Appends a call of a plain Python function to the forward pass: it gets NumPy views of its operands.

        The compiled step pauses for it. The first argument is what it writes.
        """
        self.forward(Host(function), *args)

    def host_backward(self, function, *args):
        """The same for the backward pass: the first argument is the gradient it adds to."""
        self.backward(Host(function), *args)

    def exchange(self, operand):
        """Sums a block over all ranks at this point of the forward pass; nothing happens on a single rank.

        For sums that the pass itself needs, as the moments of a batch; what is needed after the step rides in the tail.
        Float64 blocks keep the sum as good as one rank's.
        """
        self.forward(Exchange(), operand)

    def exchange_backward(self, operand):
        """The same for the backward pass; as all its calls, put before those so far."""
        self.backward(Exchange(), operand)

    def give(self, gradient):
        """Says that a gradient comes from outside the plan, as when one layer is run alone."""
        self.given.append(gradient.block)

    def update(self, kernel, *args):
        """Appends a call to the update, which runs once gradients are reduced."""
        self.update_calls.append((kernel, args))

    def settle(self, kernel, *args):
        """Appends a call that changes weights after the optimizer has: a constraint, a moving mean.

        Where ranks share one copy of the weights, one of them makes it.
        """
        self.settle_calls.append((kernel, args))

    @property
    def backward_calls(self):
        """The backward pass in running order, without calls that would carry on a gradient nobody wrote."""
        return self._backward()[0]

    @property
    def overwritten(self):
        """The ids of gradient blocks that the backward pass writes before it adds to them: they need no zeroing."""
        return self._backward()[1]

    def _backward(self):
        touched, overwritten, calls = {id(block) for block in self.given}, set(), []

        def zero(block):
            if self.zeroes and block.arena == "activation_grads" and id(block) not in touched:
                overwritten.add(id(block))
                calls.append((fill, (flat(block), self.constant(0.0))))

        for kernel, args, first in reversed(self.backward_entries):
            read = [a.block for a in args[1:] if isinstance(a, Operand) and a.arena in GRADIENTS]
            if read and not any(id(block) in touched for block in read):
                continue
            target = args[0].block
            for block in {id(block): block for block in read if block is not target}.values():
                zero(block)  # of several outputs one may be used by nobody
            if first is not None and self.overwrites and id(target) not in touched:
                overwritten.add(id(target))
                kernel = first
            else:
                zero(target)
            touched.add(id(target))
            calls.append((kernel, args))
        return calls, overwritten

    @property
    def summed(self):
        """The gradient blocks whose parts of several shards the backward pass adds up itself."""
        return [args[0].block for _, args in self.backward_calls if along_tree(args)]

    def calls(self):
        """All calls in running order."""
        return self.head_calls + self.forward_calls + self.backward_calls + self.update_calls + self.settle_calls

    def __str__(self):
        lines = [f"plan: {'training' if self.training else 'inference'}, {self.dtype}"]
        phases = {
            "at the beginning of a run": self.head_calls,
            "forward": self.forward_calls,
            "backward": self.backward_calls,
            "update": self.update_calls,
            "settle": self.settle_calls,
        }
        for title, calls in phases.items():
            if calls:
                lines.append(f"{title}:")
            lines += [f"  {line}" for line in map(self._line, calls)]
        return "\n".join(lines)

    def lines(self) -> list[str]:
        """Each call as text, in running order, with types, shapes and the contents of constants.

        Ranks whose lists are equal run the same program, and the first line that differs tells where they do not.
        """
        return list(map(self._line, self.calls()))

    def _line(self, call):
        kernel, args = call
        return f"{_name(kernel):30s} {', '.join(self._describe(a) for a in args)}"

    def _describe(self, argument):
        if not isinstance(argument, Operand):
            return str(argument)
        if argument.arena in ("constants", "scales", "clock", "tree"):
            return argument.label
        lead = ()
        if argument.per_row:
            lead = ("n" if argument.rows_per_sample == 1 else f"n*{argument.rows_per_sample}",)
        shape = "x".join(map(str, lead + argument.shape))
        kind = "" if argument.dtype == self.dtype else f" {argument.dtype}"
        return f"{argument.label}[{shape}{kind}]"

    def digest(self) -> str:
        """A fingerprint of the program, the same on every rank that holds the same model."""
        return hashlib.sha256(str(self).encode()).hexdigest()


def _name(kernel):
    return getattr(kernel, "__name__", str(kernel))
