"""Spreads and correlations, taken around the mean so that large numbers close to each other lose no digits.

Shapes: y_true, y_pred (n, m), values (n,), weight (n, 1) or None. All sums are float64.
"""

import math

from dseq.kernels.base import inlined, kernel


@inlined
def _row_moments(y_true, y_pred, i):
    m = y_pred.shape[1]
    mean_t, mean_p = 0.0, 0.0
    for j in range(m):
        mean_t += float(y_true[i, j])
        mean_p += float(y_pred[i, j])
    mean_t, mean_p = mean_t / m, mean_p / m
    spread_t, spread_p, both = 0.0, 0.0, 0.0
    for j in range(m):
        t, p = float(y_true[i, j]) - mean_t, float(y_pred[i, j]) - mean_p
        spread_t += t * t
        spread_p += p * p
        both += t * p
    return mean_t, mean_p, spread_t / m, spread_p / m, both / m


@kernel
def pearson(values, y_true, y_pred):
    for i in range(y_pred.shape[0]):
        _, _, spread_t, spread_p, both = _row_moments(y_true, y_pred, i)
        below = math.sqrt(spread_t) * math.sqrt(spread_p)
        values[i] = both / below if below != 0.0 else math.nan


@kernel
def concordance(values, y_true, y_pred, epsilon):
    # epsilon (1,)
    for i in range(y_pred.shape[0]):
        mean_t, mean_p, spread_t, spread_p, both = _row_moments(y_true, y_pred, i)
        apart = mean_t - mean_p
        values[i] = 2.0 * both / (spread_t + spread_p + apart * apart + float(epsilon[0]))


@kernel
def add_spread(state, fresh, y_true, y_pred, weight):
    # state (5, m): numbers seen, and for each column the sum of weights, the mean of the labels, the sum of their
    # squared distances from it, and the sum of squared errors; fresh (4, m): the last four of these rows alone
    n, m = y_pred.shape
    for a in range(4):
        for j in range(m):
            fresh[a, j] = 0.0
    for i in range(n):
        w = 1.0 if weight is None else float(weight[i, 0])
        for j in range(m):
            error = float(y_true[i, j]) - float(y_pred[i, j])
            fresh[0, j] += w
            fresh[1, j] += w * float(y_true[i, j])
            fresh[3, j] += w * error * error
    for j in range(m):
        fresh[1, j] = fresh[1, j] / fresh[0, j] if fresh[0, j] != 0.0 else 0.0
    for i in range(n):
        w = 1.0 if weight is None else float(weight[i, 0])
        for j in range(m):
            away = float(y_true[i, j]) - fresh[1, j]
            fresh[2, j] += w * away * away
    for j in range(m):
        state[0, j] += float(n * m)
        count = state[1, j] + fresh[0, j]
        if count != 0.0:
            away, share = fresh[1, j] - state[2, j], fresh[0, j] / count
            state[3, j] += fresh[2, j] + away * away * state[1, j] * share
            state[2, j] += away * share
        state[1, j] = count
        state[4, j] += fresh[3, j]
