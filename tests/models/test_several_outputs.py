"""Losses, weights of losses, metrics, targets and sample weights of several outputs, in every form Keras takes.

The expected numbers are Keras 3.15.1's, on the same closed forms.
"""

import numpy as np
import pytest

import dseq as keras
from dseq import layers
from tests.models.zoo import fill, wave

X, T1, T2 = wave((12, 3), 1), wave((12, 1), 2), np.abs(wave((12, 2), 3))
S1, S2 = np.linspace(0.5, 2, 12), np.linspace(2, 0.1, 12)  # weights of samples
CE = "categorical_crossentropy"


@pytest.fixture(autouse=True)
def fresh_names():
    keras.backend.clear_session(free_memory=False)


def two_heads(names=("o1", "o2"), form="list"):
    a = keras.Input((3,), name="a")
    h = layers.Dense(4, "relu")(a)
    o1, o2 = layers.Dense(1, name=names[0])(h), layers.Dense(2, "softmax", name=names[1])(h)
    forms = {
        "list": [o1, o2],
        "tuple": (o1, o2),
        "dict": {"zz": o1, "aa": o2},
        "dict of names": dict(zip(names, (o1, o2), strict=True)),
        "dict of lists": {"p": [o1, o2]},
        "list with a dict": [o1, {"q": o2}],
    }
    return fill(keras.Model(a, forms[form]))


def history(y=(T1, T2), names=("o1", "o2"), form="list", sample_weight=None, **compiled):
    """Losses and metrics of two epochs, three batches each."""
    model = two_heads(names, form)
    model.compile("sgd", **compiled)
    y = list(y) if isinstance(y, tuple) and form != "tuple" else y
    logs = model.fit(
        X, y, epochs=2, batch_size=4, shuffle=False, verbose=0, validation_data=(X, y), sample_weight=sample_weight
    ).history
    return {name: values[-1] for name, values in logs.items()}


def check(logs, expected):
    assert set(logs) == set(expected)
    np.testing.assert_allclose([logs[name] for name in expected], list(expected.values()), atol=7e-5)


BOTH = {"loss": 1.3898, "o1_loss": 0.5192, "o2_loss": 0.8706}
BOTH |= {"val_loss": 1.3834, "val_o1_loss": 0.5132, "val_o2_loss": 0.8703}


@pytest.mark.parametrize("y", [[T1, T2], (T1, T2), {"o1": T1, "o2": T2}, {"o2": T2, "o1": T1}])
@pytest.mark.parametrize("loss", [["mse", CE], ("mse", CE), {"o1": "mse", "o2": CE}, {"o2": CE, "o1": "mse"}])
def test_losses_and_targets_in_any_form(loss, y):
    check(history(loss=loss, y=y), BOTH)


def test_one_loss_for_all_outputs():
    expected = {"loss": 0.6355, "o1_loss": 0.5192, "o2_loss": 0.1164}
    expected |= {"val_loss": 0.6295, "val_o1_loss": 0.5132, "val_o2_loss": 0.1163}
    check(history(loss="mse"), expected)


@pytest.mark.parametrize("loss", [["mse", CE], {"o1": "mse", "o2": CE}])
@pytest.mark.parametrize("loss_weights", [[0.5, 2.0], (0.5, 2.0), {"o1": 0.5, "o2": 2.0}, {"o2": 2.0, "o1": 0.5}])
def test_weights_of_losses_in_any_form(loss, loss_weights):
    logs = history(loss=loss, loss_weights=loss_weights)
    assert set(logs) == set(BOTH)
    assert logs["loss"] == pytest.approx(0.5 * logs["o1_loss"] + 2 * logs["o2_loss"], rel=1e-6)
    assert logs["o1_loss"] == pytest.approx(0.5209, abs=7e-5) and logs["o2_loss"] == pytest.approx(0.8701, abs=7e-4)


@pytest.mark.parametrize("loss", [[None, CE], {"o1": None, "o2": CE}])
def test_an_output_without_a_loss(loss):
    check(history(loss=loss), {"loss": 0.8706, "val_loss": 0.8703})
    model = two_heads()
    model.compile("sgd", loss, metrics=["mae", None])
    kept = model.get_layer("o1").get_weights()
    assert {"loss", "o1_mae"} <= set(model.fit(X, [T1, T2], verbose=0).history)
    np.testing.assert_array_equal(model.get_layer("o1").get_weights()[0], kept[0])


METRICS = {"o1_mae": 0.6439, "o2_acc": 0.5833, "val_o1_mae": 0.6412, "val_o2_acc": 0.5833}


