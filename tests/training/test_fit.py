"""fit, evaluate, predict and their relatives: arguments, returns, history."""

import numpy as np
import pytest

import dseq as keras
from dseq import layers
from dseq.kernels.base import JIT

RNG = np.random.default_rng(0)
X = RNG.standard_normal((50, 6)).astype("float32")
Y = (X[:, 0] > 0).astype("int64") + (X[:, 1] > 0)


def classifier(dropout=0.0, **options):
    keras.utils.set_random_seed(3)
    stack = [keras.Input((6,)), layers.Dense(16, "relu"), layers.Dropout(dropout), layers.Dense(3, "softmax")]
    model = keras.Sequential(stack)
    options = {"metrics": ["accuracy"]} | options
    model.compile(options.pop("optimizer", "adam"), options.pop("loss", "sparse_categorical_crossentropy"), **options)
    return model


def test_history():
    model = classifier()
    history = model.fit(X, Y, epochs=3, batch_size=8, validation_data=(X[:10], Y[:10]), verbose=0)
    assert list(history.history) == ["accuracy", "loss", "val_accuracy", "val_loss"]
    assert all(len(values) == 3 for values in history.history.values())
    assert history.epoch == [0, 1, 2] and model.history is history
    assert history.params == {"verbose": 0, "epochs": 3, "steps": 7}
    assert history.history["loss"][2] < history.history["loss"][0]


def test_the_default_batch_is_32():
    assert classifier().fit(X, Y, verbose=0).params["steps"] == 2


def test_the_reported_loss_is_the_mean_over_samples():
    # One step per epoch without an update in between: the epoch's loss is that of `evaluate`.
    model = classifier(optimizer=keras.optimizers.SGD(0.0), metrics=["accuracy", "mae"][:1])
    loss, accuracy = model.evaluate(X, Y, verbose=0)
    p = model.predict(X, verbose=0).astype("f8")
    np.testing.assert_allclose(loss, -np.log(p[np.arange(50), Y]).mean(), rtol=1e-5)
    np.testing.assert_allclose(accuracy, (p.argmax(1) == Y).mean(), rtol=1e-6)
    for batch_size in (1, 7, 50, 64):
        history = model.fit(X, Y, batch_size=batch_size, verbose=0).history
        np.testing.assert_allclose([history["loss"][0], history["accuracy"][0]], [loss, accuracy], rtol=1e-5)


def test_validation_split_takes_the_last_samples_before_shuffling():
    model = classifier(optimizer=keras.optimizers.SGD(0.0))
    history = model.fit(X, Y, validation_split=0.2, verbose=0, batch_size=8)
    assert history.params["steps"] == 5
    np.testing.assert_allclose(history.history["val_loss"][0], model.evaluate(X[40:], Y[40:], verbose=0)[0], rtol=1e-6)
    for share in (0.999, 1.5, -0.1):
        with pytest.raises(ValueError, match="validation_split"):
            model.fit(X, Y, validation_split=share, verbose=0)


def test_shuffling_depends_on_the_seed_alone():
    losses = [classifier().fit(X, Y, batch_size=8, epochs=2, verbose=0).history["loss"] for _ in range(2)]
    assert losses[0] == losses[1]
    assert losses[0] != classifier().fit(X, Y, batch_size=8, epochs=2, shuffle=False, verbose=0).history["loss"]


def test_returns_of_evaluate_and_on_batch_methods():
    model = classifier()
    assert isinstance(model.evaluate(X, Y, verbose=0), list)
    assert set(model.evaluate(X, Y, verbose=0, return_dict=True)) == {"loss", "accuracy"}
    loss, accuracy = model.test_on_batch(X, Y)
    again = model.train_on_batch(X, Y, return_dict=True)
    np.testing.assert_allclose([again["loss"], again["accuracy"]], [loss, accuracy], rtol=1e-6)
    assert model.train_on_batch(X, Y)[0] < loss
    plain = classifier(metrics=None)
    assert isinstance(plain.evaluate(X, Y, verbose=0), float) and isinstance(plain.train_on_batch(X, Y), float)
    assert model.predict_on_batch(X).shape == (50, 3)


