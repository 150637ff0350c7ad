"""Where the time of a step goes: each call of its plan by itself, in its place, and the operations of its products."""

import time
from collections import defaultdict
from math import prod

import numpy as np

PRODUCTS = {  # kernel: which argument's pixels and which argument's elements are multiplied for each row
    "winograd_forward": (0, 2),
    "winograd_backward_input": (1, 2),
    "winograd_write_input": (1, 2),
    "winograd_backward_kernel": (2, 0),
    "winograd_write_kernel": (2, 0),
    "conv_forward": (0, 2),
    "conv_backward_input": (1, 2),
    "conv_write_input": (1, 2),
    "conv_backward_kernel": (2, 0),
    "conv_write_kernel": (2, 0),
    "conv_max": (0, 4),
    "conv_max_kernel": (4, 0),
    "conv_max_write_kernel": (4, 0),
    "dense_forward": (0, 2),
    "dense_backward_input": (1, 2),
    "dense_write_input": (1, 2),
    "dense_backward_kernel": (2, 0),
    "dense_write_kernel": (2, 0),
}
WINDOWS = {"conv_max": 10, "conv_max_kernel": 10, "conv_max_write_kernel": 10}  # where height and width of a window are


def operations(call, rows):
    """Multiplications and additions of a call, those with margins too; 0 if it is no product.

    Those of a convolution by tiles are counted as if it summed over its windows, so that rates can be compared.
    """
    kernel, args = call
    if kernel.__name__ not in PRODUCTS:
        return 0
    pixels, weights = (args[i] for i in PRODUCTS[kernel.__name__])
    if kernel.__name__ in WINDOWS:
        first = WINDOWS[kernel.__name__]
        rows *= prod(args[first : first + 2])
    taps = 9 / 16 if weights.shape[0] == 16 and len(weights.shape) == 3 else 1
    return 2 * rows * pixels.rows_per_sample * prod(pixels.shape[:-1]) * weights.size * taps


def timed(session, rounds, clock=time.process_time):
    """The least seconds of each call over some steps, made one by one in the order of the step; and of the zeroing.

    Args:
        session: A bound training session.
        rounds: Number of steps.
        clock: What tells the time.

    Returns:
        `(calls, seconds)`: the calls of the plan, and as many numbers.
    """
    step, calls = session.step, session.plan.calls()
    found = np.zeros((rounds, len(calls)))
    for row in found:
        for i, turn in enumerate(step._schedule.turns[0]):
            start = clock()
            step._require_done(step._take_turns(0, i, i + 1))
            row[turn.call] += clock() - start
    return calls, found.min(0)


def touched(call, rows):
    """Bytes of the blocks that a call is given, each once."""
    blocks = {id(a.block): a.block for a in call[1] if hasattr(a, "block")}.values()
    return sum(b.size * np.dtype(b.dtype).itemsize * (rows * b.rows_per_sample if b.per_row else 1) for b in blocks)


def print_calls(session, rows, rounds=9, least=0.002):
    """Prints each call that takes at least this share of the step."""
    calls, seconds = timed(session, rounds)
    total = seconds.sum()
    print(f"    {'call':24s}{'us':>10s}{'share':>8s}{'GFLOP/s':>9s}{'GB/s':>7s}  arguments")
    for call, time_ in zip(calls, seconds, strict=True):
        if time_ >= least * total:
            rate = operations(call, rows) / time_ / 1e9
            print(
                f"    {call[0].__name__:24s}{1e6 * time_:10.1f}{time_ / total:8.1%}{f'{rate:.0f}' if rate else '':>9s}"
                f"{touched(call, rows) / time_ / 1e9:7.1f}  "
                + ", ".join(session.plan._describe(a) for a in call[1][:3])
            )


def print_kernels(session, rows, rounds=9, least=0.002):
    """Prints the time of all calls of a kernel, and that of all products together."""
    calls, seconds = timed(session, rounds)
    sums, counts, work = defaultdict(float), defaultdict(int), defaultdict(int)
    for call, time_ in zip(calls, seconds, strict=True):
        name = getattr(call[0], "__name__", str(call[0]))
        sums[name] += time_
        counts[name] += 1
        work[name] += operations(call, rows)
    total = seconds.sum()
    print(f"    {'kernel':28s}{'calls':>6s}{'ms':>10s}{'share':>8s}{'GFLOP/s':>9s}")
    for name in sorted(sums, key=sums.get, reverse=True):
        if sums[name] >= least * total:
            rate = f"{work[name] / sums[name] / 1e9:.0f}" if work[name] else ""
            print(f"    {name:28s}{counts[name]:6d}{1e3 * sums[name]:10.3f}{sums[name] / total:8.1%}{rate:>9s}")
    products = sum(time_ for name, time_ in sums.items() if work[name])
    print(f"    {'products':28s}{'':6s}{1e3 * products:10.3f}{products / total:8.1%}")
    print(f"    {'all else':28s}{'':6s}{1e3 * (total - products):10.3f}{1 - products / total:8.1%}")
