"""Inputs, targets and sample weights as one tuple, as data sources give them."""


def pack_x_y_sample_weight(x, y=None, sample_weight=None):
    """A tuple as a data source gives it for each batch.

    Args:
        x: Inputs.
        y: Targets, or None.
        sample_weight: Sample weights, or None.

    Returns:
        `x` alone if it is an array and there is nothing else, else a tuple without the None at its end.
    """
    if y is None and sample_weight is None:
        return (x,) if isinstance(x, list | tuple | dict) else x
    return (x, y) if sample_weight is None else (x, y, sample_weight)


def unpack_x_y_sample_weight(data) -> tuple:
    """Always `(x, y, sample_weight)`, with None for what is not there.

    Args:
        data: What a data source gives for a batch: inputs, or a tuple of up to three.

    Raises:
        ValueError: If a tuple has more entries.
    """
    if isinstance(data, list):
        data = tuple(data)
    if not isinstance(data, tuple):
        return data, None, None
    if not 1 <= len(data) <= 3:
        raise ValueError(
            f"Data is expected to be in format `x`, `(x,)`, `(x, y)`, or `(x, y, sample_weight)`. Received: {data!r}"
        )
    return (*data, *(None,) * (3 - len(data)))
