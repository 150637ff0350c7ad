"""The calls that make an update, on a slice of the arenas (in a plan) or on single weights (one after the other).

In order: gradients are checked if the loss is scaled, accumulated, measured if norms clip them; then, piece by piece,
weights shrink and change in one call, and go into their average. Where several kernels follow each other on the same
memory, pieces of `CHUNK` elements keep it in the cache: the arenas pass through the processor once.
"""

import struct
from functools import cache

import numpy as np

from dseq.kernels import clip as kernels
from dseq.optimizers.layout import CHUNK
from dseq.program.host import Host
from dseq.program.operand import Operand


class Part:
    """A stretch of weights that are updated alike: flat arrays of one length.

    Args:
        p: Weights.
        g: Gradients.
        slots: Dict of the optimizer's slots.
        average: The moving average of the weights, or None.
        accumulated: The sum of gradients since the last update, or None.
        hyper: The kernel's numbers.
        clip: The gate in front of the update.
        variable: The weight, if it is a whole one.
        pieces: First and last of its places in the sums of squares, if it is a whole one.
    """

    def __init__(self, p, g, slots, average, accumulated, hyper, clip, variable=None, pieces=(0, 0)):
        self.p, self.g, self.slots = p, g, slots
        self.average, self.accumulated = average, accumulated
        self.hyper, self.clip = hyper, clip
        self.variable = variable
        self.pieces = pieces

    def chunks(self):
        """The part in pieces that fit in the cache."""
        for lo in range(0, self.p.size, CHUNK):
            yield self.section(lo, min(lo + CHUNK, self.p.size))

    def section(self, lo, hi):
        """Elements lo..hi-1."""
        if (lo, hi) == (0, self.p.size):
            return self
        cut = [a if a is None else a[lo:hi] for a in (self.p, self.g, self.average, self.accumulated)]
        slots = {name: slot[lo:hi] for name, slot in self.slots.items()}
        return Part(cut[0], cut[1], slots, *cut[2:], self.hyper, self.clip)


