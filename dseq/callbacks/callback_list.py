"""Several callbacks behind the interface of one: what the trainer calls."""

from dseq.callbacks.backup_and_restore import BackupAndRestore
from dseq.callbacks.callback import HOOKS, Callback
from dseq.callbacks.history import History
from dseq.callbacks.meeting import meet
from dseq.callbacks.progress import ProgbarLogger

BATCH_HOOKS = tuple(name for name in HOOKS if "_batch_" in name and not name.startswith("on_batch_"))
RUN_HOOKS = tuple(name for name in HOOKS if "_batch_" not in name)
# A training hook calls the older name, so overriding either counts.
OLDER_NAMES = {"on_train_batch_begin": "on_batch_begin", "on_train_batch_end": "on_batch_end"}
# After these all ranks must know whether to stop, which a signal handler may decide on one of them.
DECIDING = ("on_train_batch_end", "on_epoch_end")


class CallbackList(Callback):
    """Calls each hook of each callback, in the order of the list; `History` and the progress bar come last.

    Batch hooks go only to the callbacks that override them, so a run without such callbacks pays nothing for them.
    A `BackupAndRestore` saves when all the others have heard of the epoch or batch.

    Args:
        callbacks: A callback, a list of them (it may hold further lists), another `CallbackList`, or None.
        add_history: Whether to add a `History` if there is none; it becomes `model.history`.
        add_progbar: Whether to add a `ProgbarLogger` if there is none.
        model: The model of the run.
        batch_size: Number of samples in a step, for the progress bar, or None.
        **params: `verbose`, `epochs` and `steps`.

    Raises:
        ValueError: If something in the list is not a callback.
    """

    def __init__(self, callbacks=None, add_history=False, add_progbar=False, model=None, batch_size=None, **params):
        self.callbacks = _flat(callbacks)
        if add_history and not any(isinstance(callback, History) for callback in self.callbacks):
            self.callbacks.append(History())
        if add_progbar and not any(isinstance(callback, ProgbarLogger) for callback in self.callbacks):
            self.callbacks.append(ProgbarLogger())
        for callback in self.callbacks:
            if isinstance(callback, ProgbarLogger) and batch_size is not None:
                callback.batch_size = batch_size
        self._find_hooks()
        if model is not None:
            self.set_model(model)
        if params:
            self.set_params(params)

    def append(self, callback):
        """Adds a callback at the end."""
        self.callbacks.extend(_flat(callback))
        self._find_hooks()

    def _find_hooks(self):
        self._batch_hooks = {
            hook: [getattr(callback, hook) for callback in self.callbacks if _overrides(callback, hook)]
            for hook in BATCH_HOOKS
        }
        self._backups = [callback for callback in self.callbacks if isinstance(callback, BackupAndRestore)]
        self._world = None
        self._meetings = frozenset()
        self._stops = False

    def join(self, world) -> None:
        """Makes the ranks meet after hooks from now on; called by all ranks, with callbacks of the same classes.

        Args:
            world: The communicator.
        """
        if world is self._world or world.size == 1:
            return
        self._world = world
        if all(isinstance(callback, History | ProgbarLogger) for callback in self.callbacks):
            self._meetings = frozenset(["on_epoch_end"])
            return
        mine = {"on_epoch_end", *(hook for hook in HOOKS if any(_asks(hook, one) for one in self.callbacks))}
        if "on_train_batch_begin" in mine:
            mine.add("on_train_batch_end")  # where it is looked whether to stop
        # A function given as hook may be there on some ranks only.
        everywhere = world.compare("the list of callbacks", [(hook, "") for hook in sorted(mine)])
        self._meetings = frozenset(mine.union(hook for facts in everywhere for hook, _ in facts))

    def meets(self, hook) -> bool:
        """Whether the ranks meet after a hook: it is overridden, on some rank, by more than a progress bar."""
        return hook in self._meetings

    def _meet(self, hook):
        if hook in self._meetings:
            self._stops = meet(self._world, self.model, hook)

    @property
    def history(self):
        """The `History` in the list, or None."""
        return next((callback for callback in self.callbacks if isinstance(callback, History)), None)

    @property
    def has_batch_hooks(self) -> bool:
        """Whether any callback wants to hear of batches at all."""
        return any(self._batch_hooks.values()) or not self._meetings.isdisjoint(BATCH_HOOKS)

    @property
    def needs_batch_logs(self) -> bool:
        """Whether any callback may look at the logs of a batch of training or evaluation."""
        return bool(self._batch_hooks["on_train_batch_end"] or self._batch_hooks["on_test_batch_end"])

    def has_hook(self, hook) -> bool:
        """Whether any callback overrides a batch hook, for instance `"on_predict_batch_end"`."""
        return bool(self._batch_hooks[hook])

    def has_user_hook(self, hook) -> bool:
        """Whether any callback but the progress bar overrides a batch hook, here or on another rank."""
        owners = [getattr(function, "__self__", None) for function in self._batch_hooks[hook]]  # None: a plain function
        return any(not isinstance(owner, ProgbarLogger) for owner in owners) or hook in self._meetings

    @property
    def stops(self) -> bool:
        """Whether training ends here: on several ranks, what they have agreed on when they met last."""
        return self._stops if self._world is not None else bool(self.model.stop_training)

    @property
    def may_stop_in_epoch(self) -> bool:
        """Whether a callback, here or on another rank, may end training after any batch."""
        return self.has_user_hook("on_train_batch_begin") or self.has_user_hook("on_train_batch_end")

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

    @property
    def backups(self) -> list:
        """The `BackupAndRestore` callbacks that save."""
        return [backup for backup in self._backups if backup.save_freq]

    def on_batch_begin(self, batch, logs=None):
        self.on_train_batch_begin(batch, logs)

    def on_batch_end(self, batch, logs=None):
        self.on_train_batch_end(batch, logs)

    def _call_batch(self, name, batch, logs):
        for hook in self._batch_hooks[name]:
            hook(batch, {} if logs is None else logs)
        self._meet(name)

    def on_train_batch_begin(self, batch, logs=None):
        self._call_batch("on_train_batch_begin", batch, logs)

    def on_train_batch_end(self, batch, logs=None):
        self._call_batch("on_train_batch_end", batch, logs)
        for backup in self._backups:
            backup.save_if_due()

    def on_test_batch_begin(self, batch, logs=None):
        self._call_batch("on_test_batch_begin", batch, logs)

    def on_test_batch_end(self, batch, logs=None):
        self._call_batch("on_test_batch_end", batch, logs)

    def on_predict_batch_begin(self, batch, logs=None):
        self._call_batch("on_predict_batch_begin", batch, logs)

    def on_predict_batch_end(self, batch, logs=None):
        self._call_batch("on_predict_batch_end", batch, logs)

    def _call(self, hook, *arguments, logs):
        # One dictionary for all: what a callback adds, those after it see.
        logs = {} if logs is None else logs
        for callback in self.callbacks:
            getattr(callback, hook)(*arguments, logs)
        self._meet(hook)

    def on_epoch_begin(self, epoch, logs=None):
        self._call("on_epoch_begin", epoch, logs=logs)

    def on_epoch_end(self, epoch, logs=None):
        self._call("on_epoch_end", epoch, logs=logs)
        for backup in self._backups:
            backup.save_if_due()

    def on_train_begin(self, logs=None):
        for backup in self._backups:
            backup.attend(self.callbacks)
        self._call("on_train_begin", logs=logs)
        for backup in self._backups:
            backup.restore_callbacks()

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
    return any(_is_own(callback, name) for name in (hook, OLDER_NAMES.get(hook, hook)))


def _is_own(callback, name):
    function = getattr(getattr(callback, name), "__func__", None)
    if function is getattr(Callback, name):
        return False
    # dseq's own callbacks know of hooks that do nothing with the arguments they got.
    idle = name in getattr(callback, "_idle_hooks", ())
    return not (idle and function is not None and function.__module__.startswith("dseq.callbacks."))


def _asks(hook, callback) -> bool:
    """Whether the ranks must meet because of a callback's hook.

    dseq's own callbacks do the same on all ranks. Those that a user wrote, or gave functions to, may not.
    """
    if isinstance(callback, ProgbarLogger) or not _overrides(callback, hook):
        return False
    if hook in DECIDING:
        return True
    given = any(name in vars(callback) for name in (hook, OLDER_NAMES.get(hook, hook)))
    own = type(callback).__module__.startswith("dseq.callbacks.") and not given
    return not own or getattr(callback, "_calls_user_code", False)
