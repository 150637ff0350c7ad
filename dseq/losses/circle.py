"""Circle loss: embeddings of one class are drawn together, those of others pushed apart."""

import numpy as np

from dseq.losses.loss import Loss
from dseq.losses.shapes import class_numbers
from dseq.program.host import Host
from dseq.program.operand import flat, matrix


class Circle(Loss):
    """Compares each embedding with all others of the global batch, those on other ranks among them.

    Labels are class numbers. Predictions are embeddings `(samples, features)` of length 1, as `UnitNormalization`
    makes them. The mean is one over the values above 0, as in Keras.

    Args:
        gamma: How much difficult pairs count, a positive number.
        margin: How far apart is enough.
        remove_diagonal: Whether an embedding is not compared with itself.
        reduction: What becomes of the values, see `Loss`.
        name: Name of the loss.
        dtype: Float type for arrays.
    """

    def __init__(
        self,
        gamma=80.0,
        margin=0.4,
        remove_diagonal=True,
        reduction="sum_over_batch_size",
        name="circle",
        dtype=None,
    ):
        super().__init__(name, reduction, dtype)
        self.gamma = gamma
        self.margin = margin
        self.remove_diagonal = remove_diagonal

    def target(self, y_true_shape, y_pred_shape):
        if len(y_pred_shape) != 1:
            raise ValueError(
                f"Predictions for {self.name} must be embeddings of shape (batch_size, embedding_dim). Received: "
                f"y_pred.shape={(None, *y_pred_shape)}"
            )
        return class_numbers(self.name, y_true_shape, y_pred_shape), "int32"

    def normalises(self, y_pred):
        return True  # values of 0 do not count in the mean

    def lower_own_mask(self, plan, y_true, values):
        return values

    def lower_values(self, plan, y_true, y_pred):
        values = flat(plan.value(f"{self.name}_values", (1,), plan.dtype))
        args = values, flat(y_true), matrix(y_pred), plan.per_row_scale(), plan.clock
        plan.forward(_Forward(self), *args)
        return values, None

    def lower_gradient(self, plan, y_true, y_pred, saved, weight, scale):
        args = matrix(y_pred.grad), flat(y_true), matrix(y_pred), weight, scale, plan.per_row_scale(), plan.clock
        plan.backward(_Backward(self), *args)

    def call(self, y_true, y_pred):
        y_true, y_pred = np.asarray(y_true), np.asarray(y_pred, self.dtype)
        shape, _ = self.target(y_true.shape[1:], y_pred.shape[1:])
        labels = y_true.reshape(len(y_true), *shape).astype(np.int32)
        return Pairs(self, labels, y_pred).values().astype(self.dtype)

    def _counted_values(self, y_true, values):
        return values > 0

    def get_config(self):
        return {
            **super().get_config(),
            "gamma": self.gamma,
            "margin": self.margin,
            "remove_diagonal": self.remove_diagonal,
        }


class Pairs:
    """The comparison of embeddings with references, in float64.

    Args:
        loss: The loss, for its numbers.
        labels: Class numbers `(n,)`.
        embeddings: `(n, features)`.
        ref_labels: Class numbers of the references, the labels if None.
        ref_embeddings: The references, the embeddings if None.
        first: Which reference the first embedding is, that it may be left out.
    """

    def __init__(self, loss, labels, embeddings, ref_labels=None, ref_embeddings=None, first=0):
        self.loss = loss
        self.embeddings = np.asarray(embeddings, np.float64)
        self.references = self.embeddings if ref_embeddings is None else np.asarray(ref_embeddings, np.float64)
        ref_labels = labels if ref_labels is None else ref_labels
        self.distance = np.maximum(1 - self.embeddings @ self.references.T, 0.0)
        self.same = np.asarray(labels)[:, None] == np.asarray(ref_labels)[None, :]
        self.other = ~self.same
        if loss.remove_diagonal:
            rows = np.arange(len(labels))
            inside = rows + first < self.same.shape[1]
            self.same[rows[inside], rows[inside] + first] = False

    def values(self) -> np.ndarray:
        """The loss of each embedding."""
        scores = self._scores()
        return np.logaddexp(0.0, _log_sum(scores, self.same) + _log_sum(scores, self.other))

    def _scores(self):
        margin, gamma, distance = self.loss.margin, self.loss.gamma, self.distance
        near = -gamma * (margin + distance) * (margin - distance)
        far = gamma * np.maximum(1 + margin - distance, 0.0) * (1 - margin - distance)
        return np.where(self.same, near, far)

    def gradients(self, factors):
        """The derivatives of `sum(factors * values)`.

        Args:
            factors: A number for each embedding.

        Returns:
            `(by embeddings, by references)`
        """
        margin, gamma, distance = self.loss.margin, self.loss.gamma, self.distance
        scores = self._scores()
        total = _log_sum(scores, self.same) + _log_sum(scores, self.other)
        slope = factors * np.exp(-np.logaddexp(0.0, -total))
        by_near = 2 * gamma * distance
        width = 1 + margin - distance
        by_far = np.where(width > 0, -gamma * (width + 1 - margin - distance), 0.0)
        by_distance = _shares(scores, self.same) * by_near + _shares(scores, self.other) * by_far
        by_product = -slope[:, None] * by_distance * (distance > 0)
        return by_product @ self.references, by_product.T @ self.embeddings


