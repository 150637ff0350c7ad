"""The base of every callback: hooks that do nothing."""


class Callback:
    """Override the hooks you need, and give an instance to `fit`, `evaluate` or `predict`.

    Under MPI every rank has its own instance and calls the same hooks with the same logs: what is decided from `logs`
    is decided alike on all ranks. What writes files or prints belongs on rank 0 only. After the hooks the ranks meet:
    all stop if one has set `model.stop_training`; a learning rate or weights that some ranks have set, or that differ,
    become rank 0's on all; and it is an error on all if one rank is in a method that all must call, like
    `model.predict`, and the others are not.

    `logs` of batch hooks are worked out when they are first looked at: a hook that ignores them costs next to nothing.

    Attributes:
        model: The model, once a run has begun.
        params: Dictionary with `verbose`, `epochs` and `steps`.

    Example:
        >>> class Stop(dseq.callbacks.Callback):
        ...     def on_epoch_end(self, epoch, logs=None):
        ...         self.model.stop_training = logs["accuracy"] > 0.98
    """

    # Class attributes, so that a subclass may leave out `super().__init__()`.
    model = None
    params = None

    def set_params(self, params):
        """Takes what is known about the run: `verbose`, `epochs` and `steps`."""
        self.params = params

    def set_model(self, model):
        """Takes the model that the run is about."""
        self.model = model

    def on_batch_begin(self, batch, logs=None):
        """Another name for `on_train_batch_begin`."""

    def on_batch_end(self, batch, logs=None):
        """Another name for `on_train_batch_end`."""

    def on_epoch_begin(self, epoch, logs=None):
        """Called at the start of an epoch of training.

        Args:
            epoch: Number of the epoch, from 0.
            logs: Empty.
        """

    def on_epoch_end(self, epoch, logs=None):
        """Called at the end of an epoch of training, after validation.

        Args:
            epoch: Number of the epoch, from 0.
            logs: Loss and metrics of the epoch; those of validation are called `val_...`.
        """

    def on_train_batch_begin(self, batch, logs=None):
        """Called before a batch is trained on.

        Args:
            batch: Number of the batch in the epoch, from 0.
            logs: Empty.
        """
        self.on_batch_begin(batch, logs)

    def on_train_batch_end(self, batch, logs=None):
        """Called after a batch was trained on.

        Args:
            batch: Number of the batch in the epoch, from 0.
            logs: Loss and metrics of the epoch up to here.
        """
        self.on_batch_end(batch, logs)

    def on_test_batch_begin(self, batch, logs=None):
        """Called before a batch is evaluated, also in the validation of `fit`."""

    def on_test_batch_end(self, batch, logs=None):
        """Called after a batch was evaluated; `logs` are loss and metrics up to here."""

    def on_predict_batch_begin(self, batch, logs=None):
        """Called before a batch is predicted."""

    def on_predict_batch_end(self, batch, logs=None):
        """Called after a batch was predicted; `logs["outputs"]` are the predictions."""

    def on_train_begin(self, logs=None):
        """Called at the start of `fit`."""

    def on_train_end(self, logs=None):
        """Called at the end of `fit`; `logs` are those of the last epoch."""

    def on_test_begin(self, logs=None):
        """Called at the start of `evaluate`, and of each validation."""

    def on_test_end(self, logs=None):
        """Called at the end of `evaluate`, and of each validation; `logs` are loss and metrics."""

    def on_predict_begin(self, logs=None):
        """Called at the start of `predict`."""

    def on_predict_end(self, logs=None):
        """Called at the end of `predict`."""

    # Keeping.

    def save_state(self) -> dict:
        """What `BackupAndRestore` keeps of this callback between its hooks: overridden by those that remember things.

        Returns:
            A dictionary of numbers, strings, None, arrays, and lists and dictionaries of these.
        """
        return {}

    def load_state(self, state) -> None:
        """Takes what `save_state` gave in a job that was interrupted, after `on_train_begin`.

        Args:
            state: That dictionary; tuples have become lists.
        """


HOOKS = tuple(name for name in vars(Callback) if name.startswith("on_"))