@pytest.mark.skipif(not JIT, reason="the plain twin of the matrix kernel is BLAS, which does not keep a row's bits")
def test_predictions_do_not_depend_on_the_batch_size():
    model = classifier()
    whole = model.predict(X, verbose=0)
    assert whole.dtype == np.float32 and whole.shape == (50, 3)
    for batch_size in (1, 7, 50):
        np.testing.assert_array_equal(model.predict(X, batch_size=batch_size, verbose=0), whole)
    np.testing.assert_array_equal(model(X), whole)
    np.testing.assert_allclose(whole.sum(1), 1, rtol=1e-6)


def test_dropout_acts_in_training_only():
    model = classifier(dropout=0.5)
    np.testing.assert_array_equal(model(X), model(X, training=False))
    assert not np.array_equal(model(X), model(X, training=True))
    assert np.array_equal(model.predict(X, verbose=0), model(X))


@pytest.mark.parametrize("options", [{"jit_compile": False}, {"jit_compile": True}, {"steps_per_execution": 4}])
def test_ways_of_running_give_the_same_bits(options):
    results = []
    for chosen in ({}, options):
        model = classifier(dropout=0.3, **chosen)
        model.fit(X, Y, batch_size=8, epochs=2, verbose=0)
        results.append(model.get_weights())
    for a, b in zip(*results, strict=True):
        np.testing.assert_array_equal(a, b)


def test_double_precision():
    keras.backend.set_floatx("float64")
    try:
        model = classifier()
        history = model.fit(X, Y, epochs=3, verbose=0)
        assert model.predict(X, verbose=0).dtype == np.float64
        assert all(w.dtype == np.float64 for w in model.get_weights()) and history.history["loss"][-1] > 0
    finally:
        keras.backend.set_floatx("float32")


@pytest.mark.parametrize("dtype", ["float64", "uint8", "int64", "float16", "bool"])
def test_types_of_data(dtype):
    model = classifier()
    x = (np.abs(X) * 3).astype(dtype)
    np.testing.assert_array_equal(model.predict(x, verbose=0), model.predict(x.astype("float32"), verbose=0))
    model.fit(x, Y.astype("float32"), verbose=0)


def test_binary_labels_as_vector_or_column():
    y = (X[:, 0] > 0).astype("float32")
    results = []
    for labels in (y, y[:, None], y.astype("int32")):
        keras.utils.set_random_seed(1)
        model = keras.Sequential([keras.Input((6,)), layers.Dense(4, "tanh"), layers.Dense(1, "sigmoid")])
        model.compile("rmsprop", "binary_crossentropy", metrics=["accuracy"])
        results.append(model.fit(X, labels, epochs=2, verbose=0).history)
    assert results[0] == results[1] == results[2]


def test_sample_and_class_weights():
    weights = np.where(Y == 1, 3.0, 1.0)
    results = []
    for extra in ({"sample_weight": weights}, {"class_weight": {1: 3.0}}, {}):
        results.append(classifier().fit(X, Y, epochs=2, verbose=0, **extra).history["loss"])
    assert results[0] == results[1] != results[2]
    with pytest.raises(ValueError, match="at the same time"):
        classifier().fit(X, Y, sample_weight=weights, class_weight={1: 3.0})


