"""A model with one number as its weight, that keeps account of what is done to it."""

from types import SimpleNamespace


class FakeModel:
    def __init__(self, **metrics):
        self.metrics = [SimpleNamespace(name=name, _direction=direction) for name, direction in metrics.items()]
        self.stop_training = False
        self.weight = 0
        self.saved = []

    def get_weights(self):
        return [self.weight]

    def set_weights(self, weights):
        (self.weight,) = weights

    def save_weights(self, filepath, overwrite=True):
        self.saved.append(filepath)


def train(callback, values, monitor="val_loss", model=None):
    """Runs the epochs of a `fit` whose weight is the epoch's number; returns the model and the epochs that were run."""
    model = model or FakeModel()
    callback.set_model(model)
    callback.on_train_begin()
    epochs = []
    for epoch, value in enumerate(values):
        callback.on_epoch_begin(epoch)
        model.weight = epoch
        epochs.append(epoch)
        callback.on_epoch_end(epoch, {monitor: value})
        if model.stop_training:
            break
    callback.on_train_end()
    return model, epochs
