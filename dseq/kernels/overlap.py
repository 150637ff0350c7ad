"""How much labels and predictions overlap: Dice's and Tversky's coefficients.

With I the sum of t p, T that of t and P that of p, the value of a group of elements is
1 - a I / (b I + c T + d P + epsilon); form (5,) holds a, b, c, d and epsilon. A group is a row, or the rows
k, k + groups, k + 2 groups, ... of the global batch.
"""

from dseq.kernels.base import inlined, kernel
from dseq.kernels.loss import factor


@inlined
def _row_sums(y_true, y_pred, i):
    both, labels, predictions = 0.0, 0.0, 0.0
    for j in range(y_pred.shape[1]):
        both += float(y_true[i, j]) * float(y_pred[i, j])
        labels += float(y_true[i, j])
        predictions += float(y_pred[i, j])
    return both, labels, predictions


@inlined
def _below(form, both, labels, predictions):
    return form[1] * both + form[2] * labels + form[3] * predictions + form[4]


@kernel
def overlap_forward(values, y_true, y_pred, form):
    # values (n,), y_true, y_pred (n, m)
    for i in range(y_pred.shape[0]):
        both, labels, predictions = _row_sums(y_true, y_pred, i)
        values[i] = 1.0 - form[0] * both / _below(form, both, labels, predictions)


@kernel
def overlap_backward(dp, y_true, y_pred, weight, scale, form):
    # dp, y_true, y_pred (n, m), weight (n,) or None
    kind = y_pred.dtype.type
    for i in range(y_pred.shape[0]):
        both, labels, predictions = _row_sums(y_true, y_pred, i)
        below = _below(form, both, labels, predictions)
        c = factor(scale, weight, i) * form[0] / (below * below)
        by_label, by_all = kind(c * (below - form[1] * both)), kind(c * form[3] * both)
        for j in range(y_pred.shape[1]):
            dp[i, j] -= by_label * y_true[i, j] - by_all


# Over the batch. sums (groups + 1, 3) float64: I, T, P of each group, and at last the sum of weights.


@kernel
def batch_overlap_sums(sums, own, y_true, y_pred, weight, each):
    # own (1,): this rank's weights; y_true, y_pred (n groups, m), weight (n,) or None: then each sample's is each (1,)
    groups = sums.shape[0] - 1
    for k in range(groups + 1):
        for j in range(3):
            sums[k, j] = 0.0
    for i in range(y_pred.shape[0]):
        k = i % groups
        both, labels, predictions = _row_sums(y_true, y_pred, i)
        sums[k, 0] += both
        sums[k, 1] += labels
        sums[k, 2] += predictions
        if k == 0:
            sums[groups, 0] += each[0] if weight is None else float(weight[i // groups])
    own[0] = sums[groups, 0]


@inlined
def _batch_value(sums, form):
    value = 0.0
    for k in range(sums.shape[0] - 1):
        value += 1.0 - form[0] * sums[k, 0] / _below(form, sums[k, 0], sums[k, 1], sums[k, 2])
    return value


@kernel
def batch_overlap_values(values, sums, form, part):
    # values (n,): each sample's is that of the batch; part (1,): what the sum over groups is multiplied by
    value = _batch_value(sums, form) * part[0]
    for i in range(values.size):
        values[i] = value


@kernel
def batch_overlap_total(total, sums, own, form, part):
    # total (1,)
    total[0] += _batch_value(sums, form) * part[0] * own[0]


@kernel
def batch_overlap_backward(dp, y_true, y_pred, sums, scale, form, part):
    # dp, y_true, y_pred (n groups, m)
    kind = y_pred.dtype.type
    groups = sums.shape[0] - 1
    for i in range(y_pred.shape[0]):
        k = i % groups
        both = sums[k, 0]
        below = _below(form, both, sums[k, 1], sums[k, 2])
        c = scale[0] * part[0] * sums[groups, 0] * form[0] / (below * below)
        by_label, by_all = kind(c * (below - form[1] * both)), kind(c * form[3] * both)
        for j in range(y_pred.shape[1]):
            dp[i, j] -= by_label * y_true[i, j] - by_all
