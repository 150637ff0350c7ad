"""Which loss values count, where only the step knows: masks of layers, and losses with a mask of their own."""

from dseq.kernels.base import kernel


@kernel
def gate(gates, mask, own, repeats):
    # gates (n,) 0 or 1; mask (n / repeats,) or None: bytes; own (n,) or None: 0 does not count
    zero, one = gates.dtype.type(0), gates.dtype.type(1)
    for i in range(gates.size):
        counts = one
        if mask is not None:
            counts = zero if mask[i // repeats] == 0 else counts
        if own is not None:
            counts = counts if own[i] > zero else zero
        gates[i] = counts


@kernel
def gate_total(valid, gates, weight):
    # valid (1,) float64; weight (n,) or None
    total = 0.0
    for i in range(gates.size):
        total += float(gates[i]) if weight is None else float(gates[i]) * float(weight[i])
    valid[0] = total


@kernel
def gate_weights(weights, gates, weight, valid, per_row, values):
    # weights (n,) = gates * weight * (number of values) / valid; valid (1,) over all ranks, or None for no factor
    zero = weights.dtype.type(0)
    lift = 1.0
    if valid is not None:
        lift = 0.0 if valid[0] == 0.0 else float(values) / (per_row[0] * valid[0])
    for i in range(weights.size):
        given = 1.0 if weight is None else float(weight[i])
        weights[i] = zero if gates[i] == zero else weights.dtype.type(given * lift)
