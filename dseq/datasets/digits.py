"""Handwritten digits, 8 x 8 pixels: 1,797 samples that come with the package, for examples and tests without a network.

The data are the test part of "Optical Recognition of Handwritten Digits" by E. Alpaydin and C. Kaynak (UCI Machine
Learning Repository, 1998, https://doi.org/10.24432/C50P49), licensed under CC BY 4.0; `digits.LICENSE.txt` says how
they were split.
"""

from pathlib import Path

import numpy as np


def load_data():
    """Loads the 8 x 8 handwritten digits.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: 1,437 and 360 samples, already shuffled. `x` is uint8 of shape
        `(samples, 8, 8)` with values from 0 to 16; `y` is uint8 of shape `(samples,)` with values from 0 to 9. The test
        set has 36 samples of each digit.

    Example:
        >>> (x_train, y_train), (x_test, y_test) = load_data()
        >>> x_train = x_train.reshape(-1, 64).astype("float32") / 16
    """
    with np.load(Path(__file__).with_name("digits.npz"), allow_pickle=False) as file:
        return (file["x_train"], file["y_train"]), (file["x_test"], file["y_test"])
