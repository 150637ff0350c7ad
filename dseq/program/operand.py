"""A named block of an arena, and the views under which kernels see it."""

from math import prod

# Arenas whose blocks have a leading axis of rows, one row a sample of this rank's shard.
PER_ROW = ("activations", "activation_grads")


class Operand:
    """A block of memory in a plan, or another view of one.

    Args:
        label: What listings call it.
        shape: Its shape, without the axis of rows for blocks of the activation arenas.
        arena: `activations`, `activation_grads`, `shared`, `shared_grads`, `params`, `grads`, `tail`, `slots`,
            `constants`, `scales`, `clock` or `tree`.
        dtype: Name of its NumPy type.
        rows_per_sample: Rows of the view that one sample makes: 1, but for flattened views.
        root: The block this is a view of; None for a block itself.

    Attributes:
        grad: The block of the same shape in the matching gradient arena, or None if nobody needs it.
        array: The memory of a block that has its own (weights, constants, slots); None for the others.
        copies: The memory of such a block for each shard that this rank holds, where shards must not share it.
        producer: The call that writes it, as (kernel, arguments).
        brief: Whether each pass writes all of it before it reads any: its memory may be lent to others in between.
        mask: Operand of bytes that says which steps count, or None for all; its shape is that of the leading axes.
    """

    def __init__(self, label, shape, arena, dtype, rows_per_sample=1, root=None):
        self.label = label
        self.shape = tuple(shape)
        self.arena = arena
        self.dtype = dtype
        self.rows_per_sample = rows_per_sample
        self.root = root
        self.grad = None
        self.array = self.copies = None
        self.producer = None
        self.brief = False
        self.mask = None

    @property
    def block(self) -> "Operand":
        """The block itself."""
        return self if self.root is None else self.root

    @property
    def per_row(self) -> bool:
        """Whether the block has an axis of rows."""
        return self.arena in PER_ROW

    @property
    def size(self) -> int:
        """Elements per sample of a per-row block, elements of any other."""
        return prod(self.shape) * self.rows_per_sample

    def reshape(self, shape) -> "Operand":
        """The same block with rows of another shape; the gradient goes along.

        A shape of as many elements as a sample has makes a row of each sample; a smaller one, several rows.
        """
        rows = self.size // prod(shape) if self.per_row and prod(shape) else self.rows_per_sample
        view = Operand(self.label, shape, self.arena, self.dtype, rows, self.block)
        if self.grad is not None:
            view.grad = self.grad.reshape(shape)
        return view

    def __str__(self):
        return self.label


def along_tree(args) -> bool:
    """Whether a call of these arguments sums along the tree over shards."""
    return any(isinstance(argument, Operand) and argument.arena == "tree" for argument in args)


def flat(operand):
    """The operand as a one-dimensional array of all its elements; None stays None."""
    if operand is None:
        return None
    shape, rows = ((), operand.size) if operand.per_row else ((operand.size,), 1)
    return Operand(operand.label, shape, operand.arena, operand.dtype, rows, operand.block)


def matrix(operand):
    """The operand as a matrix: all axes but the last make its rows; None stays None."""
    if operand is None:
        return None
    last = operand.shape[-1] if operand.shape else 1
    rows = operand.size // last if last else 0
    shape, rows = ((last,), rows) if operand.per_row else ((rows, last), 1)
    return Operand(operand.label, shape, operand.arena, operand.dtype, rows, operand.block)
