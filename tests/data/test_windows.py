"""Windows of a time series, by the rule that Keras documents: window `i` begins at point `i * sequence_stride`."""

import numpy as np
import pytest

import dseq as keras
from dseq import layers
from dseq.utils import timeseries_dataset_from_array


def test_points_and_targets():
    series = np.arange(100)
    data = timeseries_dataset_from_array(series, series * 2, 9, sequence_stride=3, sampling_rate=2, batch_size=5)
    batches = list(data)
    assert [x.shape for x, _ in batches] == [(5, 9)] * 5 + [(3, 9)]
    np.testing.assert_array_equal(batches[1][0][2], np.arange(21, 39, 2))
    np.testing.assert_array_equal(batches[1][1], [30, 36, 42, 48, 54])
    used = timeseries_dataset_from_array(series, series, 4, start_index=10, end_index=20, batch_size=100)
    assert len(used) == 1 and used[0][0].shape == (7, 4)
    np.testing.assert_array_equal(used[0][1], np.arange(10, 17))
    (only,) = timeseries_dataset_from_array(series, None, 50, sequence_stride=25, batch_size=3)[0]
    np.testing.assert_array_equal(only, np.arange(50) + 25 * np.arange(3)[:, None])


def test_a_model_of_windows(tmp_path):
    series = np.sin(np.arange(300) / 9).astype("float32")
    np.save(tmp_path / "series.npy", series)
    mapped = np.load(tmp_path / "series.npy", mmap_mode="r")
    histories = []
    for points in (series, mapped):
        keras.utils.set_random_seed(0)
        data = timeseries_dataset_from_array(points[:-1], points[1:], 4, batch_size=32, shuffle=True)
        model = keras.Sequential([keras.Input((4,)), layers.Dense(1)])
        model.compile("adam", "mse")
        histories.append(model.fit(data, epochs=2, verbose=0).history)
    assert histories[0] == histories[1]


def test_each_epoch_has_an_order_of_its_own():
    data = timeseries_dataset_from_array(np.arange(50), None, 3, batch_size=16, shuffle=True, seed=1)
    first = np.concatenate([x for (x,) in data])[:, 0]
    data.on_epoch_end()
    second = np.concatenate([x for (x,) in data])[:, 0]
    assert sorted(first) == sorted(second) == list(range(48)) and not np.array_equal(first, second)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"sequence_length": 101}, "at least as long as one window of 101 points. Received: 100"),
        ({"sequence_length": 0}, "`sequence_length` must be higher than 0"),
        ({"sampling_rate": 0}, "`sampling_rate` must be higher than 0"),
        ({"sampling_rate": 100}, "`sampling_rate` must be lower than the length"),
        ({"sequence_stride": -1}, "`sequence_stride` must be higher than 0"),
        ({"start_index": -1}, "`start_index` must be 0 or greater"),
        ({"start_index": 100}, "`start_index` must be lower than the length"),
        ({"start_index": 10, "end_index": 5}, "`end_index` must be higher than `start_index`"),
        ({"end_index": 100}, "`end_index` must be lower than the length"),
        ({"end_index": -1}, "`end_index` must be higher than 0"),
        ({"batch_size": 0}, "`batch_size` must be a positive integer"),
    ],
)
def test_errors(arguments, message):
    with pytest.raises(ValueError, match=message):
        timeseries_dataset_from_array(np.arange(100), None, **({"sequence_length": 3} | arguments))
