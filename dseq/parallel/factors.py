"""Gradients of matrices that the ranks of a node make together of their rows, where these are fewer than the sums.

The gradient of a dense layer's kernel, (features, units), is a product over the rows of a batch. A rank that writes its
own and reads those of others for its slice moves features x units numbers about twice, mostly from one core's cache
into another's. The rows of features and of gradients by units that such a product is made of are far fewer where
batches are small. So each rank gives these instead (`kernels.factors`), and makes the rows of the gradient that it
updates of all ranks' rows, a piece at a time: pieces stay in the cache until they have been used for the update. The
number of multiplications is the same, and the sum over the batch is that of one rank, to the bit.

Batches of more rows go the usual way; which it is, all ranks tell by the number of rows of the one that has most.

A single rank gains too where weights, gradients and slots are more than its cache holds: gradients do not leave it.
"""

from collections import Counter

import numpy as np

from dseq.kernels.dense import dense_write_kernel
from dseq.kernels.factors import HEADER, give_factors, take_factors
from dseq.program.host import is_host
from dseq.program.memory import aligned
from dseq.program.operand import Operand

WORTH = 16384  # elements of a matrix from which it pays
FAR = 1 << 20  # bytes of all gradients from which it pays on one rank
SAMPLES = 4  # of each rank for which it must pay, where each makes several rows, all of which are kept until the update
UNIT = 16  # columns are a multiple: all rows of a matrix begin at a line of the cache
PIECE = 1 << 19  # bytes of gradients that are made and then used: with weights and slots they fit into L2
MOST_PIECES = 256  # of one matrix: a plan stays short
HEIGHT = 24  # rows of a piece are a multiple: no register tile is cut
MANY = 1 << 40