def test_ignored_labels_do_not_count():
    losses = keras.losses
    ignoring = classifier(loss=losses.SparseCategoricalCrossentropy(ignore_class=-1), metrics=None)
    labels = np.where(np.arange(50) % 3 == 0, -1, Y)
    kept = labels >= 0
    plain = classifier(metrics=None)
    expected = plain.evaluate(X[kept], Y[kept], verbose=0)
    np.testing.assert_allclose(ignoring.evaluate(X, labels, batch_size=50, verbose=0), expected, rtol=1e-6)
    np.testing.assert_allclose(ignoring.train_on_batch(X, labels), expected, rtol=1e-6)
    plain.train_on_batch(X[kept], Y[kept])
    for a, b in zip(ignoring.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


def test_dividing_by_the_sum_of_the_weights():
    loss = keras.losses.MeanSquaredError(reduction="mean_with_sample_weight")
    model = keras.Sequential([keras.Input((6,)), layers.Dense(2)])
    model.compile("sgd", loss)
    target, weights = X[:, :2], np.arange(50.0)
    values = ((model.predict(X, verbose=0) - target) ** 2).mean(1)
    result = model.evaluate(X, target, batch_size=50, sample_weight=weights, verbose=0)
    np.testing.assert_allclose(result, (values * weights).sum() / weights.sum(), rtol=1e-5)


def test_a_model_trains_through_a_shared_base():
    keras.utils.set_random_seed(0)
    base = keras.Sequential([keras.Input((6,)), layers.Dense(8, "tanh")])
    head = keras.Sequential([base, layers.Dense(3, "softmax")])
    probe = base(X)
    head.compile("adam", "sparse_categorical_crossentropy")
    head.fit(X, Y, epochs=2, verbose=0)
    assert not np.array_equal(base(X), probe) and not np.array_equal(base.predict(X, verbose=0), probe)
    other = keras.Sequential([base, layers.Dense(1)])
    other.compile("sgd", "mse")
    before = head.predict(X, verbose=0)
    other.fit(X, X[:, :1], epochs=1, verbose=0)
    after = head.predict(X, verbose=0)
    assert not np.array_equal(before, after)
    head.fit(X, Y, epochs=1, verbose=0)  # takes the weights back, with what the other did to them
    assert np.isfinite(head.evaluate(X, Y, verbose=0))


def test_deferred_build_by_fit():
    keras.utils.set_random_seed(0)
    model = keras.Sequential([layers.Flatten(), layers.Dense(3, "softmax")])
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(X.reshape(50, 2, 3), Y, verbose=0)
    assert model.count_params() == 21 and model.output_shape == (None, 3)


def test_early_stop_by_callback():
    class Stop(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            assert np.isfinite(logs["loss"])
            self.model.stop_training = batch == 2

    history = classifier().fit(X, Y, epochs=5, batch_size=8, verbose=0, callbacks=[Stop()])
    assert history.epoch == [0]


def test_recompiling_after_freezing():
    model = classifier()
    model.fit(X, Y, verbose=0)
    model.layers[0].trainable = False
    model.compile("adam", "sparse_categorical_crossentropy")
    kept = model.layers[0].get_weights()
    model.fit(X, Y, verbose=0)
    for a, b in zip(model.layers[0].get_weights(), kept, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    "use, message",
    [
        (lambda m: keras.Sequential([keras.Input((6,)), layers.Dense(3)]).fit(X, Y), r"You must call `compile\(\)`"),
        (lambda m: m.fit(X, Y[:30]), "Data cardinality is ambiguous.*'x' sizes: 50.*'y' sizes: 30"),
        (lambda m: m.fit(X[:, :4], Y), "expected axis -1 of input shape to have value 6"),
        (lambda m: m.fit(X, Y + 5, verbose=0), r"class numbers in \[0, 3\)"),
        (lambda m: m.fit(X, Y - 1, verbose=0), r"class numbers in \[0, 3\)"),
        (lambda m: m.fit(X[:0], Y[:0]), "at least one sample"),
        (lambda m: m.fit(X, Y, batch_size=0), "`batch_size` must be a positive integer. Received: batch_size=0"),
        (lambda m: m.fit("text", Y), "`x` must be a NumPy array"),
        (lambda m: m.fit(X), "needs targets"),
        (lambda m: m.fit(X, Y, validation_data=X), "validation_data"),
        (lambda m: m.predict([X, X]), r"expects 1 input\(s\).*Received: 2"),
        (lambda m: m.compile("nope", "mse"), "Could not interpret optimizer identifier: nope"),
        (lambda m: m.compile("adam", "mse", jit_compile="maybe"), "`jit_compile` must be"),
    ],
)
def test_errors(use, message):
    with pytest.raises(ValueError, match=message):
        use(classifier())


def test_integer_labels_with_categorical_crossentropy_get_a_hint():
    with pytest.raises(ValueError, match="must have the same shape.*sparse_categorical_crossentropy"):
        classifier(loss="categorical_crossentropy").fit(X, Y, verbose=0)


def test_a_bad_label_changes_nothing():
    model = classifier()
    kept = model.get_weights()
    labels = Y.copy()
    labels[40] = 99
    with pytest.raises(ValueError, match="label"):
        model.fit(X, labels, batch_size=50, verbose=0)
    for a, b in zip(model.get_weights(), kept, strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_nan_batch_is_the_users_to_judge():
    x = X.copy()
    x[3, 2] = np.nan
    history = classifier().fit(x, Y, verbose=0)
    assert np.isnan(history.history["loss"][0])
    with pytest.raises(RuntimeError, match="Invalid loss"):
        stop = keras.callbacks.TerminateOnNaN(raise_error=True)
        classifier().fit(x, Y, verbose=0, callbacks=[stop])


def test_logs_of_batches_can_be_kept():
    kept = []

    class Keep(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            kept.append(logs)

    classifier().fit(X, Y, batch_size=10, verbose=0, callbacks=[Keep()])
    assert len({logs["loss"] for logs in kept}) == 5 and all(type(logs) is dict for logs in kept)


def test_logs_of_evaluation_and_prediction():
    seen, outputs = [], []

    class Watch(keras.callbacks.Callback):
        def on_test_batch_end(self, batch, logs=None):
            seen.append(logs)

        def on_predict_batch_end(self, batch, logs=None):
            outputs.append(logs["outputs"].copy())

    model = classifier()
    final = model.evaluate(X, Y, batch_size=20, verbose=0, return_dict=True, callbacks=[Watch()])
    assert len(seen) == 3 and seen[-1] == final != seen[0]
    whole = model.predict(X, batch_size=20, verbose=0, callbacks=[Watch()])
    np.testing.assert_array_equal(np.concatenate(outputs), whole)


def test_steps_per_epoch_go_on_through_the_data():
    frozen = keras.optimizers.SGD(0.0)
    model = classifier(optimizer=frozen)
    losses = model.fit(X, Y, batch_size=10, steps_per_epoch=2, epochs=5, shuffle=False, verbose=0).history["loss"]
    rows = [np.r_[k * 20 % 50 : k * 20 % 50 + 10, (k * 20 + 10) % 50 : (k * 20 + 10) % 50 + 10] for k in range(5)]
    expected = [model.evaluate(X[r], Y[r], verbose=0)[0] for r in rows]
    np.testing.assert_allclose(losses, expected, rtol=1e-5)


def test_one_epoch_at_a_time_shuffles_anew_and_resuming_does_not():
    def orders(*calls):
        model = classifier(optimizer=keras.optimizers.SGD(0.1))
        for options in calls:
            model.fit(X, Y, batch_size=8, verbose=0, **options)
        return model.get_weights()[0]

    straight = orders({"epochs": 3})
    np.testing.assert_array_equal(orders({"epochs": 1}, {"epochs": 1}, {"epochs": 1}), straight)
    np.testing.assert_array_equal(orders({"epochs": 2}, {"epochs": 3, "initial_epoch": 2}), straight)


def test_a_failed_call_leaves_the_next_one_right():
    model = classifier(loss="mse", metrics=["accuracy"])
    one_hot = np.eye(3)[Y]
    before = model.evaluate(X, one_hot, verbose=0)
    with pytest.raises(ValueError, match="same shape|must"):
        model.evaluate(X, Y[:, None], verbose=0)
    assert model.evaluate(X, one_hot, verbose=0) == before


@pytest.mark.parametrize("labels", [Y + 2**32, Y + 0.5, np.where(Y == 1, np.nan, Y)])
def test_labels_are_not_bent_into_class_numbers(labels):
    with pytest.raises(ValueError, match="Labels must be class numbers. Received: labels from"):
        classifier().fit(X, labels, verbose=0)


def test_class_weights_are_for_training_only():
    model = classifier(optimizer=keras.optimizers.SGD(0.0))
    history = model.fit(X, Y, validation_split=0.2, class_weight={1: 9.0}, verbose=0).history
    np.testing.assert_allclose(history["val_loss"][0], model.evaluate(X[40:], Y[40:], verbose=0)[0], rtol=1e-6)


def test_a_loss_is_needed_to_train():
    with pytest.raises(ValueError, match="No loss to compute"):
        classifier(loss=None).fit(X, Y, verbose=0)


@pytest.mark.parametrize("make", [lambda a: a.astype(">f4"), np.asfortranarray, lambda a: a[::-1][::-1]])
def test_arrays_in_other_layouts(make):
    model = classifier()
    np.testing.assert_array_equal(model.predict(make(X), verbose=0), model.predict(X, verbose=0))
    frozen = make(X)
    frozen.flags.writeable = False
    model.fit(frozen, Y, verbose=0)


def test_threads_may_share_a_model():
    from concurrent.futures import ThreadPoolExecutor

    model = classifier()
    expected = model.predict(X, verbose=0)
    with ThreadPoolExecutor(4) as pool:
        inputs = [X[i : i + 20] for i in range(30)]
        results = list(pool.map(lambda part: model.predict(part, verbose=0), inputs))
        results += list(pool.map(model, inputs))
    for i, result in enumerate(results):
        np.testing.assert_allclose(result, expected[i % 30 : i % 30 + 20], rtol=1e-6)
