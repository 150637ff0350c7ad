"""Sums of products by letters: einsum, and what can be said with it."""

from math import prod

import numpy as np

from dseq.ops.arithmetic import multiply
from dseq.ops.composite import Composite
from dseq.ops.products import matmul
from dseq.ops.reductions import sum
from dseq.ops.shaping import ravel, reshape, transpose
from dseq.ops.types import as_array, result_type, type_of
from dseq.program.tensor import Tensor

LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


def parse(subscripts, ranks):
    """The letters of operands and result.

    Args:
        subscripts: As `numpy.einsum` takes them, with or without an arrow; `...` stands for all further axes.
        ranks: The number of axes of each operand.

    Returns:
        `(terms, result)`, each term a string with a letter for each axis.

    Raises:
        ValueError: If they do not fit the operands.
    """
    text = subscripts.replace(" ", "")
    given, arrow, result = text.partition("->")
    terms = given.split(",")
    rule = "`dseq.ops.einsum`: each operand needs a letter for each of its axes."
    if len(terms) != len(ranks):
        raise ValueError(f"{rule} Received: subscripts={subscripts!r} for {len(ranks)} operands.")
    spare = [letter for letter in LETTERS if letter not in text]
    most = max((r - len(t) + 3 for t, r in zip(terms, ranks, strict=True) if "..." in t), default=0)
    rest = "".join(spare[:most])
    full = []
    for term, rank in zip(terms, ranks, strict=True):
        if "..." in term:
            count = rank - len(term) + 3
            term = term.replace("...", rest[most - count :] if count > 0 else "")
        if len(term) != rank or len(set(term)) != len(term):
            raise ValueError(f"{rule} Received: subscripts={subscripts!r} for operands of {ranks} axes.")
        full.append(term)
    if arrow:
        result = result.replace("...", rest)
    else:
        letters = "".join(full)
        result = rest + "".join(sorted(c for c in set(letters) if letters.count(c) == 1 and c not in rest))
    if set(result) - set("".join(full)) or len(set(result)) != len(result):
        raise ValueError(
            f"`dseq.ops.einsum`: the result's letters must be those of operands, each once. Received: {subscripts!r}"
        )
    return full, result


class _Term:
    """An operand with a letter for each axis.

    Args:
        x: The tensor, variable or array.
        letters: Its letters.
    """

    def __init__(self, x, letters):
        self.x, self.letters = x, letters
        self.shared = not isinstance(x, Tensor) or x.shared
        self.sizes = dict(zip(letters, x.shape, strict=True))

    @property
    def samples(self):
        """The letter of the batch axis, or nothing."""
        return "" if self.shared else self.letters[0]

    def without(self, letters):
        """The same summed along axes."""
        axes = tuple(i for i, c in enumerate(self.letters) if c in letters)
        return self if not axes else _Term(sum(self.x, axes), "".join(c for c in self.letters if c not in letters))

    def ordered(self, letters):
        """The same with its axes in another order."""
        order = tuple(self.letters.index(c) for c in letters)
        return self if letters == self.letters else _Term(transpose(self.x, order), letters)

    def shaped(self, groups):
        """The tensor with one axis for each group of letters, in this order; the batch stays what it is."""
        x = self.ordered("".join(groups)).x
        shape = [-1 if group == self.samples != "" else prod(self.sizes[c] for c in group) for group in groups]
        return reshape(x, shape)


def contract(a, b, wanted, subscripts):
    """The product of two terms, summed over all letters that are not wanted.

    Args:
        a: The first `_Term`.
        b: The second.
        wanted: The letters that later terms or the result need.
        subscripts: For messages.

    Returns:
        A `_Term`.
    """
    samples = a.samples or b.samples
    misplaced = samples and any(samples in t.letters and t.samples != samples for t in (a, b))
    if misplaced or (a.samples and b.samples and a.samples != b.samples):
        raise ValueError(
            "`dseq.ops.einsum`: the first letter of tensors with a batch axis is that of the samples; all of them must "
            f"have the same, and nothing else can. Received: subscripts={subscripts!r}"
        )
    kept = set(wanted) | set(samples)
    a = a.without(set(a.letters) - set(b.letters) - kept)
    b = b.without(set(b.letters) - set(a.letters) - kept)
    both = [c for c in a.letters if c in b.letters and c != samples]
    stack = "".join(c for c in both if c in wanted)
    inner = "".join(c for c in both if c not in wanted)
    left = "".join(c for c in a.letters if c not in b.letters and c != samples)
    right = "".join(c for c in b.letters if c not in a.letters and c != samples)
    sizes = {**b.sizes, **a.sizes}
    unknown = [c for c in sizes if sizes[c] is None and c != samples]
    if unknown:
        raise ValueError(
            f"`dseq.ops.einsum`: all sizes but that of the batch must be known. Received: {subscripts!r} for shapes "
            f"{a.x.shape} and {b.x.shape}"
        )
    for c in both:
        if a.sizes[c] != b.sizes[c]:
            raise ValueError(
                f"`dseq.ops.einsum`: axes of one letter must have one size. Received: {subscripts!r} for shapes "
                f"{a.x.shape} and {b.x.shape}"
            )
    lead = [[samples] if t.samples else [] for t in (a, b)]
    middle = list(stack)
    if not a.shared and b.shared and not stack:  # all axes of a are rows of one product
        x = a.shaped([*lead[0], *left, inner])
        y = matmul(x, b.shaped([inner, right]))
        made = [samples, *left]
    else:
        y = matmul(a.shaped([*lead[0], *middle, left, inner]), b.shaped([*lead[1], *middle, inner, right]))
        made = [*samples, *middle, *left]
    letters = "".join([*made, *right])
    shape = [-1 if c == samples else sizes[c] for c in letters]
    return _Term(reshape(y, shape), letters)


