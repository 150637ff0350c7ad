"""CallbackList: the order of calls, who hears of batches, and what is in the list."""

import pytest

from dseq.callbacks import Callback, CallbackList, History, LambdaCallback, ProgbarLogger
from dseq.callbacks.callback import HOOKS
from dseq.callbacks.logs import LazyLogs
from tests.callbacks.fake_model import FakeModel

ARGUMENTS = {hook: () if "_batch_" not in hook and "epoch" not in hook else (3,) for hook in HOOKS}
PLAIN_HOOKS = [hook for hook in HOOKS if hook not in ("on_batch_begin", "on_batch_end")]


def recorder(calls, name):
    members = {hook: lambda self, *args, hook=hook, **kwargs: calls.append((name, hook, args)) for hook in PLAIN_HOOKS}
    return type(name, (Callback,), members)()


def test_eighteen_methods():
    assert len(HOOKS) + len(["set_model", "set_params"]) == 18


@pytest.mark.parametrize("hook", PLAIN_HOOKS)
def test_each_hook_reaches_each_callback_in_order(hook):
    calls = []
    callbacks = CallbackList([recorder(calls, "first"), recorder(calls, "second")])
    logs = {"loss": 1.0}
    getattr(callbacks, hook)(*ARGUMENTS[hook], logs)
    assert calls == [(name, hook, (*ARGUMENTS[hook], logs)) for name in ("first", "second")]
    calls.clear()
    getattr(callbacks, hook)(*ARGUMENTS[hook])
    assert calls[0] == ("first", hook, (*ARGUMENTS[hook], {}))


@pytest.mark.parametrize("hook", ["on_batch_begin", "on_batch_end"])
def test_older_names_of_training_hooks(hook):
    calls = []

    class Older(Callback):
        pass

    setattr(Older, hook, lambda self, batch, logs=None: calls.append((batch, logs)))
    callbacks = CallbackList(Older())
    assert callbacks.has_batch_hooks
    getattr(callbacks, hook.replace("on_", "on_train_"))(7, {"loss": 2.0})
    getattr(callbacks, hook)(8)
    assert calls == [(7, {"loss": 2.0}), (8, {})]


def test_nobody_wants_batches():
    callbacks = CallbackList([History(), LambdaCallback(on_epoch_end=print), Callback()])
    assert not callbacks.has_batch_hooks and not callbacks.needs_batch_logs
    callbacks.on_train_batch_end(0, LazyLogs(lambda: pytest.fail("logs were computed for nobody")))


@pytest.mark.parametrize(
    "hook, reads_logs",
    [
        ("on_train_batch_begin", False),
        ("on_train_batch_end", True),
        ("on_batch_end", True),
        ("on_test_batch_end", True),
        ("on_predict_batch_end", False),
    ],
)
def test_somebody_wants_batches(hook, reads_logs):
    callbacks = CallbackList(LambdaCallback(**{hook: lambda batch, logs: None}))
    assert callbacks.has_batch_hooks
    assert callbacks.needs_batch_logs == reads_logs
    assert callbacks.has_hook(hook.replace("on_batch", "on_train_batch"))


def test_a_callback_that_ignores_logs_does_not_compute_them():
    seen = []
    callbacks = CallbackList([LambdaCallback(on_train_batch_end=lambda batch, logs: seen.append(batch))])
    callbacks.on_train_batch_end(0, LazyLogs(lambda: pytest.fail("logs were computed for nobody")))
    assert seen == [0]


def test_lazy_logs_are_a_dictionary_computed_once():
    computed = []

    def compute():
        computed.append(1)
        return {"loss": 1.5, "accuracy": 0.5}

    logs = LazyLogs(compute)
    assert not computed
    assert logs["loss"] == 1.5 and logs.get("nothing") is None and "accuracy" in logs and len(logs) == 2 and logs
    logs["learning_rate"] = 0.1
    assert dict(logs) == logs.copy() == {"loss": 1.5, "accuracy": 0.5, "learning_rate": 0.1}
    del logs["learning_rate"]
    assert repr(logs) == "{'loss': 1.5, 'accuracy': 0.5}"
    assert computed == [1]


def test_history_and_bar_are_added_once_and_last():
    mine = Callback()
    model = FakeModel()
    callbacks = CallbackList([mine], add_history=True, add_progbar=True, model=model, verbose=0, epochs=2, steps=5)
    assert [type(one) for one in callbacks.callbacks] == [Callback, History, ProgbarLogger]
    assert model.history is callbacks.history is callbacks.callbacks[1]
    assert all(one.model is model for one in callbacks.callbacks)
    assert all(one.params == {"verbose": 0, "epochs": 2, "steps": 5} for one in callbacks.callbacks)

    own = [History(), ProgbarLogger()]
    assert CallbackList(own, add_history=True, add_progbar=True).callbacks == own
    assert CallbackList(None).callbacks == []


def test_lists_in_lists_and_a_list_already_made():
    a, b, c = Callback(), Callback(), Callback()
    made = CallbackList([a, [b, (c,)]])
    assert made.callbacks == [a, b, c]
    again = CallbackList(made, add_history=True)
    assert again.callbacks[:3] == [a, b, c] and len(made.callbacks) == 3


def test_append_is_heard():
    calls = []
    callbacks = CallbackList()
    callbacks.append(recorder(calls, "late"))
    callbacks.on_train_batch_end(0, {})
    assert [call[0] for call in calls] == ["late"]


@pytest.mark.parametrize("wrong", ["early", print, History, [3]])
def test_only_instances_of_callbacks(wrong):
    with pytest.raises(ValueError, match="must be instances of dseq.callbacks.Callback. Received: "):
        CallbackList(wrong)


def test_what_one_callback_adds_the_next_sees():
    callbacks = CallbackList(
        LambdaCallback(on_epoch_end=lambda epoch, logs: logs.update(learning_rate=0.1)), add_history=True
    )
    callbacks.on_epoch_end(0, {"loss": 1.0})
    assert callbacks.history.history == {"learning_rate": [0.1], "loss": [1.0]}


def test_a_subclass_need_not_call_init():
    class Bare(Callback):
        def __init__(self):
            pass

    assert Bare().model is None and Bare().params is None
