"""A callback made of functions."""

from dseq.callbacks.callback import HOOKS, Callback


class LambdaCallback(Callback):
    """Calls the given functions at the given moments.

    Args:
        on_epoch_begin: Function of `(epoch, logs)`.
        on_epoch_end: Function of `(epoch, logs)`.
        on_train_begin: Function of `(logs)`.
        on_train_end: Function of `(logs)`.
        on_train_batch_begin: Function of `(batch, logs)`.
        on_train_batch_end: Function of `(batch, logs)`.
        **kwargs: Functions for any other hook of `Callback`, by its name; what has other names becomes an attribute.

    Raises:
        ValueError: If a name begins with `on_` but is no hook, or the value of a hook can't be called.

    Example:
        >>> LambdaCallback(on_epoch_end=lambda epoch, logs: print(epoch, logs["loss"]))
    """

    def __init__(
        self,
        on_epoch_begin=None,
        on_epoch_end=None,
        on_train_begin=None,
        on_train_end=None,
        on_train_batch_begin=None,
        on_train_batch_end=None,
        **kwargs,
    ):
        given = {
            "on_epoch_begin": on_epoch_begin,
            "on_epoch_end": on_epoch_end,
            "on_train_begin": on_train_begin,
            "on_train_end": on_train_end,
            "on_train_batch_begin": on_train_batch_begin,
            "on_train_batch_end": on_train_batch_end,
            **kwargs,
        }
        for name, function in given.items():
            if name not in HOOKS and not name.startswith("on_"):  # for the hooks to use
                setattr(self, name, function)
                continue
            if name not in HOOKS:
                raise ValueError(f"LambdaCallback takes only the hooks {', '.join(HOOKS)}. Received: {name}")
            if function is not None and not callable(function):
                raise ValueError(f"`{name}` of LambdaCallback must be a function. Received: {name}={function!r}")
            if function is not None:
                setattr(self, name, function)
