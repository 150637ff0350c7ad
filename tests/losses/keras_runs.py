"""Six steps of small models with each loss, and the numbers of Keras 3.15.1 (with torch: masks reach its metrics)."""

import numpy as np

import dseq as keras
from dseq import layers, losses


def det(shape, k, s):
    return (s * np.sin(k + np.arange(int(np.prod(shape))))).reshape(shape).astype("float32")


X, Y = det((8, 5), 1, 1.0), np.arange(8) % 3
ONE_HOT = np.eye(3, dtype="float32")[Y]
WEIGHTS = (1 + np.arange(8) * 0.25).astype("float32")
STEPS = det((8, 4, 5), 2, 1.0)
STEPS[np.arange(4) >= np.array([4, 3, 2, 1, 0, 1, 2, 3])[:, None]] = 0
SEQUENCES = np.array([[1, 2], [2, 2], [1, 0], [0, 0], [2, 1], [1, 1], [2, 0], [1, 2]])


def dense():
    return [layers.Input((5,)), layers.Dense(8, activation="relu"), layers.Dense(3, activation="softmax")]


def masked():
    return [layers.Input((4, 5)), layers.Masking(), layers.Dense(8, activation="relu"), layers.Dense(3)]


def sequence():
    return [layers.Input((4, 5)), layers.Dense(3)]


LOSSES = {
    "logcosh": (dense, X, ONE_HOT, lambda: "log_cosh"),
    "kld": (dense, X, ONE_HOT, lambda: "kld"),
    "poisson": (dense, X, ONE_HOT, lambda: "poisson"),
    "hinge": (dense, X, ONE_HOT, lambda: "hinge"),
    "sqhinge": (dense, X, ONE_HOT, lambda: "squared_hinge"),
    "cathinge": (dense, X, ONE_HOT, lambda: "categorical_hinge"),
    "msle": (dense, X, ONE_HOT, lambda: "msle"),
    "mape": (dense, X, ONE_HOT, lambda: "mape"),
    "focal_b": (dense, X, ONE_HOT, lambda: losses.BinaryFocalCrossentropy()),
    "focal_b_balanced": (
        dense,
        X,
        ONE_HOT,
        lambda: losses.BinaryFocalCrossentropy(apply_class_balancing=True, gamma=1.5, label_smoothing=0.1),
    ),
    "focal_c": (dense, X, ONE_HOT, lambda: "categorical_focal_crossentropy"),
    "generalized": (dense, X, Y, lambda: losses.CategoricalGeneralizedCrossEntropy(q=0.7)),
    "dice": (dense, X, ONE_HOT, lambda: "dice"),
    "dice_sum": (dense, X, ONE_HOT, lambda: losses.Dice(reduction="sum")),
    "dice_rows": (dense, X, ONE_HOT, lambda: losses.Dice(axis=-1)),
    "dice_classes": (dense, X, ONE_HOT, lambda: losses.Dice(axis=0)),
    "tversky": (dense, X, ONE_HOT, lambda: losses.Tversky(alpha=0.3, beta=0.9)),
    "circle": (dense, X, Y, lambda: losses.Circle(gamma=4.0)),
    "circle_sum": (dense, X, Y, lambda: losses.Circle(gamma=4.0, reduction="sum")),
    "ctc": (sequence, STEPS, SEQUENCES, lambda: "ctc"),
    "masked": (masked, STEPS, STEPS[..., :3], lambda: "mse"),
    "masked_sum": (masked, STEPS, STEPS[..., :3], lambda: losses.MeanSquaredError(reduction="sum")),
    "masked_mean": (
        masked,
        STEPS,
        STEPS[..., :3],
        lambda: losses.MeanAbsoluteError(reduction="mean_with_sample_weight"),
    ),
}
UNWEIGHTED = ("dice_classes",)  # Keras cannot weigh samples of the one either


