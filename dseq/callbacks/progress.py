"""Shows how far training is: a bar on a terminal, one line for an epoch elsewhere."""

import shutil
import sys
import time

from dseq.callbacks.callback import Callback
from dseq.callbacks.logs import in_order
from dseq.parallel import communicator, launcher

BOLD, GREEN, WHITE, PLAIN = "\033[1m", "\033[32m", "\033[37m", "\033[0m"
ERASE_REST = "\033[K"
LONG = 10.0  # seconds of work from which on it is of interest how many samples pass in one


def interactive() -> bool:
    """Whether what is printed can be overwritten: a terminal or a notebook, not a file or a pipe."""
    launch = launcher.announced()
    if launch is not None and launch.variable.startswith("OMPI"):
        return False  # Open MPI gives each rank a terminal of its own, also when mpirun writes to a file
    return sys.stdout.isatty() or "ipykernel" in sys.modules


class Progbar:
    """A progress bar that is drawn at most every `interval` seconds.

    Args:
        target: Number of steps expected, or None if it is not known.
        width: Width of the bar in characters.
        verbose: 0: silent; 1: a bar; 2: one line at the end.
        interval: Shortest time between two drawings, in seconds.
        stateful_metrics: Names of values shown as they are, as all are by default; kept for Keras' sake.
        stateless_metrics: Names of values to average over the steps.
        unit_name: What a step is called.

    Attributes:
        samples_per_step: Number of samples in a step, or None: what is shown as samples per second of long work.

    Example:
        >>> bar = Progbar(100)
        >>> for step in range(100):
        ...     bar.update(step + 1, [("loss", 1 / (step + 1))])
    """

    def __init__(
        self,
        target,
        width=20,
        verbose=1,
        interval=0.05,
        stateful_metrics=None,
        stateless_metrics=None,
        unit_name="step",
    ):
        self.target = target
        self.width = width
        self.verbose = verbose
        self.interval = interval
        self.unit_name = unit_name
        self.samples_per_step = None
        self._averaged = set(stateless_metrics or ()) - set(stateful_metrics or ())
        self._sums = {}
        self._values = {}
        self._seen = 0
        self._start = time.perf_counter()
        self._first = None  # (time, steps) of the first update: the steps before it include compiling
        self._pause = None
        self._next = 0.0

    def due(self) -> bool:
        """Whether an update now would draw; all else can be left out until it does."""
        return self.verbose == 1 and time.perf_counter() >= self._next

    def pause(self) -> None:
        """Tells that what follows is no step, so that it does not count in the time for each step."""
        self._pause = time.perf_counter()

    def add(self, n, values=None) -> None:
        """Goes on by `n` steps, with values to show."""
        self.update(self._seen + n, values)

    def update(self, current, values=None, finalize=None) -> None:
        """Shows the state after `current` steps.

        Args:
            current: Number of steps done.
            values: List of (name, value) pairs.
            finalize: Whether this is the end; by default when `current` has reached the target.
        """
        if finalize is None:
            finalize = self.target is not None and current >= self.target
        self._take(current, values or ())
        now = time.perf_counter()
        if self._first is None:
            self._first = (now, current)
        if self.verbose == 1 and (finalize or now >= self._next):
            self._next = now + self.interval
            self._draw(current, now, finalize)
        elif self.verbose == 2 and finalize:
            _write(self._count(current) + self._text(now, current, finalize, separator=" - ") + "\n")

    def _take(self, current, values):
        steps, self._seen = max(current - self._seen, 1), current
        for name, value in values:
            if name in self._averaged:
                total, count = self._sums.get(name, (0.0, 0))
                total, count = self._sums[name] = (total + value * steps, count + steps)
                value = total / count
            self._values[name] = value

    def _draw(self, current, now, finalize):
        count, full, empty = self._count(current), "━", "━"
        try:
            full.encode(sys.stdout.encoding or "ascii")
        except UnicodeEncodeError:  # a bare "C" locale, usual on compute nodes
            full, empty = "=", "."
        text = self._text(now, current, finalize, separator=" ")
        line = f"{BOLD}{count}{PLAIN}"
        shown = len(count)
        if self.target is not None:
            done = min(self.width, int(self.width * current / max(self.target, 1)))
            line += f" {GREEN}{full * done}{WHITE}{empty * (self.width - done)}{PLAIN}"
            shown += 1 + self.width
        if not finalize:
            # A line that wraps can't be overwritten.
            text = text[: max(0, shutil.get_terminal_size().columns - 1 - shown)]
        _write(f"\r{line}{text}{ERASE_REST}" + ("\n" if finalize else ""))

    def _count(self, current):
        if self.target is None:
            return f"{current:7d}/Unknown"
        return f"{current:{len(str(self.target))}d}/{self.target}"

    def _text(self, now, current, finalize, separator):
        seconds = self._seconds_per_step(now, current)
        total = elapsed = now - self._start
        if self.target is not None and not finalize:
            total = seconds * (self.target - current)  # still to go
        text = f"{separator}{_clock(total)}{separator}{_duration(seconds)}/{self.unit_name}"
        if self.samples_per_step and elapsed >= LONG and seconds > 0:
            text += f"{separator}{_rate(self.samples_per_step / seconds)} samples/s"
        for name, value in self._values.items():
            text += f" - {name}: {_number(value)}"
        return text

    def _seconds_per_step(self, now, current):
        end = now if self._pause is None else self._pause
        started, before = self._first
        if current > before:
            return max(0.0, end - started) / (current - before)
        return max(0.0, end - self._start) / max(current, 1)


