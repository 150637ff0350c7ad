"""Losses and metrics of small models, trained and evaluated on all ranks; rank 0 prints them as JSON."""

import json
import sys

import numpy as np

import dseq
from dseq import layers, losses, metrics
from dseq.parallel import communicator

dseq.utils.set_random_seed(5)
N = 1003  # a prime: shards and last batches are ragged
rng = np.random.default_rng(0)
x = rng.standard_normal((N, 6)).astype("float32")
classes = (x @ rng.standard_normal((6, 7))).argmax(-1)
one_hot = np.eye(7, dtype="float32")[classes]
numbers = 1e4 + x[:, :2] * [1.0, 2.0] + 0.1 * rng.standard_normal((N, 2))
weights = rng.uniform(0.5, 2, N)
steps = rng.standard_normal((N, 5, 3)).astype("float32")
steps[np.arange(5) >= rng.integers(0, 6, N)[:, None]] = 0  # masked from somewhere on, sometimes all of it


class Spread(metrics.Metric):
    """Standard deviation of the predictions, from sums that NumPy makes."""

    def __init__(self, name="spread", dtype=None):
        super().__init__(dtype, name)
        self.sums = self.add_weight((3,), dtype="float64", name="sums")

    def update_state(self, y_true, y_pred, sample_weight=None):
        y_pred = y_pred.astype("float64")
        self.sums.assign_add([y_pred.size, y_pred.sum(), (y_pred**2).sum()])

    def result(self):
        count, total, squares = self.sums.numpy()
        return np.sqrt(squares / count - (total / count) ** 2)


class Largest(metrics.Metric):
    """The largest prediction: no sum."""

    def __init__(self, name="largest", dtype=None):
        super().__init__(dtype, name)
        self.most = self.add_weight(name="most")

    def update_state(self, y_true, y_pred, sample_weight=None):
        self.most.assign(max(float(self.most), float(y_pred.max())))

    def result(self):
        return {"largest": self.most, "twice_largest": 2 * self.most}

    def merge_state(self, states):
        self.most.assign(max(state[0] for state in states))


def furthest(y_true, y_pred):
    """A metric that is a function of NumPy arrays."""
    return np.abs(y_true - y_pred).max(-1)


def squared(y_true, y_pred):
    return ((y_pred - y_true) ** 2).mean(-1)


def squared_gradient(y_true, y_pred):
    return 2 * (y_pred - y_true) / y_pred.shape[-1]


def model(*parts, data=x):
    return dseq.Sequential([layers.Input(data.shape[1:]), *parts])


# 1003 is 3 * 334 + 1: when the last batch is evaluated, all ranks but one have no rows.
def run(name, network, data, labels, loss, watched, batch_size=64, weight=None, weighted=None):
    network.compile(dseq.optimizers.SGD(0.05), loss, metrics=watched, weighted_metrics=weighted)
    before = network.evaluate(data, labels, sample_weight=weight, batch_size=334, verbose=0, return_dict=True)
    history = network.fit(data, labels, sample_weight=weight, epochs=2, batch_size=batch_size, verbose=0).history
    found[name] = {"before": as_lists(before), "history": as_lists(history)}


def as_lists(logs):
    return {key: np.asarray(value, np.float64).tolist() for key, value in logs.items()}


found = {}
watched = [
    "accuracy",
    metrics.TopKCategoricalAccuracy(5, name="top_5"),
    metrics.AUC(name="auc"),
    metrics.AUC(curve="PR", multi_label=True, num_thresholds=500, name="areas"),  # too large for the gradients' tail
    metrics.F1Score(name="f1"),
    metrics.F1Score(average="macro", name="f1_macro"),
    metrics.Precision(thresholds=[0.1, 0.2], name="precision"),
    metrics.OneHotMeanIoU(7, name="iou"),
    metrics.SensitivityAtSpecificity(0.5, name="sensitivity"),
    Spread(),
    Largest(),
    furthest,
]
softmax = layers.Dense(8, "tanh"), layers.Dense(7, "softmax")
weighted = [metrics.Recall(name="recall"), metrics.CategoricalAccuracy(name="weighted_accuracy")]
run("classes", model(*softmax), x, one_hot, "categorical_crossentropy", watched, weight=weights, weighted=weighted)
regression = [metrics.R2Score(name="r2"), metrics.R2Score(None, name="r2_of_each"), metrics.LogCoshError(), "mae"]
loss = losses.CustomLoss(squared, squared_gradient, name="mine")
offset = layers.Rescaling(1.0, 1e4)
run("numbers", model(layers.Dense(2), offset), x, numbers, loss, regression, weight=weights)
sigmoid = layers.Dense(8, "tanh"), layers.Dense(7, "sigmoid")
run("dice", model(*sigmoid), x, one_hot, losses.Dice(), [metrics.BinaryIoU(name="iou")])
run("dice weighted", model(*sigmoid), x, one_hot, losses.Tversky(0.3, 0.7, reduction="sum"), [], weight=weights)
run("dice of classes", model(*sigmoid), x, one_hot, losses.Dice(axis=0), [])
run("circle", model(layers.Dense(4, "tanh")), x, classes, losses.Circle(gamma=4.0), [], weight=weights)
masked = layers.Masking(), layers.Dense(4, "tanh"), layers.Dense(3)
for reduction in ("sum_over_batch_size", "mean_with_sample_weight"):
    loss = losses.MeanSquaredError(reduction=reduction)
    run(f"masked {reduction}", model(*masked, data=steps), steps, np.roll(steps, 1, -1), loss, ["mae"], weight=weights)

if communicator.get().rank == 0:
    with open(sys.argv[1], "w") as file:
        json.dump(found, file)
