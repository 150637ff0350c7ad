"""Samples in an HDF5 file: names, parts, types, errors, and how much memory they take."""

import pickle
import subprocess
import sys
import textwrap

import h5py
import numpy as np
import pytest

import dseq as keras
from dseq import layers

RNG = np.random.default_rng(0)
PIXELS = RNG.integers(0, 256, (40, 4, 5), dtype=np.uint8)
OTHER = RNG.random((40, 3))
LABELS = np.arange(40) % 3


@pytest.fixture
def path(tmp_path):
    with h5py.File(tmp_path / "data.h5", "w") as file:
        file["images"], file["labels"], file["group/other"] = PIXELS, LABELS, OTHER
        file["big"] = PIXELS.astype(">i4")
        file["half"] = OTHER.astype("float16")
        file["text"] = ["a"] * 40
        file["short"] = LABELS[:30]
        file.create_dataset("packed", data=PIXELS, chunks=(16, 4, 5), compression="gzip")
    return tmp_path / "data.h5"


def model(dtype="uint8"):
    keras.utils.set_random_seed(1)
    stack = [keras.Input((4, 5), dtype=dtype), layers.Rescaling(1 / 255), layers.Flatten(), layers.Dense(3, "softmax")]
    made = keras.Sequential(stack)
    made.compile("sgd", "sparse_categorical_crossentropy")
    return made


@pytest.mark.parametrize("name", ["images", "big", "packed"])
@pytest.mark.parametrize("shuffle", [False, "batch"])
def test_types_and_layouts(path, name, shuffle):
    data = keras.data.HDF5(path, name, "labels", buffer_size=300, block_size=60)
    expected = model().fit(PIXELS, LABELS, batch_size=6, epochs=2, shuffle=shuffle, verbose=0).history
    assert model().fit(data, batch_size=6, epochs=2, shuffle=shuffle, verbose=0).history == expected
    assert data.bytes_read == 2 * 40 * (8 + 20 * (4 if name == "big" else 1)) + 8 + 20 * (4 if name == "big" else 1)
    assert data.seconds_waited > 0


def test_a_part_of_the_samples(path):
    data = keras.data.HDF5(path, "images", "labels", start=10, stop=31)
    assert len(data) == 21 and "21 samples" in repr(data)
    made = model()
    np.testing.assert_array_equal(made.predict(data, verbose=0), made.predict(PIXELS[10:31], verbose=0))
    left, right = keras.utils.split_dataset(data, left_size=0.5)
    assert (left.start, left.stop, right.start, right.stop) == (10, 20, 20, 31)
    assert made.evaluate(right, verbose=0) == made.evaluate(PIXELS[20:31], LABELS[20:31], verbose=0)


def test_several_inputs_by_list_and_by_name(path):
    pixels, other = keras.Input((4, 5), name="pixels"), keras.Input((3,), name="other")
    joined = layers.Concatenate()([layers.Flatten()(pixels), other])
    both = keras.Model([pixels, other], layers.Dense(3, "softmax")(joined))
    both.compile("sgd", "sparse_categorical_crossentropy")
    expected = both.predict([PIXELS, OTHER], verbose=0)
    for names in (["images", "group/other"], {"other": "group/other", "pixels": "images"}):
        data = keras.data.HDF5(path, names, None, buffer_size=500)
        np.testing.assert_array_equal(both.predict(data, batch_size=7, verbose=0), expected)
    with pytest.raises(ValueError, match="other"):
        both.predict(keras.data.HDF5(path, {"pixels": "images", "oter": "group/other"}, None), verbose=0)


def test_half_precision(path):
    made = keras.Sequential([keras.Input((3,)), layers.Dense(2)])
    data = keras.data.HDF5(path, "half", None)
    np.testing.assert_array_equal(
        made.predict(data, verbose=0), made.predict(OTHER.astype("float16").astype("float32"), verbose=0)
    )


def test_steps_begin_in_the_middle_of_a_window(path):
    histories = []
    for given in ({"x": keras.data.HDF5(path, "images", "labels", buffer_size=400)}, {"x": PIXELS, "y": LABELS}):
        options = {"batch_size": 6, "steps_per_epoch": 3, "epochs": 5, "shuffle": False, "verbose": 0}
        histories.append(model().fit(**given, **options).history)
    assert histories[0] == histories[1]


