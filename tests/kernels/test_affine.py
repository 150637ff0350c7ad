"""Transformed images against NumPy: the image continued by `np.pad`, then interpolated; the gradient is the adjoint."""

import numpy as np
import pytest

from dseq.kernels import affine
from dseq.kernels.geometry import frame_backward, frame_forward, stretch_backward, stretch_forward

PADDED = {"constant": "constant", "nearest": "edge", "wrap": "wrap", "reflect": "symmetric", "mirror": "reflect"}
FAR = 40
rng = np.random.default_rng(0)
TRANSFORMS = np.array([[1.1, 0.2, -0.71, 0.3, 0.8, 1.2, 0, 0], [0.5, -0.6, 9.0, 0.4, 0.9, -7.0, 0.03, -0.02]])


def expected(x, transforms, smooth, mode, value, shape):
    """One image at a time, one pixel at a time, from an image that goes on far beyond its borders."""
    pad = [(FAR, FAR), (FAR, FAR), (0, 0)]
    more = {"constant_values": value} if mode == "constant" else {}
    y = np.zeros((len(x), *shape, x.shape[3]))
    for image, t, result in zip(x, transforms, y, strict=True):
        image = np.pad(image, pad, PADDED[mode], **more)
        for r, s in np.ndindex(*shape):
            k = t[6] * s + t[7] * r + 1
            q, p = FAR + (t[0] * s + t[1] * r + t[2]) / k, FAR + (t[3] * s + t[4] * r + t[5]) / k
            if not smooth:
                result[r, s] = image[int(np.floor(p + 0.5)), int(np.floor(q + 0.5))]
                continue
            i, j = int(np.floor(p)), int(np.floor(q))
            down, right = p - i, q - j
            upper = (1 - right) * image[i, j] + right * image[i, j + 1]
            lower = (1 - right) * image[i + 1, j] + right * image[i + 1, j + 1]
            result[r, s] = (1 - down) * upper + down * lower
    return y


@pytest.mark.parametrize("mode", PADDED)
@pytest.mark.parametrize("smooth", [0, 1])
def test_transformed_images(mode, smooth):
    x = rng.standard_normal((2, 4, 3, 2))
    y, number = np.full((2, 3, 5, 2), np.nan), affine.FILL_MODES.index(mode)
    affine.affine_forward(y, x, TRANSFORMS, smooth, number, np.array([7.0]))
    np.testing.assert_allclose(y, expected(x, TRANSFORMS, smooth, mode, 7.0, (3, 5)), rtol=1e-10, atol=1e-10)

    # y is linear in x but for the border's value: <dy, A x> = <A' dy, x>.
    dy, dx = rng.standard_normal(y.shape), np.ones_like(x)
    affine.affine_forward(y, x, TRANSFORMS, smooth, number, np.array([0.0]))
    affine.affine_backward(dx, dy, TRANSFORMS, smooth, number)
    np.testing.assert_allclose((dy * y).sum(), ((dx - 1) * x).sum(), rtol=1e-10)


def test_coordinates_that_are_none_are_outside():
    x, y = np.ones((1, 2, 2, 1)), np.empty((1, 2, 2, 1))
    for bad in (np.nan, np.inf, -1e300):
        for smooth in (0, 1):
            t = np.array([[1.0, 0, bad, 0, 1, 0, 0, 0]])
            affine.affine_forward(y, x, t, smooth, 0, np.array([5.0]))
            np.testing.assert_array_equal(y, 5.0)


def test_drawn_transformations_are_those_of_their_bounds():
    draws = np.array([[0.25, 0.75, 0.9]])
    t = np.empty((1, 8))
    affine.draw_rotations(t, draws[:, :1].copy(), np.array([0.0, 2 * np.pi]), 3, 5)  # a quarter of a turn
    np.testing.assert_allclose(t[0], [0, -1, 3, 1, 0, -1, 0, 0], atol=1e-12)
    affine.draw_translations(t, draws[:, :2].copy(), np.array([-1.0, 1.0, 0.0, 2.0]), 3, 5)
    np.testing.assert_allclose(t[0], [1, 0, -7.5, 0, 1, 1.5, 0, 0])
    affine.draw_zooms(t, draws[:, :2].copy(), np.array([0.0, 2.0, 0.0, 4.0]), 0, 3, 5)
    np.testing.assert_allclose(t[0], [4, 0, -6, 0, 1.5, -0.5, 0, 0])
    affine.draw_zooms(t, draws[:, :2].copy(), np.array([0.0, 2.0, 0.0, 0.0]), 1, 3, 5)
    np.testing.assert_allclose(t[0], [1.5, 0, -1, 0, 1.5, -0.5, 0, 0])
    affine.draw_shears(t, draws, np.array([0.0, 1.0, 0.0, 2.0]))
    np.testing.assert_allclose(t[0], [1, -0.25, 0, -1.5, 1, 0, 0, 0])


@pytest.mark.parametrize("before", [(1, 2, 3), (-1, -1, -2), (1, -1, 2), (0, 0, -9), (9, 0, 0)])
def test_frames(before):
    x = rng.standard_normal((2, 2, 3, 4))
    y = np.full((2, 3, 4, 5), np.nan)
    frame_forward(y, x, *before, np.array([7.0]))
    far = np.pad(x, [(0, 0)] + [(10, 10)] * 3, constant_values=7.0)
    where = tuple(slice(10 - b, 10 - b + n) for b, n in zip(before, y.shape[1:], strict=True))
    np.testing.assert_array_equal(y, far[(slice(None), *where)])
    dy, dx = rng.standard_normal(y.shape), np.ones_like(x)
    frame_backward(dx, dy, *before)
    frame_forward(y, x, *before, np.array([0.0]))
    np.testing.assert_allclose((dy * y).sum(), ((dx - 1) * x).sum(), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("inner", [1, 3])
def test_stretched_axes_are_products_with_a_matrix(inner):
    places, weights = rng.integers(0, 4, (3, 6)), rng.standard_normal((3, 6))
    matrix = np.zeros((6, 4))
    for k, p in np.ndindex(3, 6):
        matrix[p, places[k, p]] += weights[k, p]
    x, y = rng.standard_normal((2, 4, inner)), np.full((2, 6, inner), np.nan)
    stretch_forward(y, x, places, weights)
    np.testing.assert_allclose(y, matrix @ x, rtol=1e-12)
    dy, dx = rng.standard_normal(y.shape), np.ones_like(x)
    stretch_backward(dx, dy, places, weights)
    np.testing.assert_allclose(dx - 1, matrix.T @ dy, rtol=1e-10, atol=1e-12)
