"""TerminateOnNaN: stops or raises on NaN and infinity, and on nothing else."""

import math

import pytest

from dseq.callbacks import CallbackList, TerminateOnNaN
from dseq.callbacks.logs import LazyLogs
from tests.callbacks.fake_model import FakeModel


@pytest.mark.parametrize("loss, stops", [(1.0, False), (math.nan, True), (math.inf, True), (-math.inf, True)])
def test_stops(loss, stops, capsys):
    model = FakeModel()
    callbacks = CallbackList(TerminateOnNaN(), model=model)
    assert callbacks.needs_batch_logs
    callbacks.on_train_batch_end(4, LazyLogs(lambda: {"loss": loss}))
    assert model.stop_training == stops
    assert ("Batch 4: Invalid loss, terminating training" in capsys.readouterr().out) == stops


def test_no_loss_is_no_reason():
    model = FakeModel()
    CallbackList(TerminateOnNaN(), model=model).on_train_batch_end(0)
    assert not model.stop_training


def test_raises():
    with pytest.raises(RuntimeError, match="NaN or Inf loss encountered at batch 2.*Received: loss=nan"):
        TerminateOnNaN(raise_error=True).on_train_batch_end(2, {"loss": math.nan})
    with pytest.raises(ValueError, match="Received: raise_error=1"):
        TerminateOnNaN(raise_error=1)
