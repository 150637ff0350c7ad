"""Initializers: statistics, fans, seeds, names and configurations."""

import numpy as np
import pytest

from dseq import initializers
from dseq.initializers import compute_fans
from dseq.utils import set_random_seed

RANDOM = [
    "GlorotNormal",
    "GlorotUniform",
    "HeNormal",
    "HeUniform",
    "LecunNormal",
    "LecunUniform",
    "Orthogonal",
    "RandomNormal",
    "RandomUniform",
    "TruncatedNormal",
    "VarianceScaling",
]
NAMES = [*RANDOM, "Constant", "Identity", "Ones", "Zeros"]


# shape (200, 300): inputs 200, outputs 300, so fan_in, fan_out and fan_avg give different widths.
@pytest.mark.parametrize(
    ("name", "variance"),
    [
        ("GlorotUniform", 2 / 500),
        ("GlorotNormal", 2 / 500),
        ("HeUniform", 2 / 200),
        ("HeNormal", 2 / 200),
        ("LecunUniform", 1 / 200),
        ("LecunNormal", 1 / 200),
        ("VarianceScaling", 1 / 200),
        ("RandomNormal", 0.05**2),
        ("RandomUniform", 0.1**2 / 12),
        ("TruncatedNormal", (0.05 * 0.8796256610342398) ** 2),
    ],
)
def test_mean_and_variance(name, variance):
    values = initializers.get({"class_name": name, "config": {"seed": 1}})((200, 300), "float64")
    assert abs(values.mean()) < 5 * np.sqrt(variance / values.size)
    assert values.var() == pytest.approx(variance, rel=0.02)


@pytest.mark.parametrize("distribution", ["uniform", "truncated_normal", "untruncated_normal", "normal"])
@pytest.mark.parametrize(("mode", "n"), [("fan_in", 200), ("fan_out", 300), ("fan_avg", 250)])
def test_variance_scaling(mode, n, distribution):
    values = initializers.VarianceScaling(2.0, mode, distribution, seed=3)((200, 300), "float64")
    stddev = np.sqrt(2 / n)
    assert values.std() == pytest.approx(stddev, rel=0.02)
    largest = np.abs(values).max() / stddev
    if distribution == "uniform":
        assert 1.72 < largest <= np.sqrt(3)
    elif distribution == "untruncated_normal":
        assert largest > 3
    else:
        assert 2.2 < largest <= 2 / 0.8796256610342398


def test_bounds():
    values = initializers.RandomUniform(-1.0, 3.0, seed=0)((1000,))
    assert -1 <= values.min() < -0.9 and 2.9 < values.max() < 3
    values = initializers.TruncatedNormal(1.0, 0.5, seed=0)((5000,))
    assert 0 <= values.min() < 0.1 and 1.9 < values.max() <= 2


@pytest.mark.parametrize("shape", [(8, 8), (9, 4), (4, 9), (3, 3, 2, 5), (2, 2, 1, 30)])
def test_orthogonal(shape):
    matrix = initializers.Orthogonal(gain=2.0, seed=4)(shape, "float64").reshape(-1, shape[-1])
    if matrix.shape[0] < matrix.shape[1]:
        matrix = matrix.T
    np.testing.assert_allclose(matrix.T @ matrix, 4 * np.eye(matrix.shape[1]), atol=1e-12)


def test_constants():
    assert (initializers.Zeros()((2, 3)) == 0).all()
    assert (initializers.Ones()((2, 3)) == 1).all()
    assert (initializers.Constant(2.5)((2, 3)) == 2.5).all()
    np.testing.assert_array_equal(initializers.Constant([1, 2, 3])((2, 3)), [[1, 2, 3]] * 2)
    np.testing.assert_array_equal(initializers.Identity(3.0)((2, 3)), [[3, 0, 0], [0, 3, 0]])
    assert initializers.Zeros()((), "int32").dtype == "int32"


@pytest.mark.parametrize(
    ("shape", "fans"),
    [((), (1, 1)), ((7,), (7, 7)), ((4, 6), (4, 6)), ((3, 3, 16, 32), (144, 288)), ((3, 3, 5, 1), (45, 9))],
)
def test_fans(shape, fans):
    assert compute_fans(shape) == fans


def test_fans_of_named_axes():
    assert compute_fans((8, 64, 512), input_axes=[2], output_axes=[0, 1]) == (512, 512)
    assert compute_fans((64, 64, 64), input_axes=[0, 1], output_axes=[2]) == (4096, 64)
    wide = initializers.GlorotUniform(seed=0, input_axes=[0, 1], output_axes=[2])((10, 20, 300), "float64")
    assert wide.std() == pytest.approx(np.sqrt(2 / 500), rel=0.02)


@pytest.mark.parametrize("name", RANDOM)
def test_a_seed_fixes_the_values(name):
    kind = getattr(initializers, name)
    first, second = kind(seed=7), kind(seed=7)
    values = first((6, 5))
    np.testing.assert_array_equal(values, first((6, 5)))
    np.testing.assert_array_equal(values, second((6, 5)))
    assert not np.array_equal(values, kind(seed=8)((6, 5)))
    np.testing.assert_allclose(values, first((6, 5), "float64"), rtol=1e-6)


