"""Training, evaluation and prediction on all ranks: the loop."""

import numpy as np

from dseq.callbacks import CallbackList, LazyLogs
from dseq.parallel import communicator
from dseq.parallel.shard import batch_slices, epoch_order, shard
from dseq.training.arguments import (
    agree,
    as_validation,
    callback_names,
    hold_out,
    is_due,
    positive,
    weights_for,
    whole,
)
from dseq.training.compiling import Compiling
from dseq.training.data import as_arrays, samples, split
from dseq.training.session import Predicting, Testing, Training


class Trainer(Compiling):
    """What makes a model trainable: `fit`, `evaluate`, `predict`.

    Every method here is called by all ranks with the same arguments. `batch_size` is the global batch:
    each rank takes its rows of it, and results do not depend on the number of ranks.
    """

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
            steps_per_epoch: Steps in an epoch, all batches if None. The next epoch goes on where this one ended, and
                the data begin anew, in another order, when they are used up.
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
        with self._lock, world.section("fit"):
            x, y, weights = as_arrays(x, "x"), as_arrays(y, "y"), as_arrays(sample_weight, "sample_weight")
            batch_size = positive(batch_size, "batch_size", 32)
            held_out = None if validation_data is None else as_validation(validation_data)
            agree(
                world, "fit", self, x, y, weights, held_out=held_out, batch_size=batch_size, epochs=epochs,
                callbacks=callback_names(callbacks), validation_split=validation_split, shuffle=shuffle,
                class_weight=class_weight, initial_epoch=initial_epoch, steps_per_epoch=steps_per_epoch,
                validation_steps=validation_steps, validation_batch_size=validation_batch_size,
                validation_freq=validation_freq,
            )  # fmt: skip
            count = samples(x=x, y=y, sample_weight=weights)
            if validation_split and validation_data is None:
                x, y, weights, held_out, count = hold_out(x, y, weights, validation_split, count)
            weights = weights_for(weights, class_weight, y)
            session = self._session(Training, split(x, 0, batch_size), y, weights is not None)
            feed = session.feed(x, y, weights)
            slices = batch_slices(count, batch_size)
            steps = positive(steps_per_epoch, "steps_per_epoch", len(slices))
            epochs, initial_epoch = whole(epochs, "epochs"), whole(initial_epoch, "initial_epoch")
            validate = None
            if held_out is not None:
                size = positive(validation_batch_size, "validation_batch_size", batch_size)
                self._session(Testing, split(held_out[0], 0, size), held_out[1], bool(held_out[2]))  # fits, or raises
                validate = {"batch_size": size, "steps": validation_steps}
            watched = CallbackList(callbacks).needs_batch_logs
            callbacks = _callback_list(callbacks, self, verbose, world, epochs=epochs, steps=steps, add_history=True)
            hooked = callbacks.has_batch_hooks
            self.stop_training = False
            session.begin(world, "fit", feed)
            callbacks.on_train_begin()
            logs = {}
            # Epochs of earlier calls count: calling `fit` for one epoch at a time shuffles anew each time.
            past = max(0, self._epochs_run - initial_epoch)
            for epoch in range(initial_epoch, epochs):
                callbacks.on_epoch_begin(epoch)
                session.reset()
                order, ordered = None, None
                for i in range(steps):
                    turn, batch = divmod((epoch + past) * steps + i, len(slices))
                    if turn != ordered:
                        order, ordered = epoch_order(count, session.seed, turn, shuffle, batch_size), turn
                    if hooked and i % self.steps_per_execution == 0:
                        callbacks.on_train_batch_begin(i)
                    session.train(feed, order, *slices[batch])
                    if hooked and ((i + 1) % self.steps_per_execution == 0 or i + 1 == steps):
                        callbacks.on_train_batch_end(i, session.logs() if watched else LazyLogs(session.logs))
                        if watched and self._stops(world):
                            break
                logs = session.logs()
                if validate and is_due(epoch, validation_freq):
                    logs |= self._validate(held_out, callbacks, **validate)
                self._epochs_run = epoch + past + 1
                callbacks.on_epoch_end(epoch, logs)
                if self._stops(world):
                    break
            callbacks.on_train_end(logs)
            return self.history

    def _stops(self, world):
        """Whether a callback on any rank wants to stop: all ranks must leave the loop at the same step."""
        if world.size > 1:
            self.stop_training = bool(world.allreduce_sum(np.array([float(self.stop_training)]))[0])
        return self.stop_training

    def _validate(self, data, callbacks, **options):
        x, y, weights = (part or None for part in data)
        logs = self.evaluate(x, y, sample_weight=weights, callbacks=callbacks, return_dict=True, verbose=0, **options)
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
        with self._lock, world.section("train_on_batch"):
            x, y, weights = as_arrays(x, "x"), as_arrays(y, "y"), as_arrays(sample_weight, "sample_weight")
            agree(world, "train_on_batch", self, x, y, weights, class_weight=class_weight)
            count = samples(x=x, y=y, sample_weight=weights)
            weights = weights_for(weights, class_weight, y)
            session = self._session(Training, x, y, weights is not None)
            feed = session.feed(x, y, weights)
            session.begin(world, "train_on_batch", feed)
            session.reset()
            session.train(feed, None, 0, count)
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
        with self._lock, world.section("evaluate"):
            x, y, weights = as_arrays(x, "x"), as_arrays(y, "y"), as_arrays(sample_weight, "sample_weight")
            batch_size = positive(batch_size, "batch_size", 32)
            names = callback_names(callbacks)
            agree(world, "evaluate", self, x, y, weights, batch_size=batch_size, steps=steps, callbacks=names)
            count = samples(x=x, y=y, sample_weight=weights)
            weights = weights_for(weights, None, y)
            session = self._session(Testing, split(x, 0, batch_size), y, weights is not None)
            feed = session.feed(x, y, weights)
            slices = batch_slices(count, batch_size)
            slices = slices[: positive(steps, "steps", len(slices))]
            watched = CallbackList(callbacks).has_user_hook("on_test_batch_end")
            callbacks = _callback_list(callbacks, self, verbose, world, epochs=1, steps=len(slices))
            session.begin(world, "evaluate", feed)
            session.reset()
            callbacks.on_test_begin()
            for i, (lo, hi) in enumerate(slices):
                callbacks.on_test_batch_begin(i)
                session.test(feed, lo, hi)
                callbacks.on_test_batch_end(i, session.reduced_logs(world) if watched else {})
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
        with self._lock, world.section("predict"):
            x = as_arrays(x, "x")
            batch_size = positive(batch_size, "batch_size", 32)
            agree(world, "predict", self, x, batch_size=batch_size, steps=steps, callbacks=callback_names(callbacks))
            count = samples(x=x)
            slices = batch_slices(count, batch_size)
            slices = slices[: positive(steps, "steps", len(slices))]
            count = slices[-1][1]
            session = self._session(Predicting, split(x, 0, batch_size))
            feed = session.feed(x)
            callbacks = _callback_list(callbacks, self, verbose, world, epochs=1, steps=len(slices))
            session.begin(world, "predict", feed)
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
                callbacks.on_predict_batch_end(i, {"outputs": _one_or_all([output[lo:hi] for output in outputs])})
            counts = [hi - lo for lo, hi in (shard(count, r, world.size) for r in range(world.size))]
            results = [world.allgather_rows(output, counts) for output in outputs]
            callbacks.on_predict_end()
            return _one_or_all(results)

    def predict_on_batch(self, x):
        """The model's outputs for one global batch."""
        return self.predict(x, batch_size=samples(x=as_arrays(x, "x")), verbose=0)


def _callback_list(callbacks, model, verbose, world, add_history=False, **params):
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
    return _one_or_all(values)


def _one_or_all(values):
    return values[0] if len(values) == 1 else values
