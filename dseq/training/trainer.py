"""Training, evaluation and prediction on all ranks: the loop."""

from dseq.callbacks import CallbackList, LazyLogs
from dseq.parallel import communicator
from dseq.parallel.shard import batch_slices, epoch_order, shard
from dseq.training.arguments import agree, hold_out, is_due, positive, weights_for
from dseq.training.compiled import Compiled
from dseq.training.data import as_arrays, samples, split
from dseq.training.session import Predicting, Testing, Training


class Trainer:
    """What makes a model trainable: `compile`, `fit`, `evaluate`, `predict`.

    Every method here but `compile` is called by all ranks with the same arguments. `batch_size` is the global batch:
    each rank takes its rows of it, and results do not depend on the number of ranks.
    """

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self._compiled = None
        self._sessions = {}
        self.stop_training = False
        self.history = None

    # Compiling.

    def compile(
        self,
        optimizer="rmsprop",
        loss=None,
        loss_weights=None,
        metrics=None,
        weighted_metrics=None,
        run_eagerly=False,
        steps_per_execution=1,
        jit_compile="auto",
        auto_scale_loss=True,
    ) -> None:
        """Says how the model is trained.

        Args:
            optimizer: Name or `Optimizer`.
            loss: Name or `Loss`.
            loss_weights: Weights of the losses of several outputs.
            metrics: List of names or `Metric`s.
            weighted_metrics: List of metrics that take sample weights into account.
            run_eagerly: True runs the kernels as plain Python, slowly, for the debugger.
            steps_per_execution: Steps between two calls of the callbacks' batch hooks.
            jit_compile: `"auto"` or True: the whole step is one compiled call. False: compiled kernels are called one
                by one from Python. Both give the same bits.
            auto_scale_loss: Accepted as in Keras; losses are never scaled in float32 and float64.

        Raises:
            ValueError: If a name is unknown or an argument does not fit.
        """
        if not isinstance(steps_per_execution, int) or steps_per_execution < 1:
            raise ValueError(f"`steps_per_execution` must be a positive integer. Received: {steps_per_execution!r}")
        if jit_compile not in ("auto", True, False):
            raise ValueError(f"`jit_compile` must be 'auto', True or False. Received: jit_compile={jit_compile!r}")
        self._compiled = Compiled(optimizer, loss, loss_weights, metrics, weighted_metrics)
        self._runner = "python" if run_eagerly else "table" if jit_compile in ("auto", True) else "calls"
        self.run_eagerly = run_eagerly
        self.steps_per_execution = steps_per_execution
        self.jit_compile = jit_compile
        self._forget_steps()

    @property
    def compiled(self) -> bool:
        """Whether `compile` was called."""
        return self._compiled is not None

    @property
    def optimizer(self):
        """The optimizer given to `compile`, or None."""
        return self._compiled.optimizer if self._compiled else None

    @property
    def loss(self):
        """The loss given to `compile`, or None."""
        return self._compiled.loss if self._compiled else None

    @property
    def metrics(self) -> list:
        """The metrics in use, known once the model has seen data."""
        outputs = (self._compiled and self._compiled.outputs) or []
        return [metric for output in outputs for _, metric, _ in output.metrics]

    @property
    def metrics_names(self) -> list:
        """Names of what `evaluate` returns, loss first."""
        outputs = (self._compiled and self._compiled.outputs) or []
        return ["loss", *(name for output in outputs for name, _, _ in output.metrics)]

    @property
    def plans(self) -> dict:
        """What has been run so far, by kind (`"training"`, `"testing"`, `"predicting"`): `print` shows the program."""
        return {kind.lower(): session.plan for (kind, *_), session in self._sessions.items()}

    def reset_metrics(self) -> None:
        """Sets the metrics back to their beginning."""
        for metric in self.metrics:
            metric.reset_state()

    def _require_compiled(self, method):
        if not self.compiled:
            raise ValueError(f"You must call `compile()` before using the model. Received: a call of `{method}()`.")

    def _forget_steps(self):
        """Drops everything bound to the graph as it was."""
        if getattr(self, "_sessions", None):
            self._sessions.clear()
        self._eager_steps.clear()

    def _build_optimizer(self):
        if self.compiled and self.optimizer is not None:
            self.optimizer.build(self.trainable_variables)

    def _session(self, kind, x, y=None, weighted=False):
        """The bound step for data of these shapes; made once."""
        if not self.built:
            self.build((None, *x[0].shape[1:]))
        trainable = tuple(id(v) for v in self.trainable_variables)
        shapes = tuple(a.shape[1:] for a in x), tuple(a.shape[1:] for a in y or []), weighted
        key = kind.__name__, shapes, trainable if kind is Training else None
        if key not in self._sessions:
            self._sessions[key] = kind(self, x, y or [], weighted)
        return self._sessions[key]

    # Training.

    def fit(
        self,
        x=None,
        y=None,
        batch_size=None,
        epochs=1,
        verbose="auto",
        callbacks=None,
        validation_split=0.0,
        validation_data=None,
        shuffle=True,
        class_weight=None,
        sample_weight=None,
        initial_epoch=0,
        steps_per_epoch=None,
        validation_steps=None,
        validation_batch_size=None,
        validation_freq=1,
    ):
        """Trains for a number of epochs, on all ranks.

        Args:
            x: Array `(samples, ...)`, or a list of arrays for several inputs. All ranks pass the same.
            y: Targets, `(samples, ...)`.
            batch_size: Samples per step over all ranks, 32 if None.
            epochs: Epoch at which training ends.
            verbose: 0 silent, 1 a progress bar, 2 a line per epoch, "auto" 1 on a terminal and else 2. Rank 0 prints.
            callbacks: List of `Callback`s; every rank calls them with the same logs.
            validation_split: Share of the samples, the last ones before shuffling, to validate on.
            validation_data: `(x, y)` or `(x, y, sample_weight)` to validate on.
            shuffle: True: another order each epoch, a function of seed and epoch; "batch": whole batches; False.
            class_weight: `{class: weight}`.
            sample_weight: One weight per sample, or per value of the loss.
            initial_epoch: Epoch to begin with.
            steps_per_epoch: Steps in an epoch, all batches if None.
            validation_steps: Steps of a validation, all batches if None.
            validation_batch_size: As `batch_size`, which it is if None.
            validation_freq: Validate every so many epochs, or in the epochs listed (the first is 1).

        Returns:
            The `History`: its `.history` has a list of values per epoch for each name.

        Raises:
            ValueError: If data do not fit the model, or ranks differ in model or data; the same on every rank.
        """
        self._require_compiled("fit")
        world = communicator.get()
        with world.section("fit"):
            x, y, weights = as_arrays(x, "x"), as_arrays(y, "y"), as_arrays(sample_weight, "sample_weight")
            batch_size = positive(32 if batch_size is None else batch_size, "batch_size")
            agree(world, "fit", self, x, y, weights, batch_size=batch_size, epochs=epochs)
            count = samples(x=x, y=y, sample_weight=weights)
            weights = weights_for(weights, class_weight, y, count)
            held_out = validation_data
            if validation_split and validation_data is None:
                x, y, weights, held_out, count = hold_out(x, y, weights, validation_split, count)
            session = self._session(Training, split(x, 0, batch_size), y, weights is not None)
            feed = session.feed(x, y, weights)
            slices = batch_slices(count, batch_size)
            steps = min(len(slices), steps_per_epoch or len(slices))
            callbacks = _callback_list(
                callbacks, self, verbose, world, epochs=epochs, steps=steps, add_history=True, metrics=self.metrics
            )
            self.stop_training = False
            session.begin(world)
            callbacks.on_train_begin()
            logs = {}
            for epoch in range(initial_epoch, epochs):
                callbacks.on_epoch_begin(epoch)
                session.reset()
                order = epoch_order(count, session.seed, epoch, shuffle, batch_size)
                for i, (lo, hi) in enumerate(slices[:steps]):
                    if i % self.steps_per_execution == 0:
                        callbacks.on_train_batch_begin(i)
                    session.train(feed, order, lo, hi)
                    if (i + 1) % self.steps_per_execution == 0 or i + 1 == steps:
                        callbacks.on_train_batch_end(i, LazyLogs(session.logs))
                        if self.stop_training:
                            break
                logs = session.logs()
                if held_out is not None and is_due(epoch, validation_freq):
                    size = validation_batch_size or batch_size
                    logs |= self._validate(held_out, size, validation_steps, callbacks)
                callbacks.on_epoch_end(epoch, logs)
                if self.stop_training:
                    break
            callbacks.on_train_end(logs)
            return self.history

    def _validate(self, data, batch_size, steps, callbacks):
        if not isinstance(data, tuple | list) or len(data) not in (2, 3):
            raise ValueError(
                "`validation_data` must be a tuple (x, y) or (x, y, sample_weight). "
                f"Received: {type(data).__name__}" + (f" of length {len(data)}" if hasattr(data, "__len__") else "")
            )
        logs = self.evaluate(
            *data[:2],
            batch_size=batch_size,
            sample_weight=data[2] if len(data) == 3 else None,
            steps=steps,
            callbacks=callbacks,
            return_dict=True,
            verbose=0,
        )
        return {f"val_{name}": value for name, value in logs.items()}

    def train_on_batch(self, x, y=None, sample_weight=None, class_weight=None, return_dict=False):
        """One step on one global batch.

        Args:
            x: The batch, the same on all ranks.
            y: Its targets.
            sample_weight: One weight per sample.
            class_weight: `{class: weight}`.
            return_dict: Whether to return a dict.

        Returns:
            The loss before the step, and the metrics, as `evaluate` returns them.
        """
        self._require_compiled("train_on_batch")
        world = communicator.get()
        with world.section("train_on_batch"):
            x, y, weights = as_arrays(x, "x"), as_arrays(y, "y"), as_arrays(sample_weight, "sample_weight")
            agree(world, "train_on_batch", self, x, y, weights)
            count = samples(x=x, y=y, sample_weight=weights)
            weights = weights_for(weights, class_weight, y, count)
            session = self._session(Training, x, y, weights is not None)
            session.begin(world)
            session.reset()
            session.train(session.feed(x, y, weights), None, 0, count)
            return _returned(session.logs(), return_dict)

    # Evaluating.

    def evaluate(
        self,
        x=None,
        y=None,
        batch_size=None,
        verbose="auto",
        sample_weight=None,
        steps=None,
        callbacks=None,
        return_dict=False,
        **kwargs,
    ):
        """The loss and the metrics on data, computed by all ranks; each gets the result.

        Args:
            x: Array `(samples, ...)`, the same on all ranks.
            y: Targets.
            batch_size: Samples per step over all ranks, 32 if None.
            verbose: As in `fit`.
            sample_weight: One weight per sample.
            steps: Steps to run, all batches if None.
            callbacks: List of `Callback`s.
            return_dict: Whether to return a dict.

        Returns:
            The loss as a float; with metrics a list of the loss and the metrics; or a dict of all.
        """
        if kwargs:
            raise ValueError(f"Arguments not recognized: {kwargs}")
        self._require_compiled("evaluate")
        world = communicator.get()
        with world.section("evaluate"):
            x, y, weights = as_arrays(x, "x"), as_arrays(y, "y"), as_arrays(sample_weight, "sample_weight")
            batch_size = positive(32 if batch_size is None else batch_size, "batch_size")
            agree(world, "evaluate", self, x, y, weights, batch_size=batch_size)
            count = samples(x=x, y=y, sample_weight=weights)
            weights = weights_for(weights, None, y, count)
            session = self._session(Testing, split(x, 0, batch_size), y, weights is not None)
            feed = session.feed(x, y, weights)
            slices = batch_slices(count, batch_size)[:steps]
            callbacks = _callback_list(callbacks, self, verbose, world, epochs=1, steps=len(slices))
            session.begin(world)
            session.reset()
            callbacks.on_test_begin()
            for i, (lo, hi) in enumerate(slices):
                callbacks.on_test_batch_begin(i)
                session.test(feed, lo, hi)
                callbacks.on_test_batch_end(i, LazyLogs(dict))
            logs = session.finish(world, feed)
            callbacks.on_test_end(logs)
            return _returned(logs, return_dict)

    def test_on_batch(self, x, y=None, sample_weight=None, return_dict=False):
        """The loss and the metrics on one global batch.

        Args:
            x: The batch, the same on all ranks.
            y: Its targets.
            sample_weight: One weight per sample.
            return_dict: Whether to return a dict.
        """
        self._require_compiled("test_on_batch")
        count = samples(x=as_arrays(x, "x"))
        return self.evaluate(x, y, batch_size=count, sample_weight=sample_weight, return_dict=return_dict, verbose=0)

    # Predicting.

    def predict(self, x, batch_size=None, verbose="auto", steps=None, callbacks=None):
        """The model's outputs for data, computed by all ranks; each gets all rows, in order.

        Args:
            x: Array `(samples, ...)`, the same on all ranks.
            batch_size: Samples per step over all ranks, 32 if None.
            verbose: As in `fit`.
            steps: Steps to run, all batches if None.
            callbacks: List of `Callback`s.

        Returns:
            An array `(samples, ...)`, or a list of them for several outputs.
        """
        world = communicator.get()
        with world.section("predict"):
            x = as_arrays(x, "x")
            batch_size = positive(32 if batch_size is None else batch_size, "batch_size")
            agree(world, "predict", self, x, batch_size=batch_size)
            count = samples(x=x)
            slices = batch_slices(count, batch_size)[:steps]
            count = slices[-1][1]
            session = self._session(Predicting, split(x, 0, batch_size))
            feed = session.feed(x)
            callbacks = _callback_list(callbacks, self, verbose, world, epochs=1, steps=len(slices))
            session.begin(world)
            callbacks.on_predict_begin()
            # Each rank predicts one run of rows, in as many steps as there are global batches. A row's bits do not
            # depend on the rows beside it, so the result is the same for any number of ranks.
            first, last = shard(count, world.rank, world.size)
            outputs = session.outputs(last - first)
            for i in range(len(slices)):
                lo, hi = shard(last - first, i, len(slices))
                callbacks.on_predict_batch_begin(i)
                rows = session.predict(feed, first + lo, first + hi)
                for output, part in zip(outputs, rows, strict=True):
                    output[lo:hi] = part
                callbacks.on_predict_batch_end(
                    i, LazyLogs(lambda lo=lo, hi=hi: {"outputs": [o[lo:hi] for o in outputs]})
                )
            counts = [hi - lo for lo, hi in (shard(count, r, world.size) for r in range(world.size))]
            results = [world.allgather_rows(output, counts) for output in outputs]
            callbacks.on_predict_end()
            return results[0] if len(results) == 1 else results

    def predict_on_batch(self, x):
        """The model's outputs for one global batch."""
        return self.predict(x, batch_size=samples(x=as_arrays(x, "x")), verbose=0)


def _callback_list(callbacks, model, verbose, world, add_history=False, metrics=(), **params):
    if isinstance(callbacks, CallbackList):
        return callbacks
    return CallbackList(
        callbacks,
        model=model,
        verbose=verbose,
        add_history=add_history,
        add_progbar=world.rank == 0 and verbose != 0,
        **params,
    )


def _returned(logs, return_dict):
    if return_dict:
        return logs
    values = [logs["loss"], *(value for name, value in logs.items() if name != "loss")]
    return values[0] if len(values) == 1 else values
