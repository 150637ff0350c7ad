"""Tables of numbers in text files."""

import os

import numpy as np


def csv(path, y=None, x=None, delimiter=",", header="auto", dtype="float32", y_dtype=None) -> tuple:
    """Reads a table of numbers: inputs from some columns, targets from others.

    Every rank reads the file and holds the arrays. What does not fit into memory belongs in an HDF5 file (`HDF5`).

    Args:
        path: The file; one that ends in `.gz`, `.bz2` or `.xz` is unpacked on the way.
        y: The column of the targets, by name or number (-1 is the last), or a list of columns; None for none.
        x: The columns of the inputs, likewise; all others if None.
        delimiter: What stands between columns.
        header: Whether the first line has names; `"auto"`: if it is none of numbers.
        dtype: Type of the inputs; empty fields become NaN, which takes a float type.
        y_dtype: Type of the targets: that of the inputs if None, but whole numbers become int64.

    Returns:
        `(x, y)`: arrays `(rows, columns)` and `(rows,)`, or `(rows, columns)` for a list. Only `x` if `y` is None.

    Raises:
        OSError: If the file is not there.
        ValueError: If a column is not there, or something is no number.

    Example:
        >>> x, y = dseq.data.csv("diabetes.csv", y="outcome")
    """
    first = _first_line(path, delimiter)
    named = any(_number(field) is None for field in first) if header == "auto" else bool(header)
    names = first if named else []
    targets = None if y is None else _columns(y, names, len(first), path)
    if x is None:
        inputs = [column for column in range(len(first)) if column not in (targets or [])]
    else:
        inputs = _columns(x, names, len(first), path)
    table = _read(path, delimiter, int(named), len(first))
    data = table[:, inputs].astype(dtype)
    if targets is None:
        return data
    labels = table[:, targets]
    if y_dtype is None:
        whole = bool((np.isfinite(labels) & (np.floor(labels) == labels)).all())
        y_dtype = np.int64 if whole else dtype
    labels = labels.astype(y_dtype)
    return data, labels if isinstance(y, list | tuple) else labels[:, 0]


def _first_line(path, delimiter):
    """The fields of the first line that is not empty."""
    try:
        # NumPy's own way to open what may be packed.
        with np.lib.npyio.DataSource(None).open(os.fspath(path), "rt", encoding="utf-8") as file:
            line = next((line for line in file if line.strip()), "")
    except FileNotFoundError:
        raise FileNotFoundError(f"There is no data file {path}. Received: {path} in {os.getcwd()}") from None
    if not line:
        raise ValueError(f"A table must have at least one line. Received: {path}, which is empty")
    return [field.strip().strip('"').strip() for field in line.strip("\ufeff\r\n").split(delimiter)]


def _read(path, delimiter, skipped, columns):
    options = {"delimiter": delimiter, "skiprows": skipped, "comments": None, "quotechar": '"', "ndmin": 2}
    options |= {"dtype": np.float64, "encoding": "utf-8"}
    try:
        table = np.loadtxt(path, **options)
    except ValueError:
        try:  # slower, for empty fields
            table = np.loadtxt(path, converters=lambda field: float(field) if field.strip() else np.nan, **options)
        except ValueError as error:
            raise ValueError(f"{path} must be a table of numbers with {columns} columns. Received: {error}") from None
    if table.shape[1] != columns or not len(table):
        raise ValueError(
            f"{path} must be a table with {columns} columns and at least one row of numbers. Received: {len(table)} "
            f"rows of {table.shape[1]}"
        )
    return table


def _columns(wanted, names, count, path):
    """Columns by name or number as numbers from 0."""
    found = []
    for one in wanted if isinstance(wanted, list | tuple) else [wanted]:
        if isinstance(one, str):
            if one not in names:
                raise ValueError(
                    f"{path} has no column {one!r}. Received: a table with columns {names or 'of no name'}"
                )
            found.append(names.index(one))
        else:
            if not -count <= one < count:
                raise ValueError(f"{path} has no column {one}. Received: a table with {count} columns")
            found.append(one % count)
    return found


def _number(field):
    try:
        return float(field or "nan")
    except ValueError:
        return None
