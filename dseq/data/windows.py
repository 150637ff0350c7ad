"""Windows of a time series, cut out when they are needed."""

import numpy as np

from dseq.data.samples import Samples


class Windows(Samples):
    """Sequences of equally spaced points of a series: what `timeseries_dataset_from_array` returns.

    Nothing is copied before a batch is made, so that the series may be a memory map.

    Args:
        data: The series, `(points, ...)`.
        targets: The target of the window that begins at each point, `(points, ...)`; None for none.
        sequence_length: Points of a window.
        sequence_stride: Points between the beginnings of two windows.
        sampling_rate: Points between two points of a window.
        **options: As for `Samples`.
    """

    def __init__(self, data, targets, sequence_length, sequence_stride=1, sampling_rate=1, **options):
        self.data, self.targets = data, targets
        beginnings = len(data) - (sequence_length - 1) * sampling_rate
        if targets is not None:
            beginnings = min(beginnings, len(targets))
        self.sequence_stride = sequence_stride
        self._offsets = np.arange(sequence_length) * sampling_rate
        if beginnings < 1:
            raise ValueError(
                f"The series must be at least as long as one window of {self._offsets[-1] + 1} points. "
                f"Received: {len(data)} points"
            )
        super().__init__(-(-beginnings // sequence_stride), **options)

    def take(self, numbers):
        """Windows by their numbers, and their targets if there are any."""
        begin = np.asarray(numbers) * self.sequence_stride
        x = np.asarray(self.data[begin[:, None] + self._offsets])
        return (x,) if self.targets is None else (x, np.asarray(self.targets[begin]))


def timeseries_dataset_from_array(
    data,
    targets,
    sequence_length,
    sequence_stride=1,
    sampling_rate=1,
    batch_size=128,
    shuffle=False,
    seed=None,
    start_index=None,
    end_index=None,
) -> Windows:
    """A data set of windows of a series, for `fit`.

    Args:
        data: The series, `(points, ...)`.
        targets: `targets[i]` belongs to the window that begins at point `i`; None for inputs alone.
        sequence_length: Points of a window.
        sequence_stride: Points between the beginnings of two windows.
        sampling_rate: Points between two points of a window.
        batch_size: Windows of a global batch.
        shuffle: Whether each epoch takes the windows in another order.
        seed: Seed of the order.
        start_index: First point to use.
        end_index: Point behind the last to use.

    Raises:
        ValueError: If an argument is out of its range.

    Example:
        >>> series = np.arange(100.0)
        >>> data = timeseries_dataset_from_array(series[:-10], series[10:], sequence_length=10, batch_size=8)
        >>> x, y = data[0]
        >>> x.shape, y[0]
        ((8, 10), 10.0)
    """
    count = len(data)
    if start_index and not 0 <= start_index < count:
        rule = "0 or greater" if start_index < 0 else "lower than the length of the data"
        raise ValueError(
            f"`start_index` must be {rule}. Received: start_index={start_index}, for data of length {count}"
        )
    if end_index is not None:
        if start_index and end_index <= start_index:
            raise ValueError(
                "`end_index` must be higher than `start_index`. "
                f"Received: start_index={start_index}, and end_index={end_index}"
            )
        if not 0 < end_index < count:
            rule = "higher than 0" if end_index <= 0 else "lower than the length of the data"
            raise ValueError(f"`end_index` must be {rule}. Received: end_index={end_index}, for data of length {count}")
    if sequence_length < 1:
        raise ValueError(f"`sequence_length` must be higher than 0. Received: sequence_length={sequence_length}")
    for name, value in (("sampling_rate", sampling_rate), ("sequence_stride", sequence_stride)):
        if value <= 0:
            raise ValueError(f"`{name}` must be higher than 0. Received: {name}={value}")
        if value >= count:
            raise ValueError(
                f"`{name}` must be lower than the length of the data. Received: {name}={value}, for data of length "
                f"{count}"
            )
    used = slice(start_index, end_index)
    data = (data if hasattr(data, "shape") else np.asarray(data))[used]
    if targets is not None:
        targets = (targets if hasattr(targets, "shape") else np.asarray(targets))[used]
    options = {"batch_size": batch_size, "shuffle": shuffle, "seed": seed}
    return Windows(data, targets, sequence_length, sequence_stride, sampling_rate, **options)
