"""Training, evaluation and prediction on all ranks: the loop."""

from dseq.callbacks import CallbackList, LazyLogs, Position
from dseq.parallel import signals
from dseq.training import timeline
from dseq.training.arguments import agree, callback_names, is_due, positive, whole
from dseq.training.compiling import Compiling
from dseq.training.evaluation import Predicting, Testing
from dseq.training.prediction import Collected
from dseq.training.session import Training
from dseq.training.sources import single_batch, source_of, validation_of
from dseq.training.stopping import rescue, stop


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
            x: Array `(samples, ...)`; for several inputs a list of arrays, or a dict by input name. All ranks pass the
                same. Or all the data in one: a generator or iterator of global batches `(x, y)` or
                `(x, y, sample_weight)`, a `dseq.utils.PyDataset`, a `dseq.data.HDF5`, a loader of another library.
            y: Targets, `(samples, ...)`; for several outputs a list, or a dict by output name.
            batch_size: Samples per step over all ranks, 32 if None; batches that come as such keep their length.
            epochs: Epoch at which training ends.
            verbose: 0 silent, 1 a progress bar, 2 a line per epoch, "auto" 1 on a terminal and else 2. Rank 0 prints.
            callbacks: List of `Callback`s; every rank calls them with the same logs.
            validation_split: Share of the samples, the last ones before shuffling, to validate on; for arrays.
            validation_data: `(x, y)` or `(x, y, sample_weight)` to validate on, or whatever else `x` can be.
            shuffle: True: another order each epoch, a function of seed and epoch; "batch": whole batches; False. A
                generator's batches come as they come.
            class_weight: `{class: weight}`; classes that are not in it weigh 1.
            sample_weight: One weight per sample, or per value of the loss; a list or dict for several outputs.
            initial_epoch: Epoch to begin with.
            steps_per_epoch: Steps in an epoch, all batches if None. The next epoch goes on where this one ended, and
                the data begin anew, in another order, when they are used up. Training ends with a warning when
                data that cannot begin anew, those of a generator, run out.
            validation_steps: Steps of a validation, all batches if None.
            validation_batch_size: As `batch_size`, which it is if None.
            validation_freq: Validate every so many epochs, or in the epochs listed (the first is 1).

        Returns:
            The `History`: its `.history` has a list of values per epoch for each name.

        Raises:
            ValueError: If data do not fit the model, or ranks differ in model or data; the same on every rank.
            SystemExit: After SIGTERM or SIGUSR1 to any rank, saved if possible: see `dseq.training.stopping`.
            KeyboardInterrupt: After SIGINT to any rank, likewise.
        """
        self._require_compiled("fit")
        with self._on_its_ranks() as world, world.section("fit"), signals.noted(), rescue() as ready:
            data = source_of(self, x, y, sample_weight, batch_size, shuffle, class_weight)
            validation_size = validation_batch_size or batch_size
            held_out = None if validation_data is None else validation_of(self, validation_data, validation_size)
            agree(
                world, "fit", self, data, held_out, batch_size=batch_size, epochs=epochs,
                callbacks=callback_names(callbacks), validation_split=validation_split, shuffle=shuffle,
                class_weight=class_weight, initial_epoch=initial_epoch, steps_per_epoch=steps_per_epoch,
                validation_steps=validation_steps, validation_batch_size=validation_batch_size,
                validation_freq=validation_freq,
            )  # fmt: skip
            data.check()
            if held_out is not None:
                held_out.check()
            elif validation_split:
                data, held_out = data.split(validation_split, positive(validation_size, "validation_batch_size", 32))
            session, feed = self._open(Training, data)
            if held_out is not None:
                self._open(Testing, held_out)  # fits, or raises
            wanted = positive(steps_per_epoch, "steps_per_epoch")
            steps = wanted or data.steps
            epochs, initial_epoch = whole(epochs, "epochs"), whole(initial_epoch, "initial_epoch")
            callbacks = _callback_list(
                callbacks, self, verbose, world, data, epochs=epochs, steps=steps, add_history=True
            )
            watched = callbacks.may_stop_in_epoch
            self.stop_training = session.stopped = session.pointed = False
            session.begin(world, "fit", feed)
            # Epochs of earlier calls count: calling `fit` for one epoch at a time shuffles anew each time.
            past = max(0, self._epochs_run - initial_epoch)
            position = self._position = Position(session, initial_epoch, past, steps)

            def after(i):
                position.batch = min(i + 1, steps or i + 1)
                callbacks.on_train_batch_end(i, session.logs() if watched else LazyLogs(session.glance))
                return session.stopped or (watched and callbacks.stops)

            clock = timeline.of(session)
            callbacks.on_train_begin()  # which may go to another position
            logs = {}
            ready(self, callbacks)
            for epoch in range(position.epoch, epochs):
                first = position.begin_epoch(epoch)
                batches = data.epoch(epoch + position.past, wanted, first)
                if batches is None:
                    break
                if clock is not None:
                    batches = clock.begin_epoch(batches)
                callbacks.on_epoch_begin(epoch)
                if callbacks.has_batch_hooks:
                    batches = executions(
                        batches, self.steps_per_execution, callbacks.on_train_batch_begin, after, first
                    )
                for batch in batches:
                    session.train(*batch)
                    position.batch += 1
                    if session.stopped and not callbacks.has_batch_hooks:
                        break
                session.unite()
                if session.stopped:
                    stop(world, self, position, callbacks)
                logs = session.logs()
                if clock is not None:
                    clock.end_epoch(epoch)
                if held_out is not None and is_due(epoch, validation_freq):
                    tested = self._evaluate(world, held_out, callbacks, positive(validation_steps, "validation_steps"))
                    logs = dict(sorted((logs | {f"val_{name}": value for name, value in tested.items()}).items()))
                self._epochs_run = epoch + position.past + 1
                if not (watched and callbacks.stops and steps and position.batch < steps):  # stopped in the middle
                    position.end_epoch()
                callbacks.on_epoch_end(epoch, logs)
                if callbacks.stops:
                    break
            session.finalize()
            callbacks.on_train_end(logs)
            if clock is not None:
                clock.write()
            return self.history

    def _open(self, kind, source):
        """The session in which a source's batches are run, and a feed by which it knows the types of the data."""
        session = self._session(kind, source.first, source.y, source.weights is not None)
        return session, source.bind(session)

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
        with self._on_its_ranks() as world, world.section("train_on_batch"):
            data = source_of(self, x, y, sample_weight, 1, class_weight=class_weight)
            agree(world, "train_on_batch", self, data, class_weight=class_weight)
            session, feed = self._open(Training, single_batch(data, "train_on_batch"))
            session.begin(world, "train_on_batch", feed)
            session.reset()
            for batch in data.epoch(0):
                session.train(*batch)
            return self._as_result(session.logs(), return_dict)

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
            x: Data of any kind that `fit` takes, the same on all ranks.
            y: Targets, with arrays.
            batch_size: Samples per step over all ranks, 32 if None.
            verbose: As in `fit`.
            sample_weight: One weight per sample, with arrays.
            steps: Steps to run, all batches if None.
            callbacks: List of `Callback`s.
            return_dict: Whether to return a dict.

        Returns:
            The loss as a float; with metrics a list of the loss and the metrics; or a dict of all.
        """
        if kwargs:
            raise ValueError(f"Arguments not recognized: {kwargs}")
        self._require_compiled("evaluate")
        with self._on_its_ranks() as world, world.section("evaluate"):
            data = source_of(self, x, y, sample_weight, batch_size)
            names = callback_names(callbacks)
            agree(world, "evaluate", self, data, batch_size=batch_size, steps=steps, callbacks=names)
            data.check()
            steps = _steps(steps, data)
            callbacks = _callback_list(callbacks, self, verbose, world, data, epochs=1, steps=steps or data.steps)
            return self._as_result(self._evaluate(world, data, callbacks, steps), return_dict)

    def _evaluate(self, world, data, callbacks, steps=None):
        """The logs over a source's batches; none if it has run out of them."""
        session, feed = self._open(Testing, data)
        session.begin(world, "evaluate", feed)
        batches = data.epoch(0, _steps(steps, data))
        if batches is None:
            return {}
        watched = callbacks.has_user_hook("on_test_batch_end")
        session.reset()
        callbacks.on_test_begin()

        def after(i):
            callbacks.on_test_batch_end(i, session.reduced_logs() if watched else {})

        for feed, _, lo, hi in executions(batches, self.steps_per_execution, callbacks.on_test_batch_begin, after):
            session.test(feed, lo, hi)
        logs = session.finish(feed)
        callbacks.on_test_end(logs)
        return logs

    def test_on_batch(self, x, y=None, sample_weight=None, return_dict=False):
        """The loss and the metrics on one global batch.

        Args:
            x: The batch, the same on all ranks.
            y: Its targets.
            sample_weight: One weight per sample.
            return_dict: Whether to return a dict.
        """
        self._require_compiled("test_on_batch")
        with self._on_its_ranks() as world, world.section("test_on_batch"):
            data = source_of(self, x, y, sample_weight, 1)
            agree(world, "test_on_batch", self, data)
            single_batch(data, "test_on_batch")
            return self._as_result(self._evaluate(world, data, CallbackList()), return_dict)

    def _as_result(self, logs, return_dict):
        if return_dict:
            return logs
        values = list(self._compiled.ordered(logs).values())
        return values[0] if len(values) == 1 else values

    # Predicting.

    def predict(self, x, batch_size=None, verbose="auto", steps=None, callbacks=None):
        """The model's outputs for data, computed by all ranks; each gets all rows, in order.

        Args:
            x: Data of any kind that `fit` takes, the same on all ranks; targets in them are not looked at.
            batch_size: Samples per step over all ranks, 32 if None.
            verbose: As in `fit`.
            steps: Steps to run, all batches if None.
            callbacks: List of `Callback`s.

        Returns:
            An array `(samples, ...)`, or for several outputs a list or dict of them, as the model was given them.
        """
        with self._on_its_ranks() as world, world.section("predict"):
            data = source_of(self, x, batch_size=batch_size, labelled=False)
            agree(world, "predict", self, data, batch_size=batch_size, steps=steps, callbacks=callback_names(callbacks))
            data.check()
            steps = _steps(steps, data)
            callbacks = _callback_list(callbacks, self, verbose, world, data, epochs=1, steps=steps or data.steps)
            return self._predict(world, data, callbacks, steps)

    def _predict(self, world, data, callbacks, steps=None):
        session, feed = self._open(Predicting, data)
        session.begin(world, "predict", feed)
        session.reset()
        callbacks.on_predict_begin()
        collected, mine = Collected(world, session.division, [not y.per_row for y in session.operands]), None

        def after(i):
            callbacks.on_predict_batch_end(i, {"outputs": self.pack_outputs(mine)})

        batches = data.epoch(0, steps)
        each = self.steps_per_execution if self.compiled else 1
        for feed, _, lo, hi in executions(batches, each, callbacks.on_predict_batch_begin, after):
            # A row's bits do not depend on the rows beside it: the result is the same for any number of ranks.
            mine = collected.add(hi - lo, session.predict(feed, lo, hi))
        session.check(world, feed)
        results = self.pack_outputs(collected.results())
        callbacks.on_predict_end()
        return results

    def predict_on_batch(self, x):
        """The model's outputs for one global batch.

        Args:
            x: The batch, the same on all ranks.
        """
        with self._on_its_ranks() as world, world.section("predict_on_batch"):
            data = source_of(self, x, batch_size=1, labelled=False)
            agree(world, "predict_on_batch", self, data)
            return self._predict(world, single_batch(data, "predict_on_batch"), CallbackList())


def executions(batches, each, begin, end, first=0):
    """Passes batches on, and calls the hooks before and after every `each` of them.

    Args:
        batches: Iterable.
        each: Steps of an execution.
        begin: Called with the number of its first step.
        end: Called with the number of its last step, as if it were complete, as in Keras; no more batches come if it
            returns True.
        first: Number of the first batch.
    """
    done = 0
    for done, batch in enumerate(batches, 1):
        if (done - 1) % each == 0:
            begin(first + done - 1)
        yield batch
        if done % each == 0 and end(first + done - 1):
            return
    if done % each:
        end(first + done - 1 + -done % each)


def _callback_list(callbacks, model, verbose, world, data, add_history=False, **params):
    if not isinstance(callbacks, CallbackList):
        callbacks = CallbackList(
            callbacks,
            model=model,
            verbose=verbose,
            add_history=add_history,
            add_progbar=world.rank == 0 and verbose != 0,
            batch_size=getattr(data, "batch_size", None),
            **params,
        )
    callbacks.join(world)
    return callbacks


def _steps(steps, data):
    """The number of steps to run, at most all that the data have; None if only their end will tell."""
    steps = positive(steps, "steps")
    return min(steps, data.steps) if steps and data.steps else steps