class Einsum(Composite):
    """Sums of products by letters."""

    defaults = {"subscripts": None}

    @staticmethod
    def compute(*operands, subscripts):
        dtype = result_type(*map(type_of, operands))
        return np.einsum(subscripts, *[as_array(x).astype(dtype, copy=False) for x in operands], optimize=True)

    @staticmethod
    def expression(*operands, subscripts):
        operands = [x if hasattr(x, "shape") else as_array(x) for x in operands]
        terms, result = parse(subscripts, [len(x.shape) for x in operands])
        first, *rest = [_Term(x, letters) for x, letters in zip(operands, terms, strict=True)]
        for number, term in enumerate(rest, 1):
            later = "".join([result, *terms[number + 1 :]])
            first = contract(first, term, later, subscripts)
        return first.without(set(first.letters) - set(result)).ordered(result).x


def einsum(subscripts, *operands, **kwargs):
    """Sums of products by letters, as `numpy.einsum`.

    Args:
        subscripts: `"bij,jk->bik"`; `...` stands for all further axes. The first letter of tensors with a batch axis is
            that of the samples: left out of the result, it is summed over all samples of the global batch.
        *operands: Tensors, variables and arrays.
        **kwargs: Must be empty.
    """
    if kwargs:
        raise ValueError(f"`dseq.ops.einsum` has no further arguments. Received: {sorted(kwargs)}")
    return Einsum.apply(*operands, subscripts=subscripts)


class Tensordot(Composite):
    """Sums of products along pairs of axes."""

    defaults = {"axes": 2}

    @staticmethod
    def compute(x1, x2, axes):
        return np.tensordot(*_met(x1, x2), axes)

    @staticmethod
    def expression(x1, x2, axes):
        ranks = len(x1.shape), len(x2.shape)
        if isinstance(axes, int):
            pairs = list(range(ranks[0] - axes, ranks[0])), list(range(axes))
        else:
            pairs = [[a] if isinstance(a, int) else list(a) for a in axes]
            pairs = [[axis % rank for axis in p] for p, rank in zip(pairs, ranks, strict=True)]
        first, second = LETTERS[: ranks[0]], list(LETTERS[ranks[0] : ranks[0] + ranks[1]])
        for i, j in zip(*pairs, strict=True):
            second[j] = first[i]
        gone = {first[i] for i in pairs[0]}
        result = "".join(c for c in [*first, *second] if c not in gone)
        return einsum(f"{first},{''.join(second)}->{result}", x1, x2)


def tensordot(x1, x2, axes=2):
    """Sums of products along pairs of axes, as `numpy.tensordot`.

    Args:
        x1: Tensor, variable or array.
        x2: The same.
        axes: How many last axes of x1 meet as many first ones of x2; or a pair of lists of axes.
    """
    return Tensordot.apply(x1, x2, axes=axes)


class Dot(Composite):
    """The sum of products along the last axis of one and the last but one of the other."""

    @staticmethod
    def compute(x1, x2):
        return np.dot(*_met(x1, x2))

    @staticmethod
    def expression(x1, x2):
        ranks = [len(getattr(x, "shape", ())) for x in (x1, x2)]
        if 0 in ranks:
            return multiply(x1, x2)
        if ranks[1] <= 2:
            return matmul(x1, x2)
        return tensordot(x1, x2, ([ranks[0] - 1], [ranks[1] - 2]))


def dot(x1, x2):
    """The product of matrices; by NumPy's rules for other numbers of axes.

    Args:
        x1: Tensor, variable, array or number.
        x2: The same.
    """
    return Dot.apply(x1, x2)


class Vdot(Composite):
    """The sum of all products."""

    @staticmethod
    def compute(x1, x2):
        return np.vdot(*_met(x1, x2))

    @staticmethod
    def expression(x1, x2):
        return sum(multiply(x1, x2))


def vdot(x1, x2):
    """The sum of the products of all elements of two tensors of one shape.

    Args:
        x1: Tensor, variable or array.
        x2: The same.
    """
    return Vdot.apply(x1, x2)


class Outer(Composite):
    """All products of two vectors."""

    @staticmethod
    def compute(x1, x2):
        return np.outer(*_met(x1, x2))

    @staticmethod
    def expression(x1, x2):
        return einsum("a,b->ab", ravel(x1), ravel(x2))


def outer(x1, x2):
    """All products of the elements of two tensors without a batch axis.

    Args:
        x1: Tensor, variable or array.
        x2: The same.
    """
    return Outer.apply(x1, x2)


def _met(*operands):
    """Arrays in the type in which they meet."""
    dtype = result_type(*map(type_of, operands))
    return [as_array(x).astype(dtype) for x in operands]