@pytest.mark.parametrize(
    "metrics", [["mae", "acc"], [["mae"], ["acc"]], {"o1": "mae", "o2": ["acc"]}, [["mae"], "acc"]]
)
@pytest.mark.parametrize("y", [[T1, T2], {"o1": T1, "o2": T2}])
def test_metrics_in_any_form(metrics, y):
    check(history(loss=["mse", CE], metrics=metrics, y=y), BOTH | METRICS)


@pytest.mark.parametrize("metrics", [{"o2": "acc"}, [None, "acc"], [[], ["acc"]]])
def test_metrics_of_one_output(metrics):
    only = {name: value for name, value in METRICS.items() if "o2" in name}
    check(history(loss=["mse", CE], metrics=metrics), BOTH | only)


def test_several_metrics_of_an_output():
    logs = history(loss=["mse", CE], metrics=[["mae", "mse"], ["accuracy"]])
    check(
        logs,
        BOTH
        | {"o1_mae": 0.6439, "o1_mse": 0.5192, "o2_accuracy": 0.5833}
        | {"val_o1_mae": 0.6412, "val_o1_mse": 0.5132, "val_o2_accuracy": 0.5833},
    )


def test_names_and_their_order():
    """`evaluate` lists the losses first, in the order of the outputs; logs are sorted."""
    model = two_heads(("zz", "aa"))
    model.compile("sgd", "mse", metrics={"zz": "mae", "aa": "mse"})
    logs = model.fit(X, [T1, T2], batch_size=4, epochs=2, shuffle=False, verbose=0).history
    assert list(logs) == ["aa_loss", "aa_mse", "loss", "zz_loss", "zz_mae"]
    as_dict = model.evaluate(X, [T1, T2], batch_size=5, verbose=0, return_dict=True)
    assert list(as_dict) == list(logs)
    order = ["loss", "zz_loss", "aa_loss", "aa_mse", "zz_mae"]
    assert model.evaluate(X, [T1, T2], batch_size=5, verbose=0) == [as_dict[name] for name in order]
    logs = history(names=("zz", "aa"), loss="mse")
    assert list(history(names=("zz", "aa"), loss="mse")) == sorted(logs), "`val_` among the others"


def test_names_of_weighted_metrics():
    logs = history(loss=["mse", CE], metrics=["mae", "acc"], weighted_metrics=["mae", "acc"], sample_weight=[S1, S2])
    expected = {"o1_mae": 0.6446, "o1_weighted_mae": 0.6286, "o2_acc": 0.5833, "o2_weighted_acc": 0.5765}
    np.testing.assert_allclose([logs[name] for name in expected], list(expected.values()), atol=7e-5)


@pytest.mark.parametrize("method", ["train_on_batch", "test_on_batch", "evaluate"])
@pytest.mark.parametrize("y", [[T1, T2], {"o2": T2, "o1": T1}])
@pytest.mark.parametrize("x", [X, [X], {"a": X}])
def test_every_method_takes_every_form(method, y, x):
    model = two_heads()
    model.compile("sgd", {"o1": "mse", "o2": CE}, metrics=["mae", "acc"])
    options = {"verbose": 0, "batch_size": 12} if method == "evaluate" else {}
    logs = getattr(model, method)(x, y, return_dict=True, **options)
    p1, p2 = (p.astype("float64") for p in two_heads(("p", "q")).predict(X, verbose=0))
    expected = {
        "o1_loss": np.mean((p1 - T1) ** 2),
        "o2_loss": np.mean(-(T2 * np.log(p2)).sum(1)),
        "o1_mae": np.mean(abs(p1 - T1)),
        "o2_acc": np.mean(p2.argmax(1) == T2.argmax(1)),
    }
    expected["loss"] = expected["o1_loss"] + expected["o2_loss"]
    assert set(logs) == set(expected)
    np.testing.assert_allclose([logs[name] for name in expected], list(expected.values()), rtol=1e-5)


# Outputs in other structures.


def test_outputs_in_a_dict():
    y = {"zz": T1, "aa": T2}
    logs = history(form="dict", y=y, loss={"zz": "mse", "aa": "mae"}, loss_weights={"zz": 2.0, "aa": 3.0})
    expected = {"aa_loss": 0.3048, "loss": 1.9156, "zz_loss": 0.5006}
    check(logs, expected | {"val_aa_loss": 0.3044, "val_loss": 1.8973, "val_zz_loss": 0.492})
    logs = history(form="dict", y=y, loss="mse")
    expected = {"aa_loss": 0.1139, "loss": 0.6141, "zz_loss": 0.5001}
    check(logs, expected | {"val_aa_loss": 0.1139, "val_loss": 0.6095, "val_zz_loss": 0.4956})