class Memory:
    """What all parts of an update share: numbers for each step, sums, and scratch.

    Args:
        layout: Where weights lie.
        gates: Number of gates: one, or one for each weight.
    """

    def __init__(self, layout, gates):
        self.layout = layout
        self.control = np.ones(7)
        self.clips = np.ones((gates, 3))
        self.lanes = np.zeros(kernels.LANES)
        self._flags = self._squares = self._set = None
        self._scratch = {}

    def set(self, control, gate, lasting=False) -> None:
        """Sets the numbers of a step.

        Args:
            control: The seven numbers of `control`, see `dseq.kernels.clip`.
            gate: The three of every gate.
            lasting: Whether no kernel of the step writes them: then they need not be written again.
        """
        if (control, gate) == self._set:
            return
        self._set = (control, gate) if lasting else None
        fill(self.control, control)
        if len(self.clips) == 1:
            fill(self.clips, gate)
        else:
            self.clips[:] = gate

    def only_accumulate(self) -> None:
        """Changes the numbers of a step to those of one that changes no weights."""
        self._set = None
        self.control[1] = self.clips[:, 0] = 0

    @property
    def flags(self):
        """One number for each piece of the gradients: whether it is finite."""
        if self._flags is None:
            self._flags = np.zeros(self.layout.pieces)
        return self._flags

    @property
    def squares(self):
        """One number for each piece of the gradients: its sum of squares."""
        if self._squares is None:
            self._squares = np.zeros(self.layout.pieces)
        return self._squares

    def scratch(self, name, size, dtype=None):
        """Memory that a call leaves to the next ones; the same for all weights.

        Args:
            name: What for.
            size: Elements.
            dtype: Its type, that of the weights if None.
        """
        known = self._scratch.get(name)
        if known is None or known.size < size:
            known = self._scratch[name] = np.zeros(size, dtype or self.layout.dtype)
        return known[:size]

    def square_sums(self, x, name):
        """The calls that put the sums of squares of pieces of `x` into scratch, and that scratch."""
        sums = self.scratch(name, -(-x.size // CHUNK), "float64")
        calls = [
            (kernels.square_sum, (sums[k : k + 1], x[k * CHUNK : (k + 1) * CHUNK], self.lanes))
            for k in range(sums.size)
        ]
        return calls, sums


def fill(array, numbers) -> None:
    """Sets all elements of a float64 array; NumPy's way of a few numbers takes four times as long.

    Args:
        array: The array.
        numbers: As many numbers.
    """
    _packer(len(numbers))(array, 0, *numbers)


@cache
def _packer(count):
    return struct.Struct(f"{count}d").pack_into


def calls(optimizer, parts, weights, exchange=None):
    """The update as a list of (kernel, arguments).

    Args:
        optimizer: The optimizer, built.
        parts: List of `Part`s to update, whole weights if the optimizer works on these.
        weights: List of `Part`s, one for each weight, to check and to measure.
        exchange: The call that sums over the ranks that update other weights; None if these are all.
    """
    memory = optimizer.memory
    found = prepared(optimizer, weights, exchange)
    early = optimizer.gradient_accumulation_steps and not optimizer.measures
    for part in parts:
        if optimizer.whole_weights or optimizer.in_python:
            found += _accumulated(part, memory) if early else []
            found += _in_python(optimizer, part) if optimizer.in_python else optimizer.weight_calls(part)
            found += [call for piece in part.chunks() for call in _averaged(piece, memory)]
        elif early or part.average is not None:
            for piece in part.chunks():
                found += _accumulated(piece, memory) if early else []
                found += optimizer.element_calls(piece)
                found += _averaged(piece, memory)
        else:
            found += optimizer.element_calls(part)
    return found


def prepared(optimizer, weights, exchange=None):
    """The calls before any weight changes: checking, and where norms clip gradients, accumulating and measuring."""
    memory, found = optimizer.memory, []
    if optimizer.gated:
        found += [(kernels.clear, (memory.flags,))]
        for part in weights:
            for k, piece in enumerate(part.chunks(), part.pieces[0]):
                found.append((kernels.check_finite, (memory.flags[k : k + 1], piece.g)))
        found += [(exchange, (memory.flags,))] if exchange else []
        found.append((kernels.all_finite, (memory.control, memory.clips, memory.flags)))
    if not optimizer.measures:
        return found
    found += [(kernels.clear, (memory.squares,))]
    for part in weights:
        for k, piece in enumerate(part.chunks(), part.pieces[0]):
            if part.accumulated is not None:
                found.append((kernels.accumulate, (piece.accumulated, piece.g, memory.control)))
            found.append((kernels.square_sum, (memory.squares[k : k + 1], piece.g, memory.lanes)))
        if optimizer.clipnorm:
            squares = memory.squares[slice(*part.pieces)]
            found.append((kernels.clip_to_norm, (part.clip, squares, memory.control, 0)))
    if not optimizer.clipnorm:
        found += [(exchange, (memory.squares,))] if exchange else []
        found.append((kernels.clip_to_norm, (memory.clips[0], memory.squares, memory.control, 1)))
    return found


def _in_python(optimizer, part):
    """Decay and clipping by kernels, then the optimizer's own `update_step`."""
    gradient = optimizer.memory.scratch("direction", part.p.size)

    def update_step(_):
        if part.clip[0]:
            optimizer.run_update_step(gradient.reshape(part.variable.shape), part.variable)

    return [
        (kernels.clip_into, (gradient, part.g, part.clip)),
        (kernels.decay, (part.p, part.hyper, part.clip)),
        (Host(update_step), (part.p,)),
    ]


def _accumulated(part, memory):
    return [
        (kernels.accumulate, (piece.accumulated, piece.g, memory.control))
        for piece in part.chunks()
        if piece.accumulated is not None
    ]


def _averaged(part, memory):
    if part.average is None:
        return []
    return [(kernels.moving_average, (part.average, part.p, memory.control))]


def operands(optimizer, params, grads):
    """A function from arrays to operands, named by the arena they lie in.

    Args:
        optimizer: The optimizer.
        params: The arena of weights.
        grads: The arena of gradients.
    """
    memory = optimizer.memory
    roots = [("params", "params", params), ("grads", "grads", grads)]
    roots += [(name, "slots", slot) for name, slot in optimizer.slots.items()]
    roots += [("average", "slots", optimizer._average), ("gradient_accumulator", "slots", optimizer._accumulated)]
    roots += [(name, "constants", getattr(memory, name)) for name in ("control", "clips", "lanes")]
    roots += [("hyper", "constants", row) for row in optimizer.rows.values()]
    bounds = [
        (root.ctypes.data, root.ctypes.data + root.nbytes, name, arena)
        for name, arena, root in roots
        if root is not None
    ]

    def operand(value):
        if not isinstance(value, np.ndarray):
            return value
        place, label, arena = value.ctypes.data, "scratch", "slots"
        for first, last, name, where in bounds:
            if first <= place < last or (first == place and value.size == 0):
                start = (place - first) // value.itemsize
                label, arena = f"{name}[{start}:{start + value.size}]", where
                break
        found = Operand(label, value.shape, arena, value.dtype.name)
        found.array = value
        return found

    return operand
