"""Images from files: found, decoded, resized as Keras does it."""

import numpy as np
import pytest

import dseq as keras
from dseq import layers
from dseq.data.resize import crop_box, pad_to_ratio, resize
from dseq.utils import image_dataset_from_directory

IMAGE = np.arange(35, dtype="float32").reshape(5, 7, 1) ** 1.5
# `keras.ops.image.resize` of IMAGE in Keras 3.15.1 (jax): the sum, and the second row's first four.
RESIZED = {
    ("nearest", 3, 4): (999.46936, [52.383, 64.0, 76.368, 89.443]),
    ("nearest", 8, 9): (5839.8843, [0.0, 1.0, 1.0, 2.828]),
    ("bilinear", 3, 4): (959.14233, [54.525, 64.762, 75.583, 86.959]),
    ("bilinear", 8, 9): (5746.4126, [8.103, 9.676, 11.769, 14.149]),
    ("bicubic", 3, 4): (967.27295, [53.981, 64.751, 75.573, 87.573]),
    ("bicubic", 8, 9): (5757.0874, [5.505, 6.866, 8.912, 11.180]),
    ("lanczos3", 3, 4): (969.8606, [53.778, 64.656, 75.674, 87.804]),
    ("lanczos3", 8, 9): (5754.8564, [4.646, 5.855, 8.015, 10.055]),
    ("lanczos5", 3, 4): (968.9727, [53.771, 64.489, 75.862, 87.812]),
    ("lanczos5", 8, 9): (5755.7383, [3.411, 4.562, 6.837, 8.583]),
}


@pytest.mark.parametrize("case", RESIZED)
def test_resizing_as_in_keras(case):
    interpolation, height, width = case
    total, row = RESIZED[case]
    result = resize(IMAGE, height, width, interpolation)
    assert result.shape == (height, width, 1) and result.dtype == np.float32
    np.testing.assert_allclose(result.sum(), total, rtol=1e-5)
    np.testing.assert_allclose(result[1, :4, 0], row, atol=1e-3)


@pytest.mark.parametrize("interpolation", ["mitchellcubic", "gaussian"])
def test_a_flat_image_stays_flat(interpolation):
    np.testing.assert_allclose(resize(np.full((5, 7, 3), 9), 8, 4, interpolation), 9, rtol=1e-6)


def test_keeping_the_ratio():
    image = np.arange(24, dtype="float32").reshape(6, 4, 1)
    top, left, rows, columns = crop_box(6, 4, 4, 4)
    assert (top, left, rows, columns) == (1, 0, 4, 4)
    # keras.ops.image.resize(image, (4, 8), pad_to_aspect_ratio=True)
    expected = [[0, 0, 0.25, 1.75, 3.25, 1, 0, 0], [0, 0, 1.75, 7.75, 9.25, 2.5, 0, 0]]
    np.testing.assert_allclose(resize(pad_to_ratio(image, 4, 8), 4, 8)[:2, :, 0], expected, atol=1e-5)


@pytest.fixture
def folder(tmp_path):
    Image = pytest.importorskip("PIL.Image")
    for number, name in enumerate(("cats", "dogs", "eels")):
        (tmp_path / name / "more").mkdir(parents=True)
        for k in range(4):
            place = tmp_path / name / "more" if k == 3 else tmp_path / name
            pixels = np.full((8, 6, 3), 40 * number + 10 * k, np.uint8)
            Image.fromarray(pixels).save(place / f"{k}.png")
    (tmp_path / "cats" / "notes.txt").write_text("no image")
    return tmp_path


def test_classes_are_folders(folder, capsys):
    data = image_dataset_from_directory(folder, image_size=(4, 4), batch_size=5, shuffle=False)
    assert "Found 12 files belonging to 3 classes." in capsys.readouterr().out
    assert data.class_names == ["cats", "dogs", "eels"] and len(data.file_paths) == 12
    batches = list(data)
    assert [x.shape for x, _ in batches] == [(5, 4, 4, 3), (5, 4, 4, 3), (2, 4, 4, 3)]
    np.testing.assert_array_equal(np.concatenate([y for _, y in batches]), np.repeat([0, 1, 2], 4))
    grey = np.concatenate([x[:, 0, 0, 0] for x, _ in batches])
    np.testing.assert_array_equal(grey, [0, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100, 110])