def test_a_list_for_outputs_in_a_dict_goes_by_sorted_keys():
    logs = history(form="dict", y=[T2, T1], loss=["mse", "mae"])
    assert logs["aa_loss"] == pytest.approx(0.114, abs=7e-5) and logs["zz_loss"] == pytest.approx(0.6493, abs=7e-5)


@pytest.mark.parametrize("form, y", [("tuple", (T1, T2)), ("dict of names", {"o1": T1, "o2": T2})])
def test_other_forms_are_trained_alike(form, y):
    check(history(form=form, y=y, loss=["mse", CE]), BOTH)


@pytest.mark.parametrize("form, y", [("dict of lists", {"p": [T1, T2]}), ("list with a dict", [T1, {"q": T2}])])
def test_nested_outputs(form, y):
    model = two_heads(form=form)
    model.compile("sgd", "mse")
    logs = model.fit(X, y, epochs=2, batch_size=4, shuffle=False, verbose=0).history
    np.testing.assert_allclose(logs["loss"], [0.6406, 0.6355], atol=7e-5)
    flat = model.predict(X, verbose=0)
    assert (set(flat) == {"p"}) if isinstance(y, dict) else (set(flat[1]) == {"q"})


# Weights of samples.


@pytest.mark.parametrize("weights", [[S1, S2], {"o1": S1, "o2": S2}])
def test_a_weight_for_each_sample_and_output(weights):
    logs = history(loss=["mse", CE], sample_weight=weights)
    assert logs["loss"] == pytest.approx(1.5242, abs=7e-5)
    assert logs["o1_loss"] == pytest.approx(0.6067, abs=7e-5) and logs["o2_loss"] == pytest.approx(0.9175, abs=7e-5)


def test_one_weight_for_each_sample():
    model = two_heads()
    model.compile("sgd", ["mse", CE])
    same = model.evaluate(X, [T1, T2], sample_weight=[S1, S1], verbose=0)
    assert model.evaluate(X, [T1, T2], sample_weight=S1, verbose=0) == same
    assert model.evaluate(X, [T1, T2], verbose=0) != same


# Errors.


@pytest.mark.parametrize(
    "compiled, y, message",
    [
        ({"loss": {"o1": "mse"}}, [T1, T2], r"Expected keys \['o1', 'o2'\] in loss dict.*\['o1'\]"),
        ({"loss": {"o1": "mse", "o2": "mse", "o3": "mse"}}, [T1, T2], r"Expected keys \['o1', 'o2'\].*'o3'"),
        ({"loss": ["mse"] * 3}, [T1, T2], "one entry for each of the 2 outputs"),
        ({"loss": ["mse", "nope"]}, [T1, T2], "Could not interpret loss identifier: nope"),
        ({"loss": "mse", "loss_weights": [1.0]}, [T1, T2], "`loss_weights` must"),
        ({"loss": "mse", "loss_weights": {"o1": 1.0, "o9": 1.0}}, [T1, T2], "o9"),
        ({"loss": "mse", "metrics": ["mae"]}, [T1, T2], r"`metrics`.*'o1', 'o2'.*\['mae'\]"),
        ({"loss": "mse", "metrics": {"o3": "mae"}}, [T1, T2], "o3"),
        ({"loss": "mse", "metrics": ["mae", "nope"]}, [T1, T2], "Could not interpret metric identifier: nope"),
        ({"loss": "mse"}, {"o1": T1}, r"one entry for each output \['o1', 'o2'\].*\['o1'\]"),
        ({"loss": "mse"}, {"o1": T1, "o2": T2, "o3": T2}, "'o3'"),
        ({"loss": "mse"}, [T1], "2 output"),
        ({"loss": "mse"}, T1, "2 output"),
        ({"loss": "mse"}, [T1, T2[:5]], "cardinality is ambiguous"),
        ({"loss": [None, None]}, [T1, T2], "No loss to compute"),
    ],
)
def test_errors_change_nothing(compiled, y, message):
    model = two_heads()
    before = model.get_weights()
    with pytest.raises(ValueError, match=message):
        model.compile("sgd", **compiled)
        model.fit(X, y, verbose=0)
    for a, b in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    model.compile("sgd", "mse")
    assert model.fit(X, [T1, T2], verbose=0).history["loss"]


def test_class_weights_are_for_one_output():
    model = two_heads()
    model.compile("sgd", "mse")
    with pytest.raises(ValueError, match="`class_weight` is only supported for Models with a single output"):
        model.fit(X, [T1, T2], class_weight={0: 1.0, 1: 2.0}, verbose=0)
