"""Several callbacks behind the interface of one: what the trainer calls."""

from dseq.callbacks.callback import HOOKS, Callback
from dseq.callbacks.history import History
from dseq.callbacks.progress import ProgbarLogger

BATCH_HOOKS = tuple(name for name in HOOKS if "_batch_" in name and not name.startswith("on_batch_"))
# A training hook calls the older name, so overriding either counts.
OLDER_NAMES = {"on_train_batch_begin": "on_batch_begin", "on_train_batch_end": "on_batch_end"}


class CallbackList(Callback):
    """Calls each hook of each callback, in the order of the list; `History` and the progress bar come last.

    Batch hooks go only to the callbacks that override them, so a run without such callbacks pays nothing for them.

    Args:
        callbacks: A callback, a list of them (it may hold further lists), another `CallbackList`, or None.
        add_history: Whether to add a `History` if there is none; it becomes `model.history`.
        add_progbar: Whether to add a `ProgbarLogger` if there is none.
        model: The model of the run.
        **params: `verbose`, `epochs` and `steps`.

    Raises:
        ValueError: If something in the list is not a callback.
    """

    def __init__(self, callbacks=None, add_history=False, add_progbar=False, model=None, **params):
        self.callbacks = _flat(callbacks)
        if add_history and not any(isinstance(callback, History) for callback in self.callbacks):
            self.callbacks.append(History())
        if add_progbar and not any(isinstance(callback, ProgbarLogger) for callback in self.callbacks):
            self.callbacks.append(ProgbarLogger())
        self._find_batch_hooks()
        if model is not None:
            self.set_model(model)
        if params:
            self.set_params(params)

    def append(self, callback):
        """Adds a callback at the end."""
        self.callbacks.extend(_flat(callback))
        self._find_batch_hooks()

    def _find_batch_hooks(self):
        self._batch_hooks = {
            hook: [getattr(callback, hook) for callback in self.callbacks if _overrides(callback, hook)]
            for hook in BATCH_HOOKS
        }

    @property
    def history(self):
        """The `History` in the list, or None."""
        return next((callback for callback in self.callbacks if isinstance(callback, History)), None)

    @property
    def has_batch_hooks(self) -> bool:
        """Whether any callback wants to hear of batches at all."""
        return any(self._batch_hooks.values())

    @property
    def needs_batch_logs(self) -> bool:
        """Whether any callback may look at the logs of a batch of training or evaluation."""
        return bool(self._batch_hooks["on_train_batch_end"] or self._batch_hooks["on_test_batch_end"])

    def has_hook(self, hook) -> bool:
        """Whether any callback overrides a batch hook, for instance `"on_predict_batch_end"`."""
        return bool(self._batch_hooks[hook])

    def has_user_hook(self, hook) -> bool:
        """Whether any callback but the progress bar overrides a batch hook."""
        owners = [getattr(function, "__self__", None) for function in self._batch_hooks[hook]]  # None: a plain function
        return any(not isinstance(owner, ProgbarLogger) for owner in owners)

    def set_params(self, params):
        self.params = params
        for callback in self.callbacks:
            callback.set_params(params)

    def set_model(self, model):
        self.model = model
        if self.history is not None:
            model.history = self.history
        for callback in self.callbacks:
            callback.set_model(model)

    def on_batch_begin(self, batch, logs=None):
        self.on_train_batch_begin(batch, logs)

    def on_batch_end(self, batch, logs=None):
        self.on_train_batch_end(batch, logs)

    def on_train_batch_begin(self, batch, logs=None):
        for hook in self._batch_hooks["on_train_batch_begin"]:
            hook(batch, {} if logs is None else logs)

    def on_train_batch_end(self, batch, logs=None):
        for hook in self._batch_hooks["on_train_batch_end"]:
            hook(batch, {} if logs is None else logs)

    def on_test_batch_begin(self, batch, logs=None):
        for hook in self._batch_hooks["on_test_batch_begin"]:
            hook(batch, {} if logs is None else logs)

    def on_test_batch_end(self, batch, logs=None):
        for hook in self._batch_hooks["on_test_batch_end"]:
            hook(batch, {} if logs is None else logs)

    def on_predict_batch_begin(self, batch, logs=None):
        for hook in self._batch_hooks["on_predict_batch_begin"]:
            hook(batch, {} if logs is None else logs)

    def on_predict_batch_end(self, batch, logs=None):
        for hook in self._batch_hooks["on_predict_batch_end"]:
            hook(batch, {} if logs is None else logs)

    def _call(self, hook, *arguments, logs):
        # One dictionary for all: what a callback adds, those after it see.
        logs = {} if logs is None else logs
        for callback in self.callbacks:
            getattr(callback, hook)(*arguments, logs)

    def on_epoch_begin(self, epoch, logs=None):
        self._call("on_epoch_begin", epoch, logs=logs)

    def on_epoch_end(self, epoch, logs=None):
        self._call("on_epoch_end", epoch, logs=logs)

    def on_train_begin(self, logs=None):
        self._call("on_train_begin", logs=logs)

    def on_train_end(self, logs=None):
        self._call("on_train_end", logs=logs)

    def on_test_begin(self, logs=None):
        self._call("on_test_begin", logs=logs)

    def on_test_end(self, logs=None):
        self._call("on_test_end", logs=logs)

    def on_predict_begin(self, logs=None):
        self._call("on_predict_begin", logs=logs)

    def on_predict_end(self, logs=None):
        self._call("on_predict_end", logs=logs)


def _flat(callbacks) -> list:
    """The callbacks of any nesting of lists."""
    if callbacks is None:
        return []
    if isinstance(callbacks, CallbackList):
        return list(callbacks.callbacks)
    if isinstance(callbacks, list | tuple):
        return [one for item in callbacks for one in _flat(item)]
    if isinstance(callbacks, type) or not all(callable(getattr(callbacks, hook, None)) for hook in HOOKS):
        raise ValueError(
            f"`callbacks` must be instances of dseq.callbacks.Callback. Received: {callbacks!r}. "
            + ("Make an instance of the class." if isinstance(callbacks, type) else "Subclass dseq.callbacks.Callback.")
        )
    return [callbacks]


def _overrides(callback, hook) -> bool:
    """Whether a callback has a hook of its own, as a method or as an attribute of the instance."""
    names = (hook, OLDER_NAMES.get(hook, hook))
    return any(getattr(getattr(callback, name), "__func__", None) is not getattr(Callback, name) for name in names)
