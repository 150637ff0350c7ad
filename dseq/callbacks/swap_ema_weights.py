"""Evaluates with the moving average of the weights."""

from dseq.callbacks.callback import Callback


class SwapEMAWeights(Callback):
    """Puts the moving averages of the weights into the model while it is evaluated, and the weights back afterwards.

    The optimizer must have been made with `use_ema=True`. The weights are kept beside the averages, so training may
    end at any moment, and then with the averages, as it always does with `use_ema=True`.

    Args:
        swap_on_epoch: Whether the averages also stay in the model from the end of an epoch to the beginning of the
            next, so that callbacks that come after this one, like `ModelCheckpoint`, see them.

    Raises:
        ValueError: When the averages are needed, if the optimizer has none.

    Example:
        >>> model.compile(dseq.optimizers.Adam(use_ema=True), "mse")
        >>> model.fit(x, y, validation_data=(a, b), callbacks=[SwapEMAWeights()])
    """

    def __init__(self, swap_on_epoch=False):
        super().__init__()
        self.swap_on_epoch = swap_on_epoch
        self._weights = None  # what training goes on with, while the averages are in the model
        self._nested = False

    def _averages(self):
        """The pairs of a weight and its average."""
        optimizer = self.model.optimizer
        optimizer = getattr(optimizer, "inner_optimizer", optimizer)
        averages = getattr(optimizer, "_model_variables_moving_average", None)
        if not getattr(optimizer, "use_ema", False) or not averages:
            raise ValueError(
                "SwapEMAWeights must be used when `use_ema=True` is set on the optimizer. "
                f"Received: use_ema={getattr(optimizer, 'use_ema', None)}"
            )
        return list(zip(optimizer._trainable_variables, averages, strict=True))

    def _put_in(self):
        if self._weights is None:
            pairs = self._averages()
            self._weights = [variable.numpy() for variable, _ in pairs]
            for variable, average in pairs:
                variable.assign(average)

    def _put_back(self):
        if self._weights is not None:
            for (variable, _), weights in zip(self._averages(), self._weights, strict=True):
                variable.assign(weights)
            self._weights = None

    def on_train_begin(self, logs=None):
        self._weights = None

    def on_epoch_begin(self, epoch, logs=None):
        self._put_back()

    def on_epoch_end(self, epoch, logs=None):
        if self.swap_on_epoch:
            self._put_in()

    def on_test_begin(self, logs=None):
        self._begin()

    def on_test_end(self, logs=None):
        self._end()

    def on_predict_begin(self, logs=None):
        self._begin()

    def on_predict_end(self, logs=None):
        self._end()

    def _begin(self):
        self._nested = self._weights is not None  # swapped already, and whoever did it swaps back
        self._put_in()

    def _end(self):
        if not self._nested:
            self._put_back()

    def on_train_end(self, logs=None):
        self._weights = None  # the averages are what the model ends with

    def save_state(self):
        return {"weights": self._weights}

    def load_state(self, state):
        self._weights = state["weights"]