class Product:
    """The gradient of one matrix.

    Args:
        args: The arguments (dw, x, dy) of the call that makes it.
        start: Where it begins in the arena of gradients.
        ranks: Number of ranks.

    Attributes:
        rows, columns: Its shape.
        stop: Where it ends.
        most: Rows of a rank up to which factors are exchanged.
        counts: See `dseq.kernels.factors`.
    """

    def __init__(self, args, start, ranks):
        self.dw, self.x, self.dy = args
        self.rows, self.columns = self.dw.shape
        self.start, self.stop = start, start + self.rows * self.columns
        self.most = self.rows * self.columns // (self.rows + ranks * self.columns)
        self.counts = np.full(HEADER + ranks, MANY)
        self.operand = own_operand("rows of all ranks", self.counts)

    def nearest(self, place) -> int:
        """The beginning of a row that is nearest to a place in the arena."""
        return self.start + round((place - self.start) / self.columns) * self.columns

    def keep(self, rank, lo, hi) -> None:
        """Says which slice [lo, hi) of the arena this rank updates."""
        edges = [(min(max(place, self.start), self.stop) - self.start) // self.columns for place in (lo, hi)]
        self.counts[:HEADER] = rank, *edges

    def expect(self, counts) -> None:
        """Says how many samples each rank has in the next step."""
        self.counts[HEADER:] = np.multiply(counts, self.x.rows_per_sample)

    def pieces(self, lo, hi) -> list:
        """The pieces (first, last) of a part [lo, hi) of the arena, of whole rows."""
        rows = (hi - lo) // self.columns
        fits = PIECE // (np.dtype(self.dw.dtype).itemsize * self.columns) // HEIGHT * HEIGHT
        count = min(-(-rows // max(HEIGHT, fits)), MOST_PIECES)
        each = -(-rows // (count * HEIGHT)) * HEIGHT * self.columns
        return [(first, min(first + each, hi)) for first in range(lo, hi, each)]


class Products:
    """The gradients that are made of factors; the calls of the plan that made them give the factors instead.

    Args:
        plan: The plan, complete but for the update.
        parameters: The arenas.
        optimizer: The optimizer, built.
        rank: This rank's number on its node.
        ranks: Number of ranks.
    """

    def __init__(self, plan, parameters, optimizer, rank=0, ranks=1):
        self._rank = rank
        grads = parameters.grads
        simple = not (optimizer.needs_whole_weights or optimizer.gradient_accumulation_steps)
        near = ranks == 1 and parameters.trainable_size * grads.itemsize < FAR
        self._all = _found(plan, parameters, ranks) if simple and plan.zeroes and not near else []
        self._dtype = grads.dtype

    def __bool__(self):
        return bool(self._all)

    def nearest(self, place) -> int:
        """A place in the arena, or if it is in a product the nearest at which a row begins."""
        return next((p.nearest(place) for p in self._all if p.start <= place < p.stop), place)

    def keep(self, lo, hi) -> None:
        """Says which slice [lo, hi) of the arena this rank updates."""
        sizes = []
        for product in self._all:
            product.keep(self._rank, lo, hi)
            first, last = max(lo, product.start), min(hi, product.stop)
            if first < last:  # a part may be cut into fewer pieces, each larger than any of the whole
                sizes += [stop - start for start, stop in product.pieces(first, last)]
        self._piece = aligned(max(sizes, default=0) * self._dtype.itemsize).view(self._dtype)

    def expect(self, counts, grads) -> None:
        """Says that the numbers of samples will be others from the next step on.

        Args:
            counts: That of each rank.
            grads: This rank's gradients. What longer batches left there is cleared: it may be no longer finite.
        """
        for product in self._all:
            product.expect(counts)
            grads[product.start : product.stop] = 0

    def cut(self, lo, hi, most) -> list:
        """The pieces (first, last) of a slice: of products whole rows, of the rest at most so many elements."""
        found = []
        for product in self._all:
            first, last = max(lo, product.start), min(hi, product.stop)
            if first < last:
                found += [(at, min(at + most, first)) for at in range(lo, first, most)]
                found += product.pieces(first, last)
                lo = last
        return found + [(at, min(at + most, hi)) for at in range(lo, hi, most)]

    def make(self, plan, given, lo, hi, block):
        """Writes into a plan's update what makes a piece [lo, hi) of the gradients, if it is one of a product.

        Args:
            plan: The plan.
            given: Matrix of all ranks' rows of gradients.
            lo: The piece's first element.
            hi: The element behind its last.
            block: Scratch of `sum_rows`.

        Returns:
            The piece, or None.
        """
        product = next((p for p in self._all if p.start <= lo < p.stop), None)
        if product is None:
            return None
        piece, first = self._piece[: hi - lo], (lo - product.start) // product.columns
        label = f"rows {first}:{first + piece.size // product.columns} of {product.dw.label}"
        total = own_operand(label, piece.reshape(-1, product.columns))
        rows = own_operand("what all ranks gave", given)
        rest = product.operand, product.most, own_operand("scratch", block)
        plan.update(take_factors, total, product.x, product.dy, rows, product.start, first, *rest)
        return piece


def own_operand(label, array):
    """An operand that has its own memory."""
    operand = Operand(label, array.shape, "slots", array.dtype.name)
    operand.array = array
    return operand


def _found(plan, parameters, ranks):
    """The `Product`s of a plan in the order of the arena; the plan's calls are changed."""
    calls = plan.backward_calls
    seen = Counter(id(block) for _, args in calls for block in _blocks(args))
    starts = {id(v): lo for v, (lo, _) in zip(parameters.trainable, parameters.bounds, strict=True)}
    found = {}
    for number, (kernel, args) in enumerate(calls):
        if kernel is not dense_write_kernel or seen[id(args[0].block)] > 1 or args[0].arena != "grads":
            continue
        rows, columns = args[0].shape
        if columns % UNIT or rows * columns < WORTH or not _last(args[1:], calls[number + 1 :]):
            continue
        product = Product(args, starts[id(args[0].block.variable)], ranks)
        each = args[1].rows_per_sample
        if product.most >= (each if each == 1 else each * SAMPLES):
            found[id(args)] = product
    for number, (_, args, _) in enumerate(plan.backward_entries):
        if id(args) in found:
            product = found[id(args)]
            given = (*args, product.operand, product.most)
            plan.backward_entries[number] = give_factors, given, give_factors
    return sorted(found.values(), key=lambda product: product.start)


def _last(operands, calls):
    """Whether what operands hold stays as it is in all further calls of the pass."""
    blocks = {id(operand.block) for operand in operands}
    if not all(operand.per_row for operand in operands):
        return False
    return not any(
        id(args[0].block) in blocks or (is_host(kernel) and not blocks.isdisjoint(map(id, _blocks(args))))
        for kernel, args in calls
    )


def _blocks(args):
    return {id(a.block): a.block for a in args if isinstance(a, Operand)}.values()
