"""Batches from generators, data sets, loaders, HDF5 files and memory maps: the same as from arrays."""

from functools import partial

import numpy as np
import pytest

import dseq as keras
from dseq.parallel.shard import epoch_order
from tests.training.sources import ByRows, Loader, W, Whole, X, Y, batches, classifier, hdf5, mapped

KINDS = {
    "generator": lambda folder: {"x": batches(X, Y, W, times=3), "steps_per_epoch": 7},
    "lists": lambda folder: {"x": ([x, y, w] for x, y, w in batches(X, Y, W, times=3)), "steps_per_epoch": 7},
    "loader": lambda folder: {"x": Loader(X, Y, W)},
    "PyDataset": lambda folder: {"x": Whole(X, Y, W)},
    "rows": lambda folder: {"x": ByRows(X, Y, W)},
    "threads": lambda folder: {"x": ByRows(X, Y, W, workers=3, max_queue_size=2)},
    "processes": lambda folder: {"x": Whole(X, Y, W, workers=2, use_multiprocessing=True)},
    "HDF5": lambda folder: {"x": hdf5(folder, X, Y, W), "batch_size": 8},
    "HDF5, small buffer": lambda folder: {"x": hdf5(folder, X, Y, W, buffer_size=600, block_size=100), "batch_size": 8},
    "memory map": lambda folder: {"x": mapped(folder, X), "y": Y, "sample_weight": W, "batch_size": 8},
    "maps of other types": lambda folder: {
        "x": mapped(folder, X.astype(">f4")), "y": mapped(folder, Y), "sample_weight": W, "batch_size": 8,
    },
    "maps by columns": lambda folder: {
        "x": mapped(folder, np.asfortranarray(X)), "y": mapped(folder, Y.astype("f8")), "batch_size": 8,
        "sample_weight": mapped(folder, W),
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def of_arrays():
    """What training on arrays gives."""
    model = classifier()
    history = model.fit(X, Y, batch_size=8, epochs=3, sample_weight=W, shuffle=False, verbose=0).history
    weights = model.get_weights()
    return history, weights, model.evaluate(X, Y, batch_size=8, sample_weight=W, verbose=0), model.predict(X, verbose=0)


@pytest.mark.parametrize("kind", KINDS)
def test_any_source_gives_what_arrays_give(kind, of_arrays, tmp_path):
    history, weights, evaluated, predicted = of_arrays
    model = classifier()
    given = KINDS[kind](tmp_path)
    result = model.fit(**given, epochs=3, shuffle=False, verbose=0)
    assert result.history == history and result.params["steps"] in (7, None)
    for a, b in zip(model.get_weights(), weights, strict=True):
        np.testing.assert_array_equal(a, b)
    given = KINDS[kind](tmp_path)
    steps = given.pop("steps_per_epoch", None)
    assert model.evaluate(**given, steps=steps, verbose=0) == evaluated
    given = {name: value for name, value in KINDS[kind](tmp_path).items() if name in ("x", "batch_size")}
    np.testing.assert_array_equal(model.predict(**given, steps=steps, verbose=0), predicted)


@pytest.mark.parametrize("kind", ["PyDataset", "HDF5", "loader", "memory map"])
def test_validation_data_of_any_kind(kind, tmp_path):
    given = KINDS[kind](tmp_path)
    data = given["x"] if kind != "memory map" else (given["x"], Y, W)
    history = classifier().fit(X, Y, epochs=2, batch_size=8, validation_data=data, verbose=0).history
    assert history == classifier().fit(X, Y, epochs=2, batch_size=8, validation_data=(X, Y, W), verbose=0).history


def test_a_generator_to_validate_on_goes_on():
    frozen = partial(keras.optimizers.SGD, 0.0)
    data = batches(X, Y, times=1)
    model = classifier(optimizer=frozen(), metrics=None)
    history = model.fit(X, Y, epochs=2, validation_data=data, validation_steps=3, verbose=0).history["val_loss"]
    expected = [model.evaluate(X[a:b], Y[a:b], batch_size=8, verbose=0) for a, b in ((0, 24), (24, 48))]
    np.testing.assert_allclose(history, expected, rtol=1e-6)


# The ends of data.


def test_a_generator_without_steps_is_one_epoch():
    history = classifier().fit(batches(X, Y), verbose=0)
    assert history.params["steps"] is None and history.epoch == [0]
    with pytest.warns(UserWarning, match="Your input ran out of data; interrupting training"):
        history = classifier().fit(batches(X, Y), epochs=3, verbose=0)
    assert history.epoch == [0]


@pytest.mark.parametrize(("steps", "epochs"), [(5, [0, 1]), (7, [0]), (9, [0])])
def test_a_generator_that_ends_too_soon(steps, epochs):
    with pytest.warns(UserWarning, match="Your input ran out of data; interrupting training") as caught:
        history = classifier().fit(batches(X, Y), steps_per_epoch=steps, epochs=4, verbose=0)
    assert history.epoch == epochs and len(caught) == 1


def test_steps_of_a_loader_go_on_and_begin_anew():
    frozen = partial(keras.optimizers.SGD, 0.0)
    of_arrays = classifier(optimizer=frozen()).fit(
        X, Y, batch_size=8, steps_per_epoch=5, epochs=4, shuffle=False, verbose=0
    )
    for data in (Loader(X, Y), Whole(X, Y)):
        history = classifier(optimizer=frozen()).fit(data, steps_per_epoch=5, epochs=4, shuffle=False, verbose=0)
        assert history.history == of_arrays.history


def test_a_data_set_without_an_end():
    class Endless(Whole):
        num_batches = None

        def __getitem__(self, index):
            return super().__getitem__(index % 7)

    frozen = partial(keras.optimizers.SGD, 0.0)
    history = classifier(optimizer=frozen()).fit(Endless(X, Y), steps_per_epoch=5, epochs=3, verbose=0).history
    whole = classifier(optimizer=frozen()).fit(Loader(X, Y), steps_per_epoch=5, epochs=3, verbose=0).history
    assert history == whole
    with pytest.raises(ValueError, match="without an end needs the number of steps"):
        classifier().fit(Endless(X, Y), verbose=0)


def test_evaluate_takes_no_more_steps_than_there_are():
    model = classifier()
    assert model.evaluate(X, Y, steps=100, verbose=0) == model.evaluate(X, Y, verbose=0)
    assert model.predict(Whole(X), steps=3, verbose=0).shape == (24, 3)
    assert model.predict(batches(X), verbose=0).shape == (50, 3)


# PyDataset.


def test_hooks_of_a_data_set():
    data = Whole(X, Y)
    classifier().fit(data, epochs=2, validation_data=Whole(X, Y), verbose=0)
    assert data.calls == ["begin", "end"] * 2


def test_a_data_set_is_shuffled_by_batches():
    frozen = partial(keras.optimizers.SGD, 0.0)
    seen = []

    class Watch(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            seen.append(self.model._position.session.sums["totals"][0])

    model = classifier(optimizer=frozen(), metrics=None)
    model.fit(Whole(X[:, :], Y), epochs=2, verbose=0, callbacks=[Watch()])
    losses = np.diff([[0, *seen[:7]], [0, *seen[7:]]])
    assert not np.allclose(losses[0], losses[1])
    np.testing.assert_allclose(np.sort(losses[0]), np.sort(losses[1]), rtol=0.5)
    orders = [epoch_order(7, model._seed, epoch) for epoch in (0, 1)]
    # Dropout goes by the step, so the same batch has about the same loss in both: the ragged one is far the smallest.
    assert [int(np.argmin(one)) for one in losses] == [int(np.argmax(order)) for order in orders]


def test_workers_that_see_what_the_epoch_began_with():
    class Growing(Whole):
        factor = 0

        def on_epoch_begin(self):
            self.factor += 1

        def __getitem__(self, index):
            x, y = super().__getitem__(index)
            return x * 0 + self.factor, y

    outputs = []

    class Watch(keras.callbacks.Callback):
        def on_predict_batch_end(self, batch, logs=None):
            outputs.append(logs["outputs"])

    for options in ({"workers": 2}, {"workers": 2, "use_multiprocessing": True}):
        data = Growing(X, Y, **options)
        model = classifier()
        ones = model.predict(np.ones((50, 6)), verbose=0)
        np.testing.assert_array_equal(model.predict(data, verbose=0), ones)
        np.testing.assert_array_equal(model.predict(data, verbose=0), model.predict(np.full((50, 6), 2), verbose=0))


@pytest.mark.parametrize("options", [{}, {"workers": 2}, {"workers": 2, "use_multiprocessing": True}])
def test_a_data_set_that_raises(options):
    class Broken(Whole):
        def __getitem__(self, index):
            if index == 4:
                raise KeyError("batch four")
            return super().__getitem__(index)

    model = classifier()
    with pytest.raises(KeyError, match="batch four"):
        model.fit(Broken(X, Y, **options), shuffle=False, verbose=0)
    assert np.isfinite(model.fit(Whole(X, Y), verbose=0).history["loss"]).all()


def test_a_worker_that_dies_is_an_error():
    import os

    class Dying(Whole):
        def __getitem__(self, index):
            if index == 2:
                os._exit(1)
            return super().__getitem__(index)

    with pytest.raises(Exception, match="process pool"):
        classifier().fit(Dying(X, Y, workers=1, use_multiprocessing=True), shuffle=False, verbose=0)


# What batches may be.


def test_class_weights_for_batches(tmp_path):
    weights = {1: 3.0, 7: 2.0}
    expected = classifier().fit(X, Y, batch_size=8, shuffle=False, class_weight=weights, verbose=0).history
    for data in (batches(X, Y), Whole(X, Y), hdf5(tmp_path, X, Y)):
        history = classifier().fit(data, batch_size=8, shuffle=False, class_weight=weights, verbose=0).history
        assert history == expected


def test_batches_of_any_length():
    def uneven():
        for lo, hi in ((0, 1), (1, 30), (30, 31), (31, 50)):
            yield X[lo:hi], Y[lo:hi]

    model = classifier(optimizer=keras.optimizers.SGD(0.0))
    np.testing.assert_allclose(model.evaluate(uneven(), verbose=0), model.evaluate(X, Y, verbose=0), rtol=1e-6)
    np.testing.assert_array_equal(model.predict(uneven(), verbose=0), model.predict(X, verbose=0))


def test_weights_in_some_batches():
    some = [(X[:8], Y[:8], W[:8]), (X[8:16], Y[8:16])]
    full = [(X[:8], Y[:8], W[:8]), (X[8:16], Y[8:16], np.ones(8))]
    histories = [classifier().fit(iter(data), verbose=0).history for data in (some, full)]
    assert histories[0] == histories[1]
    with pytest.raises(ValueError, match="sample weights, or none. Received: batch 1"):
        classifier().fit(iter(some[::-1]), verbose=0)


@pytest.mark.parametrize(
    "use, message",
    [
        (lambda m: m.fit(iter([])), "must yield at least one batch"),
        (lambda m: m.fit(Whole(X[:0], Y[:0])), "at least one batch"),
        (lambda m: m.fit(batches(X, Y), Y), "When providing `x` as a generator, `y` should not be passed"),
        (lambda m: m.fit(Whole(X, Y), sample_weight=W), "as a PyDataset, `sample_weight` should not be passed"),
        (lambda m: m.fit(batches(X, Y), validation_split=0.2), "`validation_split` is only supported for arrays"),
        (lambda m: m.fit(iter([(X, Y, W, W)])), r"must be a tuple: \(inputs,\)"),
        (lambda m: m.fit(iter([(X, Y[:3])])), "Data cardinality is ambiguous.*'x' sizes: 50.*'y' sizes: 3"),
        (lambda m: m.fit(iter([(X, Y), (X[:, :5], Y)])), "batch 1 with samples of shapes"),
        (lambda m: m.fit(batches(X)), "needs targets"),
        (lambda m: m.fit(batches(X, Y, W), class_weight={1: 2.0}), "at the same time"),
        (lambda m: m.fit(X, validation_data=3), "`validation_data` must be a tuple"),
        (lambda m: m.train_on_batch(batches(X, Y)), "`train_on_batch` takes arrays"),
        (lambda m: m.fit(X, Y, class_weight=[1, 2]), "`class_weight` must be a dict"),
        (lambda m: m.fit(X, Y, class_weight={"a": 2}), "for each class number. Received: 'a': 2"),
        (lambda m: m.fit(X, Y, class_weight={1: np.nan}), "must give a finite number"),
        (lambda m: m.fit(X, np.where(Y == 1, np.nan, Y), class_weight={1: 2}), "Received: labels with NaN"),
        (lambda m: m.fit(iter([(X, np.where(Y == 1, np.nan, Y))])), "Labels must be class numbers"),
        (lambda m: m.fit(Whole(X, Y - 9), verbose=0), r"class numbers in \[0, 3\).*labels from -9 to"),
    ],
)
def test_errors(use, message):
    with pytest.raises(ValueError, match=message):
        use(classifier())


def test_steps_per_execution_with_batches_of_any_source():
    seen = []

    class Watch(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            seen.append(batch)

        def on_train_batch_end(self, batch, logs=None):
            seen.append(batch)

    for data in ({"x": X, "y": Y, "batch_size": 8}, {"x": batches(X, Y)}, {"x": Whole(X, Y)}):
        seen.clear()
        classifier(steps_per_execution=3).fit(**data, verbose=0, callbacks=[Watch()])
        assert seen == [0, 2, 3, 5, 6, 8]  # as in Keras, where the last execution counts as a whole one


def test_memory_maps_are_not_copied(tmp_path, monkeypatch):
    from dseq.training import data

    big = mapped(tmp_path, X.astype("float16"))
    seen = []
    monkeypatch.setattr(data, "_rows", lambda array, dtype: seen.append(array) or np.ascontiguousarray(array))
    feed = data.Feed({"x_0": big, "y_0": (mapped(tmp_path, Y), "int32")}, ["x_0", "y_0"])
    assert not seen
    np.testing.assert_array_equal(feed.rows("y_0", np.array([3, 1]), 0, 2), Y[[3, 1]])
    assert feed.rows("y_0", None, 0, 2).dtype == np.int32
    assert feed.label_range() == "labels from 0 to 2"


RESUMED = {
    "arrays": lambda folder: {"x": X, "y": Y, "batch_size": 8},
    "HDF5": lambda folder: {"x": hdf5(folder, X, Y, buffer_size=700, block_size=100), "batch_size": 8},
    "PyDataset": lambda folder: {"x": ByRows(X, Y, workers=2)},
    "loader": lambda folder: {"x": Loader(X, Y)},
    "generator": lambda folder: {"x": batches(X, Y, times=3), "steps_per_epoch": 7},
}


@pytest.mark.parametrize("kind", RESUMED)
def test_going_on_in_the_middle_of_an_epoch(kind, tmp_path):
    class Interrupt(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if batch == 3:
                raise InterruptedError

    straight = classifier()
    straight.fit(**RESUMED[kind](tmp_path), epochs=2, verbose=0)
    backup = [keras.callbacks.BackupAndRestore(tmp_path / "backup", save_freq=3)]
    with pytest.raises(InterruptedError):
        classifier().fit(**RESUMED[kind](tmp_path), epochs=2, verbose=0, callbacks=[*backup, Interrupt()])
    model = classifier()
    model.fit(**RESUMED[kind](tmp_path), epochs=2, verbose=0, callbacks=backup)
    for a, b in zip(model.get_weights(), straight.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