@pytest.mark.parametrize("name", RANDOM)
def test_without_a_seed_objects_differ(name):
    kind = getattr(initializers, name)
    first, second = kind(), kind()
    np.testing.assert_array_equal(first((6, 5)), first((6, 5)))
    assert not np.array_equal(first((6, 5)), second((6, 5)))
    assert not np.array_equal(initializers.get(name)((6, 5)), initializers.get(name)((6, 5)))
    assert not np.array_equal(first((6, 5)), first.clone()((6, 5)))


def test_set_random_seed_makes_unseeded_objects_repeat():
    set_random_seed(5)
    first = initializers.GlorotUniform()((4, 4))
    set_random_seed(5)
    np.testing.assert_array_equal(first, initializers.GlorotUniform()((4, 4)))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", [None, "float32", "float64"])
def test_shape_type_and_layout(name, dtype):
    values = initializers.get(name)((4, 6), dtype)
    assert values.shape == (4, 6) and values.dtype == (dtype or "float32")
    assert values.flags.c_contiguous


@pytest.mark.parametrize("name", NAMES)
def test_round_trip_through_configuration(name):
    original = getattr(initializers, name)(**({"seed": 3} if name in RANDOM else {}))
    data = initializers.serialize(original)
    assert data["module"] == "keras.initializers" and data["class_name"] == name
    copy = initializers.get(data)
    assert type(copy) is type(original) and copy.get_config() == original.get_config()
    np.testing.assert_array_equal(copy((3, 4)), original((3, 4)))


def test_configurations_are_those_of_keras():
    assert initializers.HeNormal().get_config() == {"seed": None, "input_axes": None, "output_axes": None}
    assert initializers.VarianceScaling(distribution="normal", seed=1).get_config() == {
        "scale": 1.0,
        "mode": "fan_in",
        "distribution": "truncated_normal",
        "seed": 1,
        "input_axes": None,
        "output_axes": None,
    }
    assert initializers.RandomUniform(seed=2).get_config() == {"seed": 2, "minval": -0.05, "maxval": 0.05}
    assert initializers.Constant(np.float32(2)).get_config() == {"value": 2.0}


@pytest.mark.parametrize(
    ("identifier", "kind"),
    [
        ("glorot_uniform", "GlorotUniform"),
        ("uniform", "RandomUniform"),
        ("normal", "RandomNormal"),
        ("zero", "Zeros"),
        ("one", "Ones"),
        ("IdentityInitializer", "Identity"),
        ("OrthogonalInitializer", "Orthogonal"),
        (initializers.HeNormal, "HeNormal"),
        (initializers.lecun_normal, "LecunNormal"),
        (initializers.Constant(3.0), "Constant"),
        ({"class_name": "Constant", "config": {"value": 1.0}}, "Constant"),
    ],
)
def test_get(identifier, kind):
    assert type(initializers.get(identifier)) is getattr(initializers, kind)


def test_get_of_functions_arrays_and_none():
    def halves(shape, dtype=None):
        return np.full(shape, 0.5, dtype)

    assert initializers.get(halves) is halves
    written = initializers.serialize(halves)
    assert (written["class_name"], written["config"]) == ("function", "halves")
    assert initializers.deserialize(written, {"halves": halves}) is halves
    assert initializers.deserialize("halves", {"halves": halves}) is halves
    assert initializers.get(None) is None
    np.testing.assert_array_equal(initializers.get(np.arange(3))((3,)), [0, 1, 2])
    with pytest.raises(ValueError, match=r"weight's shape \(4,\). Received: an array of shape \(3,\)"):
        initializers.get(np.arange(3))((4,))


@pytest.mark.parametrize("identifier", ["nope", 3, {"class_name": "Nope", "config": {}}, {}])
def test_unknown_identifier(identifier):
    with pytest.raises(ValueError, match="Could not interpret initializer identifier"):
        initializers.get(identifier)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: initializers.VarianceScaling(0.0), "`scale` must be positive"),
        (lambda: initializers.VarianceScaling(mode="fan"), "Invalid `mode`"),
        (lambda: initializers.VarianceScaling(distribution="cauchy"), "Invalid `distribution`"),
        (lambda: initializers.RandomNormal(seed=-1), "`seed` of RandomNormal must be an integer >= 0"),
        (lambda: initializers.Orthogonal()((3,)), "two axes or more"),
        (lambda: initializers.Identity()((3, 3, 3)), "two axes"),
        (lambda: initializers.get({"class_name": "Zeros", "config": {"color": 1}}), "does not take this configuration"),
    ],
)
def test_errors(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_repr():
    assert repr(initializers.HeNormal(seed=3)) == "HeNormal(seed=3)"
    assert repr(initializers.RandomUniform()) == "RandomUniform(minval=-0.05, maxval=0.05)"
    assert repr(initializers.Zeros()) == "Zeros()"
