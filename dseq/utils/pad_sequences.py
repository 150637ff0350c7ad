"""Sequences of any length as one array."""

import numpy as np


def pad_sequences(sequences, maxlen=None, dtype="int32", padding="pre", truncating="pre", value=0.0) -> np.ndarray:
    """Brings sequences to one length: shorter ones are filled up, longer ones cut.

    Args:
        sequences: List of sequences; their elements may be arrays of one shape.
        maxlen: The length, that of the longest if None.
        dtype: Type of the result.
        padding: `"pre"` or `"post"`: where to fill up.
        truncating: `"pre"` or `"post"`: where to cut.
        value: What to fill with.

    Returns:
        Array `(len(sequences), maxlen, ...)`.

    Raises:
        ValueError: If something is no sequence, or elements differ in shape.

    Example:
        >>> pad_sequences([[1], [2, 3], [4, 5, 6]], maxlen=2)
        array([[0, 1],
               [2, 3],
               [5, 6]], dtype=int32)
    """
    if not hasattr(sequences, "__len__"):
        raise ValueError(f"`sequences` must be iterable. Received: {type(sequences).__name__}")
    for name, side in (("Truncating", truncating), ("Padding", padding)):
        if side not in ("pre", "post"):
            raise ValueError(f'{name} type "{side}" not understood: it must be "pre" or "post".')
    for sequence in sequences:
        if not hasattr(sequence, "__len__"):
            raise ValueError(f"`sequences` must be a list of iterables. Found non-iterable: {sequence}")
    text = np.issubdtype(dtype, np.str_) or np.issubdtype(dtype, np.bytes_)
    if isinstance(value, str) and np.dtype(dtype) != object and not text:
        raise ValueError(
            f"`dtype` {dtype} is not compatible with `value`'s type: {type(value)}. "
            "You should set `dtype=object` for variable length strings."
        )
    if maxlen is None:
        maxlen = max(map(len, sequences), default=0)
    shape = next((np.asarray(sequence).shape[1:] for sequence in sequences if len(sequence)), ())
    result = np.full((len(sequences), maxlen, *shape), value, dtype)
    for i, sequence in enumerate(sequences):
        kept = sequence[max(0, len(sequence) - maxlen) :] if truncating == "pre" else sequence[:maxlen]
        if not len(kept):
            continue
        kept = np.asarray(kept, dtype)
        if kept.shape[1:] != shape:
            raise ValueError(
                f"Shape of sample {kept.shape[1:]} of sequence at position {i} is different from expected shape {shape}"
            )
        result[i, slice(maxlen - len(kept), None) if padding == "pre" else slice(len(kept))] = kept
    return result
