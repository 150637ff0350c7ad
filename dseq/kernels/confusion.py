"""Counts of what was predicted against what was labelled, at thresholds and by class; in float64, so that none is lost.

Kernels named `add_...` add to `sums`, a metric's state; the others write. Shapes: y_true, y_pred (n, m), weight (n, 1),
(n, m) or None, counts (2, T + 1, L): positives and negatives whose prediction is above each threshold, and all of them;
L is m where each column is a question of its own, and else 1.
"""

import math

from dseq.kernels.base import inlined, kernel


@inlined
def _weight(weight, column_weight, i, j):
    w = 1.0
    if weight is not None:
        w = float(weight[i, j if weight.shape[1] > 1 else 0])
    if column_weight is not None:
        w *= float(column_weight[j])
    return w


@inlined
def _clear(counts):
    for a in range(counts.shape[0]):
        for b in range(counts.shape[1]):
            for c in range(counts.shape[2]):
                counts[a, b, c] = 0.0


@kernel
def counts_of_even(counts, y_true, y_pred, weight, column_weight, first):
    # The thresholds are k / (T - 1): each prediction is looked at once. first: 1 if 0 is above the first threshold.
    _clear(counts)
    zero, one = y_pred.dtype.type(0), y_pred.dtype.type(1)
    last, columns = counts.shape[1] - 1, counts.shape[2]
    parts = y_pred.dtype.type(last - 1)
    for i in range(y_pred.shape[0]):
        for j in range(y_pred.shape[1]):
            p = y_pred[i, j]
            w = _weight(weight, column_weight, i, j)
            kind, place = 0 if y_true[i, j] != zero else 1, j if columns > 1 else 0
            counts[kind, last, place] += w
            if p == p:  # NaN is above no threshold
                inside = zero if p < zero else one if p > one else p
                bucket = int(math.ceil(inside * parts)) - 1
                bucket = 0 if first == 1 and bucket < 0 else bucket
                if bucket >= 0:
                    counts[kind, bucket, place] += w
    for kind in range(2):
        for k in range(last - 2, -1, -1):
            for place in range(columns):
                counts[kind, k, place] += counts[kind, k + 1, place]


@kernel
def counts_above(counts, y_true, y_pred, weight, column_weight, thresholds):
    # thresholds (T,)
    _clear(counts)
    zero = y_pred.dtype.type(0)
    last, columns = counts.shape[1] - 1, counts.shape[2]
    for i in range(y_pred.shape[0]):
        for j in range(y_pred.shape[1]):
            w = _weight(weight, column_weight, i, j)
            kind, place = 0 if y_true[i, j] != zero else 1, j if columns > 1 else 0
            counts[kind, last, place] += w
            for k in range(last):
                if y_pred[i, j] > thresholds[k]:
                    counts[kind, k, place] += w


@kernel
def add_confusion(sums, counts, wanted):
    # sums (parts T L,): those of true positives, false positives, true and false negatives whose bit is set in `wanted`
    last, columns = counts.shape[1] - 1, counts.shape[2]
    place = 0
    for part in range(4):
        if (wanted >> part) & 1 == 1:
            kind = 0 if part == 0 or part == 3 else 1
            for k in range(last):
                for c in range(columns):
                    above = counts[kind, k, c]
                    sums[place] += above if part < 2 else counts[kind, last, c] - above
                    place += 1


@kernel
def keep_top(y, x, k, low):
    # y, x (n, m): the k largest of each row, the first of equals; low (1,) for the others
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            before = 0
            for other in range(x.shape[1]):
                if x[i, other] > x[i, j] or (x[i, other] == x[i, j] and other < j):
                    before += 1
            y[i, j] = x[i, j] if before < k else low[0]


@kernel
def take_column(y, x, column):
    # y (n, 1), x (n, m)
    for i in range(x.shape[0]):
        y[i, 0] = x[i, column]


# F scores.


@kernel
def score_counts(counts, y_true, y_pred, weight, threshold):
    # counts (4, m), or (4, 1) over all classes: true and false positives, false negatives, labels; weight (n, 1) or
    # None; threshold (1,), or None: then the largest of a row is predicted
    for a in range(4):
        for c in range(counts.shape[1]):
            counts[a, c] = 0.0
    for i in range(y_pred.shape[0]):
        most = y_pred[i, 0]
        for j in range(1, y_pred.shape[1]):
            most = y_pred[i, j] if y_pred[i, j] > most else most
        w = 1.0 if weight is None else float(weight[i, 0])
        for j in range(y_pred.shape[1]):
            p, t = y_pred[i, j], float(y_true[i, j])
            chosen = (p >= most and abs(p) > 1e-9) if threshold is None else p > threshold[0]
            c = j if counts.shape[1] > 1 else 0
            counts[3, c] += w * t
            if chosen:
                counts[0, c] += w * t
                counts[1, c] += w * (1.0 - t)
            else:
                counts[2, c] += w * t


# Classes against classes.


@kernel
def largest_of_rows(y, x):
    # y (n,), x (n, m): the column of the largest, the first of equals
    kind = y.dtype.type
    for i in range(x.shape[0]):
        place = 0
        for j in range(1, x.shape[1]):
            if x[i, j] > x[i, place]:
                place = j
        y[i] = kind(place)


@kernel
def at_least(y, x, threshold):
    # y, x (n,)
    zero, one = y.dtype.type(0), y.dtype.type(1)
    for i in range(x.size):
        y[i] = one if x[i] >= threshold[0] else zero


@inlined
def _class(x, classes):
    """A number as a class, without its fraction; -1 if it is none."""
    return int(x) if x > -1 and x < classes else -1


@kernel
def matrix_counts(counts, y_true, y_pred, weight, ignore, whole):
    # counts (C, C) by label and prediction; y_true, y_pred (n,); weight (n, 1) or None; whole: 1 to cut weights to ints
    classes = counts.shape[0]
    for a in range(classes):
        for b in range(classes):
            counts[a, b] = 0.0
    for i in range(y_pred.size):
        t, p = _class(y_true[i], classes), _class(y_pred[i], classes)
        counted = t >= 0 and p >= 0
        if ignore is not None:
            counted = counted and t != ignore
        if counted:
            w = 1.0 if weight is None else float(weight[i, 0])
            counts[t, p] += float(int(w)) if whole == 1 else w


@kernel
def add_counts(sums, counts):
    # sums, counts of the same size, flat
    for i in range(counts.size):
        sums[i] += counts[i]