def run(case, weighted):
    """The losses of six steps, and the sum of the weights after them."""
    parts, x, y, loss = LOSSES[case]
    model = keras.Sequential(parts())
    model.set_weights([det(w.shape, j + 1, 0.3) for j, w in enumerate(model.weights)])
    model.compile(
        keras.optimizers.SGD(0.01 if "sum" in case else 0.1),
        loss(),
        weighted_metrics=["mae"] if "masked" in case else None,
    )
    if not weighted:
        weight = None
    else:
        weight = WEIGHTS if "masked" not in case else WEIGHTS[:, None] * np.ones((1, 4), "float32")
    logs = [model.train_on_batch(x, y, sample_weight=weight, return_dict=True) for _ in range(6)]
    metric = [float(logs[-1]["mae"])] if "mae" in logs[-1] else []
    return [float(log["loss"]) for log in logs] + metric, float(sum(np.sum(w, dtype="f8") for w in model.get_weights()))


# The losses of six steps (and the masked mean absolute error of the last), and the sum of all weights after them.
EXPECTED = {
    ("logcosh", False): ([0.107426, 0.1073662, 0.1073065, 0.1072469, 0.1071878, 0.1071291], -0.008557),
    ("kld", False): ([1.117396, 1.111839, 1.106628, 1.10174, 1.097136, 1.092791], -0.008158),
    ("poisson", False): ([0.7057995, 0.7051753, 0.7045625, 0.7039634, 0.7033772, 0.7028036], -0.008093),
    ("hinge", False): ([1.114459, 1.114243, 1.114026, 1.11381, 1.113595, 1.11338], -0.006790),
    ("sqhinge", False): ([1.340952, 1.339937, 1.338936, 1.337956, 1.336995, 1.336052], -0.005955),
    ("cathinge", False): ([1.032241, 1.025489, 1.020178, 1.014947, 1.009995, 1.005411], -0.022499),
    ("msle", False): ([0.1121891, 0.1121093, 0.1120294, 0.1119503, 0.111872, 0.1117944], -0.008564),
    ("mape", False): ([223896000.0, 208333400.0, 208333400.0, 208333400.0, 208333400.0, 208333400.0], 144172.388123),
    ("focal_b", False): ([0.2011804, 0.2001264, 0.1991298, 0.1981917, 0.1973069, 0.1964706], -0.010302),
    ("focal_b_balanced", False): ([0.09826318, 0.09811377, 0.09796635, 0.09782273, 0.09768276, 0.09754631], -0.009409),
    ("focal_c", False): ([0.1270466, 0.1266767, 0.1263153, 0.1259633, 0.1256204, 0.1252862], -0.009506),
    ("generalized", False): ([0.7739782, 0.7729726, 0.7719747, 0.7709882, 0.7700131, 0.7690489], -0.005470),
    ("dice", False): ([0.6716878, 0.6712022, 0.6707159, 0.6702311, 0.6697478, 0.6692659], -0.005721),
    ("dice_sum", False): ([0.6716878, 0.6716393, 0.6715909, 0.6715424, 0.6714939, 0.6714451], -0.008580),
    ("dice_rows", False): ([0.6716878, 0.6712022, 0.6707159, 0.6702311, 0.6697478, 0.6692659], -0.005721),
    ("dice_classes", False): ([0.6728646, 0.6724787, 0.6720929, 0.6717091, 0.6713273, 0.6709473], -0.005332),
    ("tversky", False): ([0.7105693, 0.7101469, 0.7097237, 0.7093015, 0.7088804, 0.7084603], -0.005938),
    ("circle", False): ([3.156226, 3.155087, 3.153776, 3.152256, 3.150483, 3.14841], -0.011722),
    ("circle_sum", False): ([25.24981, 25.24257, 25.23447, 25.22535, 25.21505, 25.20339], -0.011859),
    ("ctc", False): ([2.256007, 2.233558, 2.214352, 2.197882, 2.183703, 2.171434], 0.668791),
    ("masked", False): ([0.560611, 0.5092265, 0.4678663, 0.4338053, 0.4049708, 0.3803909, 0.5453461], 0.552066),
    ("masked_sum", False): ([8.969776, 7.698225, 6.798046, 6.121647, 5.595084, 5.153972, 0.5039921], 0.789435),
    ("masked_mean", False): ([0.6555896, 0.6401153, 0.6246785, 0.6091582, 0.5936186, 0.5781353, 0.5781352], 0.262172),
    ("logcosh", True): ([0.2028995, 0.2026664, 0.2024318, 0.2021995, 0.2019694, 0.2017416], -0.018392),
    ("kld", True): ([2.109566, 2.087495, 2.067048, 2.048934, 2.032307, 2.017135], -0.136939),
    ("poisson", True): ([1.32819, 1.325702, 1.323269, 1.320901, 1.318593, 1.316339], -0.039836),
    ("hinge", True): ([2.09283, 2.091992, 2.091148, 2.090303, 2.089457, 2.08861], -0.028040),
    ("sqhinge", True): ([2.520769, 2.516818, 2.512907, 2.509074, 2.505322, 2.501729], -0.053519),
    ("cathinge", True): ([1.944202, 1.920901, 1.899226, 1.880086, 1.874986, 1.874438], -0.077481),
    ("msle", True): ([0.2120429, 0.21173, 0.2114165, 0.2111067, 0.2108004, 0.2104977], -0.019927),
    ("mape", True): ([421415000.0, 520833500.0, 520833500.0, 520833500.0, 520833500.0, 520833500.0], -1680873.877441),
    ("focal_b", True): ([0.382486, 0.3783415, 0.3745178, 0.3710057, 0.3677594, 0.3647586], -0.045921),
    ("focal_b_balanced", True): ([0.1861743, 0.1855918, 0.1850211, 0.1844716, 0.183942, 0.183431], -0.022459),
    ("focal_c", True): ([0.241573, 0.2400888, 0.2386526, 0.2372689, 0.2359339, 0.234644], -0.032134),
    ("generalized", True): ([1.457917, 1.453974, 1.450038, 1.446132, 1.442253, 1.438507], -0.054863),
    ("dice", True): ([1.259415, 1.257708, 1.256004, 1.25431, 1.252626, 1.25095], -0.002801),
    ("dice_sum", True): ([10.07532, 10.06439, 10.05347, 10.0426, 10.03178, 10.02101], -0.004073),
    ("dice_rows", True): ([1.264245, 1.26236, 1.260459, 1.258556, 1.256649, 1.254739], -0.037491),
    ("tversky", True): ([1.332317, 1.330833, 1.329349, 1.327872, 1.326402, 1.324939], -0.003229),
    ("circle", True): ([5.917783, 5.913638, 5.908269, 5.901187, 5.891742, 5.879067], -0.001410),
    ("circle_sum", True): ([47.34226, 47.31606, 47.28381, 47.24357, 47.19294, 47.12881], -0.006256),
    ("ctc", True): ([4.172619, 4.093667, 4.034727, 3.989635, 3.953972, 3.924673], 0.668791),
    ("masked", True): ([0.9857368, 0.8114083, 0.7007715, 0.6224853, 0.5640016, 0.5170472, 0.4796125], 0.806652),
    ("masked_sum", True): ([15.77179, 11.64377, 9.648224, 8.371388, 7.395746, 6.528886, 0.4192943], 1.027127),
    ("masked_mean", True): ([0.6478944, 0.6310891, 0.6143867, 0.5976332, 0.5808738, 0.5646819, 0.564682], 0.261564),
}


def check(case, result) -> None:
    """Raises if a run differs from Keras by more than rounding."""
    losses, weights = result
    expected, total = EXPECTED[case]
    np.testing.assert_allclose(losses, expected, rtol=2e-5, err_msg=str(case))
    # Sums of weights of both signs, which mape drives to 1e6.
    scale = max(1.0, np.abs(expected).max() ** 0.5)
    np.testing.assert_allclose(weights, total, rtol=2e-5, atol=2e-5 * scale, err_msg=str(case))
