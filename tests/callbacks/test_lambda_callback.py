"""LambdaCallback: functions become hooks, anything else is refused."""

import pytest

from dseq.callbacks import CallbackList, LambdaCallback


def test_functions_are_called():
    calls = []
    callback = LambdaCallback(
        on_epoch_end=lambda epoch, logs: calls.append((epoch, logs)),
        on_train_end=lambda logs: calls.append(logs),
        on_test_batch_end=lambda batch, logs: calls.append(batch),
    )
    callbacks = CallbackList(callback)
    callbacks.on_epoch_begin(0)
    callbacks.on_epoch_end(0, {"loss": 1.0})
    callbacks.on_train_end({"loss": 2.0})
    callbacks.on_test_batch_end(9)
    assert calls == [(0, {"loss": 1.0}), {"loss": 2.0}, 9]


def test_unknown_hooks_and_values_that_are_no_functions():
    with pytest.raises(ValueError, match="takes only the hooks .*on_train_begin.* Received: on_epoch_ended"):
        LambdaCallback(on_epoch_ended=print)
    with pytest.raises(ValueError, match="must be a function. Received: on_epoch_end=3"):
        LambdaCallback(on_epoch_end=3)
    assert LambdaCallback(factor=3, helper=len).factor == 3