def _log_sum(scores, chosen):
    """log(sum(exp)) of the chosen scores of each row; minus infinity for none."""
    scores = np.where(chosen, scores, -np.inf)
    largest = scores.max(1, initial=-np.inf)
    safe = np.where(np.isfinite(largest), largest, 0.0)
    with np.errstate(divide="ignore"):
        return np.log(np.exp(scores - safe[:, None]).sum(1)) + safe


def _shares(scores, chosen):
    """The softmax over the chosen scores of each row; 0 for none."""
    scores = np.where(chosen, scores, -np.inf)
    total = _log_sum(scores, chosen)
    safe = np.where(np.isfinite(total), total, 0.0)
    return np.exp(scores - safe[:, None])


class _Gathering(Host):
    """A host call that sees the embeddings of all ranks."""

    def __init__(self, loss):
        super().__init__(type(self).__call__)
        self.__name__ = f"python circle{type(self).__name__.lower()}"
        self.loss = loss

    def __call__(self):
        """Is not called: `run` is."""

    def pairs(self, exchange, given):
        """Each shard's embeddings beside those of the global batch, each in its place.

        Args:
            exchange: As for `Exchange`.
            given: Labels, embeddings, 1 / (rows of the global batch) and clock of each shard that this rank holds.
        """
        labels = [labels.reshape(-1) for labels, *_ in given]
        if exchange is None:
            ((_, embeddings, *_),) = given
            return [Pairs(self.loss, labels[0], embeddings)]
        tables = []
        for own, (_, embeddings, per_row, clock) in zip(labels, given, strict=True):
            table = np.zeros((round(1 / per_row[0]), embeddings.shape[1] + 1))
            rows = slice(int(clock[2]), int(clock[2]) + len(own))
            table[rows, 0], table[rows, 1:] = own, embeddings
            tables.append(table)
        exchange(tables)
        return [
            Pairs(self.loss, own, embeddings, table[:, 0], table[:, 1:], int(clock[2]))
            for own, table, (_, embeddings, _, clock) in zip(labels, tables, given, strict=True)
        ]


class _Forward(_Gathering):
    def run(self, exchange, calls):
        for (values, *_), pairs in zip(calls, self.pairs(exchange, [call[1:] for call in calls]), strict=True):
            values[...] = pairs.values()


class _Backward(_Gathering):
    def run(self, exchange, calls):
        pairs = self.pairs(exchange, [(call[1], call[2], *call[-2:]) for call in calls])
        found = []
        for each, (_, labels, _, weight, scale, *_) in zip(pairs, calls, strict=True):
            factors = scale[0] * (np.ones(len(labels)) if weight is None else weight.astype(np.float64))
            found.append(each.gradients(factors))
        if exchange is not None:
            exchange([others for _, others in found])
        for (own, others), (gradient, labels, *_, clock) in zip(found, calls, strict=True):
            first = 0 if exchange is None else int(clock[2])
            gradient += own + others[first : first + len(labels)]


def circle(y_true, y_pred, ref_labels=None, ref_embeddings=None, remove_diagonal=True, gamma=80, margin=0.4):
    """Circle loss of embeddings: one value for each.

    Args:
        y_true: Class numbers.
        y_pred: Embeddings `(samples, features)` of length 1.
        ref_labels: Class numbers of the references, `y_true` if None.
        ref_embeddings: What embeddings are compared with, `y_pred` if None.
        remove_diagonal: Whether reference i is not compared with embedding i.
        gamma: How much difficult pairs count.
        margin: How far apart is enough.
    """
    loss = Circle(gamma, margin, remove_diagonal)
    y_pred = np.asarray(y_pred, loss.dtype)
    labels = np.asarray(y_true).reshape(-1)
    ref_labels = None if ref_labels is None else np.asarray(ref_labels).reshape(-1)
    return Pairs(loss, labels, y_pred, ref_labels, ref_embeddings).values().astype(loss.dtype)
