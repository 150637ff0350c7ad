"""History: values by name, epochs, and the order of names."""

from dseq.callbacks import History
from tests.callbacks.fake_model import FakeModel


def test_values_epochs_and_order():
    history, model = History(), FakeModel()
    history.set_model(model)
    history.set_params({"verbose": "auto", "epochs": 5, "steps": 2})
    history.on_train_begin()
    history.on_epoch_end(3, {"val_loss": 4.0, "loss": 2.0, "wer": 0.5, "accuracy": 0.25})
    history.on_epoch_end(4, {"loss": 1.0, "accuracy": 0.5, "wer": 0.25})
    assert history.history == {"accuracy": [0.25, 0.5], "loss": [2.0, 1.0], "wer": [0.5, 0.25], "val_loss": [4.0]}
    assert list(history.history) == ["accuracy", "loss", "wer", "val_loss"]
    assert history.epoch == [3, 4]
    assert history.params == {"verbose": "auto", "epochs": 5, "steps": 2}
    assert model.history is history