class ProgbarLogger(Callback):
    """Draws the progress bar of `fit`, `evaluate` and `predict`; `fit` adds one by itself.

    `verbose` of the run decides: 0 is silent, 1 draws a bar, 2 prints one line for each epoch, and `"auto"` is 1 on a
    terminal and 2 elsewhere. Only rank 0 prints. The bar shows the time that is left, then the time of a step.

    Attributes:
        batch_size: Number of samples in a step over all ranks, or None: with it work of more than ten seconds shows
            samples per second.
    """

    batch_size = None

    def __init__(self):
        self.verbose = 0
        self.epochs = 1
        self.target = None
        self.seen = 0
        self._bar = None
        self._training = False

    def set_params(self, params):
        self.params = params
        verbose = params.get("verbose", "auto")
        if verbose not in ("auto", 0, 1, 2):
            raise ValueError(f"`verbose` must be 'auto', 0, 1 or 2. Received: verbose={verbose!r}")
        if verbose == "auto":
            verbose = 1 if interactive() else 2
        self.verbose = int(verbose) if communicator.get().rank == 0 else 0
        self.epochs = params.get("epochs") or 1
        self.target = params.get("steps")

    def on_train_begin(self, logs=None):
        self._training = True

    def on_epoch_begin(self, epoch, logs=None):
        if self.verbose and self.epochs > 1:
            _write(f"Epoch {epoch + 1}/{self.epochs}\n")
        self._begin()

    def on_train_batch_end(self, batch, logs=None):
        self._step(batch, logs)

    def on_epoch_end(self, epoch, logs=None):
        self._end(logs)

    def on_train_end(self, logs=None):
        self._training = False

    def on_test_begin(self, logs=None):
        if not self._training:
            self._begin()
        elif self._bar is not None:
            self._bar.pause()

    def on_test_batch_end(self, batch, logs=None):
        if not self._training:
            self._step(batch, logs)

    def on_test_end(self, logs=None):
        if not self._training:
            self._end(logs)

    def on_predict_begin(self, logs=None):
        if not self._training:
            self._begin()

    def on_predict_batch_end(self, batch, logs=None):
        if not self._training:
            self._step(batch, None)

    def on_predict_end(self, logs=None):
        if not self._training:
            self._end(None)

    def _begin(self):
        self.seen = 0
        self._bar = None
        if self.verbose:
            self._bar = Progbar(self.target, verbose=self.verbose, interval=0.1)
            self._bar.samples_per_step = self.batch_size

    def _step(self, batch, logs):
        # The last of several steps that are run as one counts as if all were there.
        self.seen = batch + 1 if self.target is None else min(batch + 1, self.target)
        # Most batches end here: their logs are never computed. The first is told, because it ends the compiling.
        if self._bar is not None and (batch == 0 or self._bar.due()):
            self._bar.update(self.seen, in_order(logs), finalize=False)

    def _end(self, logs):
        if self._bar is None:
            return
        if self.target is None:
            self.target = self.seen  # known from now on
        self._bar.target = self.target
        self._bar.update(self.seen, in_order(logs), finalize=True)
        self._bar = None


def _write(text):
    sys.stdout.write(text)
    sys.stdout.flush()


def _clock(seconds):
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}:{minutes:02d}:{rest:02d}"
    return f"{minutes}:{rest:02d}" if minutes else f"{rest}s"


def _duration(seconds):
    if seconds >= 1:
        return f"{seconds:.0f}s"
    return f"{seconds * 1e3:.0f}ms" if seconds >= 1e-3 else f"{seconds * 1e6:.0f}us"


def _rate(value):
    if value < 1000:
        return f"{value:.{0 if value >= 10 else 1}f}"
    power = min(3, (len(str(int(value))) - 1) // 3)
    value /= 1000**power
    return f"{value:.{0 if value >= 100 else 1}f}{' kMG'[power]}"


def _number(value):
    try:
        value = float(value)
    except (TypeError, ValueError):
        return str(value)
    # Four digits after the point say nothing about 0.00003.
    return f"{value:.4e}" if 0 < abs(value) <= 1e-3 else f"{value:.4f}"
