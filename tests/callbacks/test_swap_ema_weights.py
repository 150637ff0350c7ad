"""SwapEMAWeights: which weights the model has, when."""

import numpy as np
import pytest

import dseq
from dseq.callbacks import BackupAndRestore, Callback, LambdaCallback, ModelCheckpoint, SwapEMAWeights

X = np.linspace(-1, 1, 30, dtype="float32").reshape(10, 3)
Y = X[:, :2]
MOMENTUM = 0.9


class Watch(Callback):
    """Keeps the weights at the hooks of epochs."""

    def __init__(self):
        super().__init__()
        self.seen = {"begin": [], "test": [], "end": [], "batch": []}

    def _look(self, where):
        self.seen[where].append(self.model.get_weights()[0].copy())

    def on_epoch_begin(self, epoch, logs=None):
        self._look("begin")

    def on_epoch_end(self, epoch, logs=None):
        self._look("end")

    def on_train_batch_end(self, batch, logs=None):
        self._look("batch")

    def on_test_batch_end(self, batch, logs=None):
        self._look("test")


def make(**options):
    model = dseq.Sequential([dseq.Input((3,)), dseq.layers.Dense(2, kernel_initializer="ones", use_bias=False)])
    options = {"use_ema": True, "ema_momentum": MOMENTUM} | options
    model.compile(dseq.optimizers.SGD(0.1, **options), "mse")
    return model


def fit(model, *callbacks, epochs=3, **options):
    options = {"validation_data": (X, Y)} | options
    return model.fit(X, Y, batch_size=5, epochs=epochs, shuffle=False, verbose=0, callbacks=list(callbacks), **options)


@pytest.fixture(scope="module")
def epochs():
    """Weights and their moving average at the end of each epoch, by hand: nobody swaps, nobody averages."""
    model, watch = make(use_ema=False), Watch()
    fit(model, watch)
    averages = [watch.seen["batch"][0]]
    for weights in watch.seen["batch"][1:]:
        averages.append(MOMENTUM * averages[-1] + (1 - MOMENTUM) * weights)
    return watch.seen["end"], averages[1::2]


def mse(weights):
    return np.mean((X @ weights - Y) ** 2)


@pytest.mark.parametrize("swap_on_epoch", [False, True])
def test_averages_are_evaluated_and_training_goes_on_as_before(swap_on_epoch, epochs):
    weights, averages = epochs
    model, watch = make(), Watch()
    history = fit(model, SwapEMAWeights(swap_on_epoch), watch)
    seen = watch.seen
    for epoch in range(3):
        np.testing.assert_allclose(seen["test"][2 * epoch], averages[epoch], rtol=1e-5)
        np.testing.assert_allclose(seen["end"][epoch], (averages if swap_on_epoch else weights)[epoch], rtol=1e-5)
    for epoch in range(2):
        np.testing.assert_array_equal(seen["begin"][epoch + 1], weights[epoch])
    np.testing.assert_allclose(history.history["val_loss"], [mse(w) for w in averages], rtol=1e-5)
    np.testing.assert_allclose(model.get_weights()[0], averages[-1], rtol=1e-5)  # as always with `use_ema`


def test_keras_validation_is_as_evaluation_afterwards():
    model = make()
    history = fit(model, SwapEMAWeights(), epochs=2)
    assert history.history["val_loss"][-1] == model.evaluate(X, Y, batch_size=5, verbose=0)
    model = make()
    assert fit(model, epochs=2).history["val_loss"][-1] != model.evaluate(X, Y, batch_size=5, verbose=0)


def test_a_checkpoint_behind_it_has_the_averages(epochs, tmp_path):
    checkpoint = ModelCheckpoint(tmp_path / "{epoch}.weights.h5", save_weights_only=True)
    stop = LambdaCallback(on_epoch_end=lambda epoch, logs: setattr(model, "stop_training", epoch == 1))
    model = make()
    fit(model, SwapEMAWeights(swap_on_epoch=True), checkpoint, stop)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["1.weights.h5", "2.weights.h5"]
    saved = make()
    saved.load_weights(tmp_path / "1.weights.h5")
    np.testing.assert_allclose(saved.get_weights()[0], epochs[1][0], rtol=1e-5)
    np.testing.assert_allclose(model.get_weights()[0], epochs[1][1], rtol=1e-5)  # also when stopped early


def test_a_backup_has_both(epochs, tmp_path):
    def fail(epoch, logs):
        if epoch == 2:
            raise RuntimeError("interrupted")

    swap = SwapEMAWeights(swap_on_epoch=True)
    with pytest.raises(RuntimeError, match="interrupted"):
        fit(make(), swap, BackupAndRestore(tmp_path), LambdaCallback(on_epoch_begin=fail))
    model, watch = make(), Watch()
    fit(model, SwapEMAWeights(swap_on_epoch=True), watch, BackupAndRestore(tmp_path))
    np.testing.assert_array_equal(watch.seen["begin"][0], epochs[0][1])
    np.testing.assert_allclose(model.get_weights()[0], epochs[1][2], rtol=1e-5)


def test_evaluate_and_predict(epochs):
    model = make()
    fit(model, epochs=1)
    model.set_weights([np.zeros((3, 2))])
    average = epochs[1][0]
    assert model.evaluate(X, Y, verbose=0, callbacks=[SwapEMAWeights()]) == pytest.approx(mse(average), rel=1e-5)
    predictions = model.predict(X, verbose=0, callbacks=[SwapEMAWeights()])
    np.testing.assert_allclose(predictions, X @ average, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(model.get_weights()[0], np.zeros((3, 2)))


def test_an_optimizer_without_averages():
    with pytest.raises(ValueError, match="SwapEMAWeights must be used when `use_ema=True` is set.*use_ema=False"):
        fit(make(use_ema=False), SwapEMAWeights())
