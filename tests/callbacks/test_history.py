"""History: values by name, epochs, the order of names, curves as text and as pictures."""

import builtins
import sys
from types import SimpleNamespace

import pytest

from dseq.callbacks import History
from tests.callbacks.fake_model import FakeModel


def recorded(**values):
    history = History()
    history.history = values
    history.epoch = list(range(max(map(len, values.values()))))
    return history


def test_values_epochs_and_order():
    history, model = History(), FakeModel()
    history.set_model(model)
    history.set_params({"verbose": "auto", "epochs": 5, "steps": 2})
    history.on_train_begin()
    history.on_epoch_end(3, {"val_loss": 4.0, "loss": 2.0, "wer": 0.5, "accuracy": 0.25})
    history.on_epoch_end(4, {"loss": 1.0, "accuracy": 0.5, "wer": 0.25})
    assert history.history == {"accuracy": [0.25, 0.5], "loss": [2.0, 1.0], "wer": [0.5, 0.25], "val_loss": [4.0]}
    assert list(history.history) == ["accuracy", "loss", "val_loss", "wer"]
    assert history.epoch == [3, 4]
    assert history.params == {"verbose": "auto", "epochs": 5, "steps": 2}
    assert model.history is history


def test_curves_as_text(monkeypatch):
    monkeypatch.setattr(sys, "stdout", SimpleNamespace(encoding="utf-8"))
    history = recorded(loss=[8.0, 7.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1.0], val_loss=[20000.0, 0.0001], same=[0.5] * 3)
    assert str(history).splitlines() == [
        "loss      8.0000 █▇▆▅▄▃▂▁ 1.0000",
        "val_loss  2e+04 █▁ 0.0001",
        "same      0.5000 ▁▁▁ 0.5000",
    ]
    assert history.sparkline("loss", width=4) == "loss  8.0000 █▆▃▁ 1.0000"
    assert str(History()) == "History of no epochs"


def test_what_is_no_number_is_told(monkeypatch):
    monkeypatch.setattr(sys, "stdout", SimpleNamespace(encoding="utf-8"))
    history = recorded(loss=[1.0, float("nan"), float("inf"), 0.0], note=["a"] * 4, bad=[float("nan")] * 4)
    assert history.sparkline() == "loss  1.0000 █!!▁ 0"


def test_a_terminal_that_knows_letters_only(monkeypatch):
    monkeypatch.setattr(sys, "stdout", SimpleNamespace(encoding="ascii"))
    assert recorded(loss=[3.0, 2.0, 1.0]).sparkline() == "loss  3.0000 @+. 1.0000"


@pytest.mark.parametrize("call", [lambda h: h.sparkline("acc"), lambda h: h.plot(names=["acc"])])
def test_unknown_names(call):
    with pytest.raises(ValueError, match=r"The history has loss, val_mae. Received: names=\['acc'\]"):
        call(recorded(loss=[1.0], val_mae=[1.0]))


def test_other_mistakes():
    with pytest.raises(ValueError, match="Received: width=0"):
        recorded(loss=[1.0]).sparkline(width=0)
    with pytest.raises(ValueError, match="nothing to plot before an epoch"):
        History().plot()


def test_a_plot_without_matplotlib(monkeypatch):
    real = builtins.__import__

    def without(name, *args, **kwargs):
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ImportError, match=r"needs Matplotlib: `pip install dseq\[plot\]`"):
        recorded(loss=[1.0]).plot()


def test_plot(tmp_path):
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("agg")
    history = recorded(accuracy=[0.1, 0.5, 0.6, 0.7], loss=[4.0, 3.0, 2.0, 1.0], val_loss=[5.0, 2.5])
    figure = history.plot(tmp_path / "curves.png")
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")
    left, right = figure.axes
    assert (left.get_title(), right.get_title()) == ("accuracy", "loss")
    assert [line.get_label() for line in right.get_lines()] == ["training", "validation"]
    assert right.get_lines()[0].get_xydata().tolist() == [[1, 4], [2, 3], [3, 2], [4, 1]]
    assert right.get_lines()[1].get_xydata().tolist() == [[2, 5], [4, 2.5]]  # every second epoch
    assert len(history.plot(tmp_path / "loss.svg", names="loss").axes) == 1
