"""Metrics of small data, and what Keras 3.15.1 gives for them."""

import numpy as np

from dseq import metrics

BINARY = [0, 1, 1, 0, 1, 0, 0, 1, 0, 1, 1, 0]
SCORES = [0.12, 0.55, 0.91, 0.48, 0.33, 0.07, 0.62, 0.78, 0.25, 0.41, 0.99, 0.5]
LOGITS = [-2.0, 0.3, 2.2, -0.1, -0.7, -3.0, 0.5, 1.3, -1.2, -0.4, 4.0, 0.1]
WEIGHTS = [1.0, 2.0, 1.5, 1.0, 0.5, 3.0, 2.0, 1.0, 1.0, 2.5, 1.0, 1.0]
INTEGERS = [1, 2, 1, 3, 1, 2, 2, 1, 4, 1, 1, 2]
CLASSES = [0, 2, 1, 1, 0, 2, 2, 1, 0, 0, 1, 2]
ONE_HOT = np.eye(3)[CLASSES]
GUESSES = [0, 2, 1, 0, 0, 1, 2, 1, 2, 0, 1, 2]
PROBABILITIES = 0.1 + 0.5 * np.eye(3)[GUESSES] + np.linspace(0, 0.2, 36).reshape(12, 3)
MULTI = [[1, 0], [0, 1], [1, 1], [0, 0], [1, 0], [1, 1], [0, 1], [0, 0], [1, 0], [0, 1], [1, 1], [0, 0]]
MULTI_SCORES = np.stack([SCORES, SCORES[::-1]], 1)
NUMBERS = np.sin(np.arange(36.0)).reshape(12, 3)
GUESSED = NUMBERS + 0.3 * np.cos(np.arange(36.0)).reshape(12, 3)

