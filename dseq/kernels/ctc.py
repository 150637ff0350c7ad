"""Connectionist temporal classification: minus the logarithm of the probability of a label sequence.

Class 0 is the blank, and no label. Of each sample the states are those after t time steps: `blank` n (0..L) says n
labels are done and the last step was a blank, `label` n that label n was emitted last. Transitions that repeated labels
forbid get BARRED in place of minus infinity, so that impossible sequences have a large finite loss.
"""

from dseq.kernels.base import inlined, kernel
from dseq.kernels.loss import factor
from dseq.kernels.math import exp, log1p

BARRED = -1e5


@inlined
def _join(a, b):
    """log(exp(a) + exp(b))"""
    high, low = (a, b) if a > b else (b, a)
    return high + log1p(exp(low - high))


@inlined
def _repeats(labels, i, n):
    """Whether label n is followed by the same label."""
    return n + 1 < labels.shape[1] and labels[i, n] == labels[i, n + 1]


@kernel
def ctc_check(fault, labels, classes):
    # labels (n, L)
    for i in range(labels.shape[0]):
        for j in range(labels.shape[1]):
            if labels[i, j] < 0 or labels[i, j] >= classes:
                fault[0] += fault.dtype.type(1)


@kernel
def ctc_states(states, labels, scores):
    # states (n, T + 1, 2 L + 1) float64: blanks, then labels; labels (n, L), scores (n, T, classes) log-probabilities
    count = labels.shape[1]
    for i in range(scores.shape[0]):
        before = states[i, 0]
        for n in range(2 * count + 1):
            before[n] = BARRED
        before[0] = 0.0
        for t in range(scores.shape[1]):
            row, old, new = scores[i, t], states[i, t], states[i, t + 1]
            silent = float(row[0])
            done = old[0]  # the best end before label n: a blank, or the label before if it differs
            new[0] = done + silent
            for n in range(count):
                spoken = old[count + 1 + n]
                label = labels[i, n]
                score = float(row[label]) if label >= 0 and label < scores.shape[2] else 0.0
                new[count + 1 + n] = _join(done, spoken) + score
                again = _repeats(labels, i, n)
                done = _join(old[n + 1], spoken + (BARRED if again else 0.0))
                new[n + 1] = silent + _join(done, spoken + (0.0 if again else BARRED))


@inlined
def _length(labels, i):
    length = 0
    for j in range(labels.shape[1]):
        if labels[i, j] != 0:
            length += 1
    return length


@kernel
def ctc_values(values, labels, states):
    # values (n,)
    count = labels.shape[1]
    for i in range(states.shape[0]):
        last, length = states[i, states.shape[1] - 1], _length(labels, i)
        if length == 0:
            values[i] = -last[0]
        else:
            values[i] = -_join(last[length], last[count + length])


@kernel
def ctc_backward(dx, slopes, room, labels, scores, states, weight, scale):
    # dx (n, T, classes) by the logits, slopes (classes,) and room (2, 2 L + 1) to work in, weight (n,) or None
    count, classes = labels.shape[1], scores.shape[2]
    for i in range(scores.shape[0]):
        c = factor(scale, weight, i)
        last, length = states[i, states.shape[1] - 1], _length(labels, i)
        after, now = room[0], room[1]
        for n in range(2 * count + 1):
            after[n] = 0.0
        after[length] = -1.0
        if length > 0:
            share = exp(last[count + length] - _join(last[length], last[count + length]))
            after[length], after[count + length] = share - 1.0, -share
        for t in range(scores.shape[1] - 1, -1, -1):
            row, old = scores[i, t], states[i, t]
            for n in range(2 * count + 1):
                now[n] = 0.0
            for k in range(classes):
                slopes[k] = 0.0
            done = old[0]
            flow = after[0]  # the derivative by `done`
            slopes[0] += after[0]
            for n in range(count):
                spoken = old[count + 1 + n]
                both = _join(done, spoken)
                by_label = after[count + 1 + n]
                flow += by_label * exp(done - both)
                now[count + 1 + n] += by_label * exp(spoken - both)
                label = labels[i, n]
                if label >= 0 and label < classes:
                    slopes[label] += by_label
                # All of `done` before label n is known: back to what it was joined from.
                if n == 0:
                    now[0] += flow
                else:
                    again = _repeats(labels, i, n - 1)
                    earlier = old[count + n] + (BARRED if again else 0.0)
                    now[n] += flow * exp(old[n] - done)
                    now[count + n] += flow * exp(earlier - done)
                again = _repeats(labels, i, n)
                done = _join(old[n + 1], spoken + (BARRED if again else 0.0))
                direct = spoken + (0.0 if again else BARRED)
                both = _join(done, direct)
                by_blank = after[n + 1]
                slopes[0] += by_blank
                flow = by_blank * exp(done - both)
                now[count + 1 + n] += by_blank * exp(direct - both)
            if count == 0:
                now[0] += flow
            else:
                again = _repeats(labels, i, count - 1)
                earlier = old[2 * count] + (BARRED if again else 0.0)
                now[count] += flow * exp(old[count] - done)
                now[2 * count] += flow * exp(earlier - done)
            total = 0.0
            for k in range(classes):
                total += slopes[k]
            out = dx[i, t]
            for k in range(classes):
                out[k] += dx.dtype.type(c * (slopes[k] - exp(float(row[k])) * total))
            for n in range(2 * count + 1):
                after[n] = now[n]
