"""Keeps what each epoch reported, and shows it: what `fit` returns."""

import math
import sys

from dseq.callbacks.callback import Callback
from dseq.callbacks.logs import in_order
from dseq.parallel import communicator

BLOCKS, PLAIN = "▁▂▃▄▅▆▇█", ".:-=+*#@"
WIDTH = 60


class History(Callback):
    """Records loss and metrics of every epoch. `fit` adds one, returns it, and keeps it as `model.history`.

    `print(history)` shows a line for each name, `history.plot()` draws curves.

    Attributes:
        history: Dictionary from name to the list of values, one for each epoch; by name, validation last.
        epoch: Numbers of the epochs, from 0.
        params: `verbose`, `epochs` and `steps` of the run.

    Example:
        >>> history = model.fit(x, y, epochs=20, validation_split=0.1)
        >>> print(history)
        loss      0.6931 █▆▅▄▃▂▂▂▁▁▁▁▁▁▁▁▁▁▁▁ 0.2034
        val_loss  0.6630 █▆▅▄▃▂▂▂▁▁▁▁▁▁▁▁▁▁▁▁ 0.2398
        >>> history.plot("curves.png")
    """

    def __init__(self):
        super().__init__()
        self.history = {}
        self.epoch = []

    def on_train_begin(self, logs=None):
        self.epoch = []

    def on_epoch_end(self, epoch, logs=None):
        self.epoch.append(epoch)
        for name, value in in_order(logs):
            self.history.setdefault(name, []).append(value)
        if self.model is not None:
            self.model.history = self

    def __str__(self):
        return self.sparkline() or "History of no epochs"

    def sparkline(self, names=None, width=WIDTH) -> str:
        """The curves as text: for each name its first value, a line of blocks from low to high, and its last value.

        Args:
            names: Names to show, or None for all.
            width: Most characters of a line's curve; of longer ones the blocks are means of several epochs.

        Returns:
            Lines of text; characters that the terminal lacks are replaced by plain ones.

        Raises:
            ValueError: If a name was not recorded, or `width` is not positive.
        """
        if not isinstance(width, int) or width < 1:
            raise ValueError(f"`width` of sparkline must be a positive integer. Received: width={width!r}")
        curves = {name: _numbers(self.history[name]) for name in self._names(names)}
        curves = {name: values for name, values in curves.items() if values}
        blocks = BLOCKS if _can_print(BLOCKS) else PLAIN
        longest = max(map(len, curves), default=0)
        return "\n".join(
            f"{name:{longest}}  {_short(values[0])} {_line(values, width, blocks)} {_short(values[-1])}"
            for name, values in curves.items()
        )

    def plot(self, filepath=None, names=None):
        """Draws the curves: one panel for each name, with that of validation beside it. Rank 0 draws.

        Args:
            filepath: Path of a picture to write, its kind by the ending (`.png`, `.svg`, `.pdf`); None shows a window,
                or the picture in a notebook.
            names: Names to draw, without `val_`, or None for all.

        Returns:
            Matplotlib's figure; None on other ranks than 0.

        Raises:
            ImportError: If Matplotlib is not installed.
            ValueError: If a name was not recorded, or there is nothing to draw.
        """
        names = list(dict.fromkeys(name.removeprefix("val_") for name in self._names(names)))
        if not names:
            raise ValueError("There is nothing to plot before an epoch has been trained. Received: an empty history")
        ranks = getattr(getattr(self, "model", None), "_world", None) or communicator.get()
        if ranks.rank != 0:
            return None
        try:
            from matplotlib import pyplot
        except ImportError as error:
            raise ImportError(
                "`history.plot()` needs Matplotlib: `pip install dseq[plot]`, or `pip install matplotlib`. "
                "`print(history)` shows the curves as text without it."
            ) from error
        figure, panels = pyplot.subplots(1, len(names), figsize=(5 * len(names), 4), squeeze=False, layout="tight")
        for name, panel in zip(names, panels[0], strict=True):
            for curve, label in ((name, "training"), (f"val_{name}", "validation")):
                values = _numbers(self.history.get(curve, []))
                if values:
                    panel.plot(
                        self._epochs_of(len(values)), values, label=label, marker="." if len(values) < 30 else ""
                    )
            panel.set(title=name, xlabel="epoch")
            panel.xaxis.get_major_locator().set_params(integer=True)
            panel.legend()
        if filepath is not None:
            figure.savefig(filepath)
            pyplot.close(figure)
        else:
            pyplot.show()
        return figure

    def _epochs_of(self, count):
        """Epochs, counted from 1, at which a value was recorded; of validation not in all of them, evenly spread."""
        epochs = [epoch + 1 for epoch in self.epoch]
        if count == len(epochs):
            return epochs
        if not epochs or count > len(epochs):
            return list(range(1, count + 1))
        step = len(epochs) // count
        return epochs[step - 1 :: step][:count]

    def _names(self, names):
        names = list(self.history) if names is None else [names] if isinstance(names, str) else list(names)
        unknown = [name for name in names if name not in self.history and f"val_{name}" not in self.history]
        if unknown:
            raise ValueError(f"The history has {', '.join(self.history) or 'nothing'}. Received: names={unknown}")
        return names


def _numbers(values):
    """The values as floats, NaN for what is no number; nothing if none is one."""
    found = []
    for value in values:
        try:
            found.append(float(value))
        except (TypeError, ValueError):
            found.append(math.nan)
    return found if any(not math.isnan(value) for value in found) else []


def _line(values, width, blocks):
    count = min(width, len(values))
    bounds = [len(values) * i // count for i in range(count + 1)]
    means = [_mean(values[lo:hi]) for lo, hi in zip(bounds[:-1], bounds[1:], strict=True)]
    finite = [value for value in means if math.isfinite(value)]
    low, high = min(finite, default=0.0), max(finite, default=0.0)
    scale = (len(blocks) - 1) / (high - low) if high > low else 0.0
    return "".join(blocks[round((value - low) * scale)] if math.isfinite(value) else "!" for value in means)


def _mean(values):
    finite = [value for value in values if math.isfinite(value)]
    return sum(finite) / len(finite) if finite else math.nan


def _short(value):
    return f"{value:.4g}" if value == 0 or not math.isfinite(value) or not 1e-3 <= abs(value) < 1e4 else f"{value:.4f}"


def _can_print(text):
    try:
        text.encode(getattr(sys.stdout, "encoding", None) or "ascii")
    except UnicodeEncodeError:
        return False
    return True