def test_a_data_set_can_be_pickled_and_closed(path):
    data = keras.data.HDF5(path, "images", "labels")
    copy = pickle.loads(pickle.dumps(data))
    data.close()
    data.close()
    made = model()
    assert made.evaluate(data, verbose=0) == made.evaluate(copy, verbose=0) == made.evaluate(PIXELS, LABELS, verbose=0)


def test_a_file_that_the_script_has_open(path):
    made = model()
    expected = made.predict(PIXELS, verbose=0)
    for options in ({}, {"locking": False}):
        with h5py.File(path, "r", **options):
            data = keras.data.HDF5(path, "images", "labels")
            np.testing.assert_array_equal(made.predict(data, verbose=0), expected)
            data.close()
    data = keras.data.HDF5(path, "images", "labels")
    with h5py.File(path, "r") as file:
        assert len(file["images"]) == len(data)


@pytest.mark.parametrize(
    "arguments, message",
    [
        (("images", "labelz"), "has no data set 'labelz'. Received: a file with .*'images'.*'labels'"),
        (("group", "labels"), "has no data set 'group'"),
        (("text", "labels"), "must hold numbers.*'text'"),
        (("images", "short"), "cardinality is ambiguous.*'images': 40, 'short': 30"),
        (("images", "labels", None, 40), "at least one of the file's samples. Received: start=40, stop=40"),
        (("images", "labels", None, 0, 41), "stop=41 for 40 samples"),
        (("images", "labels", None, 0, None, 0), "`block_size` must be a positive number"),
        ((None, "labels"), "`x` must name the data sets"),
    ],
)
def test_errors(path, arguments, message):
    with pytest.raises(ValueError, match=message):
        keras.data.HDF5(path, *arguments)


def test_files_that_are_none(path, tmp_path):
    (tmp_path / "short.h5").write_bytes(path.read_bytes()[:3000])
    (tmp_path / "foreign.h5").write_bytes(b"no HDF5" * 100)
    for name, kind, message in (
        ("short.h5", OSError, "is damaged or incomplete"),
        ("foreign.h5", OSError, "is no HDF5 file"),
        ("missing.h5", FileNotFoundError, "There is no data file"),
        ("", IsADirectoryError, "is a folder"),
    ):
        with pytest.raises(kind, match=message):
            keras.data.HDF5(tmp_path / name, "images", "labels")


def test_a_file_that_is_damaged_inside(tmp_path):
    path = tmp_path / "data.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("x", data=PIXELS, chunks=(10, 4, 5), fletcher32=True)
        file["y"] = LABELS
        place = file["x"].id.get_chunk_info(2).byte_offset
    with open(path, "r+b") as file:
        file.seek(place + 7)
        file.write(b"damage")
    made = model()
    with pytest.raises(OSError, match="is damaged or incomplete: rows 20 to 29 of 'x' could not be read"):
        made.fit(keras.data.HDF5(path, buffer_size=280, block_size=1), batch_size=10, shuffle=False, verbose=0)
    assert made.evaluate(PIXELS, LABELS, verbose=0) > 0  # and the model goes on


@pytest.mark.compiled
def test_memory_is_that_of_the_buffers(tmp_path):
    """160 MB are trained on in far less: two buffers of 8 MB."""
    path = tmp_path / "large.h5"
    block = np.zeros((10_000, 1000), np.uint8)
    with h5py.File(path, "w") as file:
        x = file.create_dataset("x", (160_000, 1000), np.uint8)
        for lo in range(0, len(x), len(block)):
            x[lo : lo + len(block)] = block
        file["y"] = np.zeros(len(x), np.int64)
    script = textwrap.dedent(f"""
        import resource
        import dseq as keras
        model = keras.Sequential([keras.Input((1000,)), keras.layers.Dense(2, "softmax")])
        model.compile("sgd", "sparse_categorical_crossentropy")
        few = keras.data.HDF5({str(path)!r}, stop=4000, buffer_size=1 << 20)
        model.fit(few, batch_size=500, verbose=0)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        data = keras.data.HDF5({str(path)!r}, buffer_size=8 << 20)
        model.fit(data, batch_size=500, verbose=0)
        assert data.bytes_read > 160e6
        print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before))
    """)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    unit = 1 if sys.platform == "darwin" else 1024
    assert int(done.stdout.split()[-1]) * unit < 50e6, done.stdout
