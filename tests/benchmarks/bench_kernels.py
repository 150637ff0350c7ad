"""Dense kernels against this core's FMA peak and against NumPy, in one run: `python tests/benchmarks/bench_kernels.py`.

All numbers are medians over rounds in which every contender runs once, so that a noisy machine is noisy for all;
the peak is a loop of multiply-adds on registers, measured in the same rounds.
"""

import os

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"

import argparse
import time

import numpy as np
from numba import types

from dseq.kernels.base import JIT, kernel, primitive
from dseq.kernels.dense import dense_backward_input, dense_backward_kernel, dense_forward
from dseq.kernels.vector import BYTES, ISA, Emitter, word

SHAPES = (
    (128, 784, 512),
    (1024, 1024, 1024),
    (2048, 2048, 2048),
    (32, 784, 128),
    (64, 784, 512),
    (64, 512, 512),
    (64, 512, 10),
    (32, 128, 10),
)
CHAINS = 12


@primitive(twin=None)
def _multiply_adds(typingctx, like, address, count):
    """`count` times one multiply-add on each of CHAINS registers, which begin and end at the address."""

    def codegen(context, builder, signature, arguments):
        emitter = Emitter(builder.module, signature.args[0])
        _, address, count = arguments
        places = [builder.add(address, word(i * BYTES)) for i in range(CHAINS)]
        first = [emitter.load(builder, place) for place in places]
        entry, loop, end = builder.block, builder.append_basic_block("loop"), builder.append_basic_block("end")
        builder.branch(loop)
        builder.position_at_end(loop)
        k, sums = builder.phi(word(0).type), [builder.phi(emitter.vector) for _ in range(CHAINS)]
        new = [emitter.multiply_add(builder, first[0], first[1], total) for total in sums]
        following = builder.add(k, word(1))
        for phi, start, value in zip([k, *sums], [word(0), *first], [following, *new], strict=True):
            phi.add_incoming(start, entry)
            phi.add_incoming(value, loop)
        builder.cbranch(builder.icmp_signed("<", following, count), loop, end)
        builder.position_at_end(end)
        for value, place in zip(new, places, strict=True):
            emitter.store(builder, value, place)
        return context.get_dummy_value()

    return types.void(like, types.int64, types.int64), codegen


@kernel
def _peak(x, count):
    # x (CHAINS * lanes of a vector,)
    _multiply_adds(x.dtype.type(0), x.ctypes.data, count)


def _seconds(run, least):
    """The mean time of one call over at least `least` seconds, less what other processes took."""
    begin, calls = time.thread_time(), 0
    while True:
        run()
        calls += 1
        elapsed = time.thread_time() - begin
        if elapsed >= least:
            return elapsed / calls


def measure(contenders, rounds, least=0.01):
    """Seconds of each contender, (rounds, contenders), after one call of each to compile and warm up."""
    for run in contenders:
        run()
    return np.array([[_seconds(run, least) for run in contenders] for _ in range(rounds)])


def aligned(shape, dtype):
    """Zeros that start at a cache line, as every block of dseq's arenas does."""
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    raw = np.zeros(size + 64, np.uint8)
    first = -raw.ctypes.data % 64
    return raw[first : first + size].view(dtype).reshape(shape)


def compare(n, k, m, dtype, rounds):
    """Rows (form, GFLOP/s, fraction of peak, times NumPy, peak)."""
    random = np.random.default_rng(0)
    b, x, w, dy, y, dx, dw, scratch_dx, scratch_dw = (
        aligned(shape, dtype) for shape in ((m,), (n, k), (k, m), (n, m), (n, m), (n, k), (k, m), (n, k), (k, m))
    )
    for array in (x, w, dy):
        array[:] = random.standard_normal(array.shape)
    count = 100_000
    registers = np.full(CHAINS * BYTES // x.itemsize, 1e-3, dtype)
    peak_flops = 2 * registers.size * count

    def numpy_forward():
        np.matmul(x, w, out=y)
        np.add(y, b, out=y)

    def numpy_input():
        np.matmul(dy, w.T, out=scratch_dx)
        np.add(dx, scratch_dx, out=dx)

    def numpy_kernel():
        np.matmul(x.T, dy, out=scratch_dw)
        np.add(dw, scratch_dw, out=dw)

    forms = {
        "forward": (lambda: dense_forward(y, x, w, b, 0), numpy_forward),
        "dW": (lambda: dense_backward_kernel(dw, x, dy), numpy_kernel),
        "dX": (lambda: dense_backward_input(dx, dy, w), numpy_input),
    }
    for form, (ours, theirs) in forms.items():
        seconds = measure((lambda: _peak(registers, count), ours, theirs), rounds)
        peak = peak_flops / seconds[:, 0]
        speed = 2 * n * k * m / seconds[:, 1]
        ratio = seconds[:, 2] / seconds[:, 1]
        yield form, np.median(speed) / 1e9, np.median(speed / peak), np.median(ratio), np.median(peak) / 1e9


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dtype", choices=("float32", "float64"), default="float32")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--shapes", nargs="*", default=["x".join(map(str, shape)) for shape in SHAPES])
    options = parser.parse_args()
    if not JIT:
        raise SystemExit("This benchmark measures compiled kernels. Received: NUMBA_DISABLE_JIT=1. Unset it.")
    print(f"{options.dtype}, tile of {ISA}, medians of {options.rounds} rounds")
    print(f"{'n x k x m':<16}{'form':<9}{'GFLOP/s':>9}{'of peak':>9}{'x NumPy':>9}{'peak':>8}")
    for shape in options.shapes:
        for form, speed, fraction, ratio, peak in compare(*map(int, shape.split("x")), options.dtype, options.rounds):
            print(f"{shape:<16}{form:<9}{speed:>9.1f}{fraction:>9.0%}{ratio:>9.2f}{peak:>8.0f}", flush=True)


if __name__ == "__main__":
    main()