CASES = {
    "roc": (lambda: metrics.AUC(), BINARY, SCORES, None),
    "roc weighted": (lambda: metrics.AUC(num_thresholds=11), BINARY, SCORES, WEIGHTS),
    "roc minoring": (lambda: metrics.AUC(num_thresholds=7, summation_method="minoring"), BINARY, SCORES, None),
    "roc majoring": (lambda: metrics.AUC(num_thresholds=7, summation_method="majoring"), BINARY, SCORES, None),
    "pr": (lambda: metrics.AUC(curve="PR"), BINARY, SCORES, None),
    "pr weighted": (lambda: metrics.AUC(curve="PR", num_thresholds=7), BINARY, SCORES, WEIGHTS),
    "pr majoring": (lambda: metrics.AUC(curve="PR", summation_method="majoring"), BINARY, SCORES, WEIGHTS),
    "gain": (lambda: metrics.AUC(curve="PRGAIN"), BINARY, SCORES, None),
    "gain minoring": (lambda: metrics.AUC(curve="PRGAIN", summation_method="minoring"), BINARY, SCORES, WEIGHTS),
    "thresholds": (lambda: metrics.AUC(thresholds=[0.1, 0.33, 0.6]), BINARY, SCORES, WEIGHTS),
    "logits": (lambda: metrics.AUC(from_logits=True, curve="PR"), BINARY, LOGITS, None),
    "labels": (lambda: metrics.AUC(multi_label=True), MULTI, MULTI_SCORES, WEIGHTS),
    "labels weighted": (
        lambda: metrics.AUC(multi_label=True, curve="PR", label_weights=[1.0, 3.0]),
        MULTI,
        MULTI_SCORES,
        None,
    ),
    "elements": (lambda: metrics.AUC(label_weights=[1.0, 3.0]), MULTI, MULTI_SCORES, WEIGHTS),
    "even thresholds": (lambda: metrics.Recall(thresholds=[0.0, 0.25, 0.5, 0.75, 1.0]), BINARY, SCORES, WEIGHTS),
    "top": (lambda: metrics.Precision(top_k=2), ONE_HOT, PROBABILITIES, WEIGHTS),
    "class": (lambda: metrics.Recall(class_id=1, thresholds=0.3), ONE_HOT, PROBABILITIES, None),
    "sensitivity": (lambda: metrics.SensitivityAtSpecificity(0.7), BINARY, SCORES, WEIGHTS),
    "specificity": (lambda: metrics.SpecificityAtSensitivity(0.7), BINARY, SCORES, WEIGHTS),
    "precision": (lambda: metrics.PrecisionAtRecall(0.7, class_id=1), MULTI, MULTI_SCORES, WEIGHTS),
    "recall": (lambda: metrics.RecallAtPrecision(0.7), BINARY, SCORES, None),
    "f1": (lambda: metrics.F1Score(), ONE_HOT, PROBABILITIES, WEIGHTS),
    "f1 micro": (lambda: metrics.F1Score(average="micro"), ONE_HOT, PROBABILITIES, None),
    "f1 macro": (lambda: metrics.F1Score(average="macro", threshold=0.4), MULTI, MULTI_SCORES, WEIGHTS),
    "f2 weighted": (lambda: metrics.FBetaScore("weighted", 2.0, 0.6), MULTI, MULTI_SCORES, WEIGHTS),
    "mean iou": (lambda: metrics.MeanIoU(3), CLASSES, GUESSES, INTEGERS),
    "mean iou ignoring": (lambda: metrics.MeanIoU(3, ignore_class=2, dtype="float32"), CLASSES, GUESSES, WEIGHTS),
    "mean iou of scores": (lambda: metrics.MeanIoU(3, sparse_y_pred=False), CLASSES, PROBABILITIES, None),
    "iou": (lambda: metrics.IoU(3, [0, 2]), CLASSES, GUESSES, None),
    "one-hot iou": (lambda: metrics.OneHotIoU(3, [1]), ONE_HOT, PROBABILITIES, INTEGERS),
    "one-hot mean iou": (lambda: metrics.OneHotMeanIoU(3), ONE_HOT, PROBABILITIES, None),
    "binary iou": (lambda: metrics.BinaryIoU(threshold=0.4), BINARY, SCORES, INTEGERS),
    "r2": (lambda: metrics.R2Score(), NUMBERS, GUESSED, None),
    "r2 weighted": (lambda: metrics.R2Score("variance_weighted_average"), NUMBERS, GUESSED, WEIGHTS),
    "r2 of each": (lambda: metrics.R2Score(None), NUMBERS, GUESSED, WEIGHTS),
    "r2 adjusted": (lambda: metrics.R2Score(num_regressors=4), NUMBERS, GUESSED, None),
    "pearson": (lambda: metrics.PearsonCorrelation(), NUMBERS, GUESSED, None),
    "pearson weighted": (lambda: metrics.PearsonCorrelation(), NUMBERS, GUESSED, WEIGHTS),
    "concordance": (lambda: metrics.ConcordanceCorrelation(), NUMBERS, GUESSED, WEIGHTS),
    "logcosh": (lambda: metrics.LogCoshError(), NUMBERS, GUESSED, WEIGHTS),
    "sorted ids": (
        lambda: metrics.SparseTopKCategoricalAccuracy(k=2, from_sorted_ids=True),
        CLASSES,
        np.argsort(-PROBABILITIES, -1).astype("float32"),
        WEIGHTS,
    ),
}

# NUMBERS
EXPECTED = {
    "roc": 0.805556,
    "roc weighted": 0.823529,
    "roc minoring": 0.777778,
    "roc majoring": 0.888889,
    "pr": 0.837152,
    "pr weighted": 0.850309,
    "pr majoring": 0.820392,
    "gain": 0.541667,
    "gain minoring": 0.397164,
    "thresholds": 0.745098,
    "logits": 0.837152,
    "labels": 0.529356,
    "labels weighted": 0.719448,
    "elements": 0.643247,
    "even thresholds": [1.0, 1.0, 0.647059, 0.411765, 0.0],
    "top": 0.442857,
    "class": 0.75,
    "sensitivity": 0.647059,
    "specificity": 0.555556,
    "precision": 0.944444,
    "recall": 0.666667,
    "f1": [0.8, 0.636364, 0.714286],
    "f1 micro": 0.75,
    "f1 macro": 0.533163,
    "f2 weighted": 0.535119,
    "mean iou": 0.391667,
    "mean iou ignoring": 0.481481,
    "mean iou of scores": 0.6,
    "iou": 0.6,
    "one-hot iou": 0.375,
    "one-hot mean iou": 0.6,
    "binary iou": 0.447619,
    "r2": 0.858937,
    "r2 weighted": 0.900779,
    "r2 of each": [0.90293, 0.678001, 0.967327],
    "r2 adjusted": 0.840735,
    "pearson": 0.98512,
    "pearson weighted": 0.986144,
    "concordance": 0.929923,
    "logcosh": 0.02295,
    "sorted ids": 0.885714,
}
