"""The loops under elementwise kernels: over one array, over two that broadcast, and the sums their gradients need.

A kernel hands its loop a scalar function, which is compiled into it. Arrays are flat. How two arrays broadcast is said
by seven numbers: the result is made of runs of `length` elements (0: it is one run); an array has `step` 1 if it moves
with the elements of a run and 0 if it stays, and its run (or element) for run k is number `(k // every) % count`,
without the remainder for a count of 0.
"""

from dseq.kernels.base import inlined


@inlined
def each(f, y, x):
    """y = f(x)"""
    for i in range(y.size):
        y[i] = f(x[i])


@inlined
def each_backward(f, dx, dy, x, y):
    """dx += f(dy, x, y)"""
    for i in range(dx.size):
        dx[i] += f(dy[i], x[i], y[i])


@inlined
def run_of(k, every, count):
    """Which run of an array belongs to run k of the result."""
    k = k // every
    return k % count if count > 0 else k


@inlined
def pairwise(f, y, a, b, length, a_step, a_every, a_count, b_step, b_every, b_count):
    """y = f(a, b)"""
    n = length if length > 0 else max(y.size, 1)
    for k in range(y.size // n):
        run = y[k * n : (k + 1) * n]
        i, j = run_of(k, a_every, a_count), run_of(k, b_every, b_count)
        if a_step == 1 and b_step == 1:
            u, v = a[i * n : (i + 1) * n], b[j * n : (j + 1) * n]
            for t in range(n):
                run[t] = f(u[t], v[t])
        elif a_step == 1:
            u, value = a[i * n : (i + 1) * n], b[j]
            for t in range(n):
                run[t] = f(u[t], value)
        elif b_step == 1:
            v, value = b[j * n : (j + 1) * n], a[i]
            for t in range(n):
                run[t] = f(value, v[t])
        else:
            value = f(a[i], b[j])
            for t in range(n):
                run[t] = value


@inlined
def pairwise_backward(f, da, dy, a, b, length, a_step, a_every, a_count, b_step, b_every, b_count):
    """da += f(dy, a, b), added up where a stays"""
    n = length if length > 0 else max(dy.size, 1)
    for k in range(dy.size // n):
        run = dy[k * n : (k + 1) * n]
        i, j = run_of(k, a_every, a_count), run_of(k, b_every, b_count)
        if a_step == 1:
            to, u = da[i * n : (i + 1) * n], a[i * n : (i + 1) * n]
            if b_step == 1:
                v = b[j * n : (j + 1) * n]
                for t in range(n):
                    to[t] += f(run[t], u[t], v[t])
            else:
                value = b[j]
                for t in range(n):
                    to[t] += f(run[t], u[t], value)
        elif b_step == 1:
            da[i] += da.dtype.type(total_of_pairs(f, run, a[i], b[j * n : (j + 1) * n]))
        else:
            da[i] += da.dtype.type(total_of_run(f, run, a[i], b[j]))


@inlined
def select(y, condition, a, b, length, a_step, a_every, a_count, b_step, b_every, b_count):
    """y = a where the condition holds, else b; the condition is as large as y"""
    n = length if length > 0 else max(y.size, 1)
    for k in range(y.size // n):
        run, c = y[k * n : (k + 1) * n], condition[k * n : (k + 1) * n]
        i, j = run_of(k, a_every, a_count), run_of(k, b_every, b_count)
        if a_step == 1 and b_step == 1:
            u, v = a[i * n : (i + 1) * n], b[j * n : (j + 1) * n]
            for t in range(n):
                run[t] = u[t] if c[t] else v[t]
        elif a_step == 1:
            u, value = a[i * n : (i + 1) * n], b[j]
            for t in range(n):
                run[t] = u[t] if c[t] else value
        elif b_step == 1:
            v, value = b[j * n : (j + 1) * n], a[i]
            for t in range(n):
                run[t] = value if c[t] else v[t]
        else:
            value, other = a[i], b[j]
            for t in range(n):
                run[t] = value if c[t] else other


# Sums in float64 with eight running totals: additions one after the other would each wait for the one before.


@inlined
def total_of_pairs(f, run, value, v):
    """The sum of f(run, value, v) over a run."""
    s0, s1, s2, s3, s4, s5, s6, s7 = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    whole = run.size // 8 * 8
    for t in range(0, whole, 8):
        r, w = run[t : t + 8], v[t : t + 8]
        s0 += f(r[0], value, w[0])
        s1 += f(r[1], value, w[1])
        s2 += f(r[2], value, w[2])
        s3 += f(r[3], value, w[3])
        s4 += f(r[4], value, w[4])
        s5 += f(r[5], value, w[5])
        s6 += f(r[6], value, w[6])
        s7 += f(r[7], value, w[7])
    for t in range(whole, run.size):
        s0 += f(run[t], value, v[t])
    return ((s0 + s4) + (s2 + s6)) + ((s1 + s5) + (s3 + s7))


@inlined
def total_of_run(f, run, value, other):
    """The sum of f(run, value, other) over a run."""
    s0, s1, s2, s3, s4, s5, s6, s7 = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    whole = run.size // 8 * 8
    for t in range(0, whole, 8):
        r = run[t : t + 8]
        s0 += f(r[0], value, other)
        s1 += f(r[1], value, other)
        s2 += f(r[2], value, other)
        s3 += f(r[3], value, other)
        s4 += f(r[4], value, other)
        s5 += f(r[5], value, other)
        s6 += f(r[6], value, other)
        s7 += f(r[7], value, other)
    for t in range(whole, run.size):
        s0 += f(run[t], value, other)
    return ((s0 + s4) + (s2 + s6)) + ((s1 + s5) + (s3 + s7))


@inlined
def total_of(f, x):
    """The sum of f(x) over an array."""
    s0, s1, s2, s3, s4, s5, s6, s7 = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    whole = x.size // 8 * 8
    for t in range(0, whole, 8):
        r = x[t : t + 8]
        s0 += f(r[0])
        s1 += f(r[1])
        s2 += f(r[2])
        s3 += f(r[3])
        s4 += f(r[4])
        s5 += f(r[5])
        s6 += f(r[6])
        s7 += f(r[7])
    for t in range(whole, x.size):
        s0 += f(x[t])
    return ((s0 + s4) + (s2 + s6)) + ((s1 + s5) + (s3 + s7))