def test_labels_of_every_kind(folder):
    options = {"image_size": 4, "shuffle": False, "verbose": False, "batch_size": 12}
    one_hot = image_dataset_from_directory(folder, label_mode="categorical", **options)[0][1]
    np.testing.assert_array_equal(one_hot, np.repeat(np.eye(3), 4, 0))
    two = image_dataset_from_directory(folder, label_mode="binary", class_names=["eels", "cats"], **options)[0]
    assert two[1].tolist() == [[0.0]] * 4 + [[1.0]] * 4 and two[0][0, 0, 0, 0] == 80
    assert len(image_dataset_from_directory(folder, labels=None, **options)[0]) == 1
    given = image_dataset_from_directory(folder / "cats", labels=[5, 6, 7, 8], **options)
    assert given[0][1].tolist() == [5, 6, 7, 8] and given.class_names == ["5", "6", "7", "8"]
    assert image_dataset_from_directory(folder, color_mode="grayscale", **options)[0][0].shape == (12, 4, 4, 1)
    assert image_dataset_from_directory(folder, color_mode="rgba", **options)[0][0].shape == (12, 4, 4, 4)


def test_splitting(folder):
    options = {"image_size": 4, "verbose": False, "seed": 3, "validation_split": 0.25}
    train, held_out = image_dataset_from_directory(folder, subset="both", **options)
    again = image_dataset_from_directory(folder, subset="validation", **options)
    assert train.count == 9 and held_out.file_paths == again.file_paths and not held_out.shuffle and train.shuffle
    assert not set(train.file_paths) & set(held_out.file_paths)


def test_a_model_of_images(folder):
    keras.utils.set_random_seed(0)
    data = image_dataset_from_directory(folder, image_size=(4, 4), batch_size=4, verbose=False)
    stack = [keras.Input((4, 4, 3)), layers.Rescaling(1 / 255), layers.Flatten(), layers.Dense(3, "softmax")]
    model = keras.Sequential(stack)
    model.compile(keras.optimizers.Adam(0.05), "sparse_categorical_crossentropy")
    losses = model.fit(data, epochs=20, verbose=0).history["loss"]
    assert losses[-1] < 0.8 * losses[0]


def test_a_damaged_image(folder):
    (folder / "dogs" / "0.png").write_bytes(b"no image")
    data = image_dataset_from_directory(folder, image_size=4, shuffle=False, verbose=False)
    with pytest.raises(OSError, match="dogs.*could not be read as an image"):
        keras.Sequential([keras.Input((4, 4, 3)), layers.Flatten()]).predict(data, verbose=0)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"label_mode": "text"}, "`label_mode` argument must be one of"),
        ({"labels": "guessed"}, "`labels` argument should be a list"),
        ({"labels": [0], "class_names": ["a"]}, "only pass `class_names`"),
        ({"labels": [0, 1]}, "Expected the lengths of `labels`.*2 while we found 12"),
        ({"class_names": ["cats", "bats"]}, "did not match the names of the subdirectories"),
        ({"label_mode": "binary"}, "exactly 2 class_names"),
        ({"validation_split": 2, "subset": "training"}, "between 0 and 1"),
        ({"validation_split": 0.5}, "must be passed together"),
        ({"validation_split": 0.5, "subset": "test"}, '"training", "validation" or "both"'),
        ({"validation_split": 0.5, "subset": "training"}, "must provide a `seed`"),
        ({"color_mode": "cmyk"}, "`color_mode` must be one of"),
        ({"interpolation": "area"}, "`interpolation` should be one of"),
        ({"image_size": (1, 2, 3)}, "Expected a tuple of 2 integers"),
    ],
)
def test_errors(folder, arguments, message):
    with pytest.raises(ValueError, match=message):
        image_dataset_from_directory(folder, **arguments)
    empty = folder / "empty"
    empty.mkdir()
    with pytest.raises(ValueError, match="No images found"):
        image_dataset_from_directory(empty)


def test_without_pillow(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(ImportError, match=r"takes Pillow.*dseq\[images\]"):
        keras.data.Images(["a.png"])
