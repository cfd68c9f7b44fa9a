"""J and F of pairs of masks."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from napari_sam2.metrics import (
    boundary_map,
    boundary_radius,
    boundary_similarity,
    region_similarity,
)

SHAPES = ((48, 64), (101, 77), (240, 320), (480, 854))


def ellipses(shape: tuple[int, int], seed: int) -> np.ndarray:
    """Three ellipses, some cut by the border, one cut out; from whole numbers alone."""
    rows, columns = np.indices(shape)
    mask = np.zeros(shape, bool)
    state = seed + 1
    for index in range(3):
        numbers = []
        for _ in range(4):
            state = (1103515245 * state + 12345) % (1 << 31)
            numbers.append(state >> 8)
        y, x = numbers[0] % shape[0], numbers[1] % shape[1]
        a, b = 3 + numbers[2] % (shape[0] // 4), 3 + numbers[3] % (shape[1] // 4)
        ellipse = ((rows - y) * b) ** 2 + ((columns - x) * a) ** 2 <= (a * b) ** 2
        mask = mask & ~ellipse if index == 2 else mask | ellipse
    return mask


def published_pairs() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Pairs of truth and prediction: shifted, different, full, empty, single pixels."""
    pairs = {}
    for shape in SHAPES:
        for seed in (1, 2):
            truth = ellipses(shape, seed)
            name = f"{shape[0]}x{shape[1]}-{seed}"
            shifted = np.roll(truth, (1 + seed, 2 * seed), axis=(0, 1))
            pairs[f"{name}-shifted"] = truth, shifted
            pairs[f"{name}-other"] = truth, ellipses(shape, seed + 10)
    full, empty = np.ones(SHAPES[0], bool), np.zeros(SHAPES[0], bool)
    corner, pixel = empty.copy(), empty.copy()
    corner[-1, -1], pixel[20, 30] = True, True
    blob = ellipses(SHAPES[0], 5)
    pairs |= {"full-blob": (full, blob), "corner-pixel": (corner, pixel)}
    pairs |= {"pixel-blob": (pixel, blob), "full-full": (full, full)}
    pairs |= {"empty-blob": (empty, blob), "blob-empty": (blob, empty)}
    return pairs | {"empty-empty": (empty, empty)}


# J and F of `published_pairs` as computed by `db_eval_iou` and `db_eval_boundary` of
# github.com/davisvideochallenge/davis2017-evaluation, davis2017/metrics.py at commit
# ac7c43fca936f9722837b7fbd337d284ba37004b, once, with opencv-python-headless 5.0.0,
# scikit-image 0.26.0 and numpy 2.4.6.
PUBLISHED = {
    "48x64-1-shifted": (0.7777777777777778, 0.36529680365296807),
    "48x64-1-other": (0.0, 0.0),
    "48x64-2-shifted": (0.6056338028169014, 0.18918918918918917),
    "48x64-2-other": (0.0, 0.0),
    "101x77-1-shifted": (0.7814207650273224, 0.6746031746031745),
    "101x77-1-other": (0.005029337803855826, 0.08193711269221943),
    "101x77-2-shifted": (0.43140495867768597, 0.32824427480916035),
    "101x77-2-other": (0.0, 0.0),
    "240x320-1-shifted": (0.930829451986919, 1.0),
    "240x320-1-other": (0.23339672879421833, 0.053201970443349754),
    "240x320-2-shifted": (0.8123123123123123, 0.7609543665398703),
    "240x320-2-other": (0.03341757933164841, 0.133548254338432),
    "480x854-1-shifted": (0.9678479348870128, 0.9176319176319175),
    "480x854-1-other": (0.09998897238369803, 0.03346007604562738),
    "480x854-2-shifted": (0.9306515818143725, 0.9015979814970563),
    "480x854-2-other": (0.4291612535815344, 0.04387641344163083),
    "full-blob": (0.09798177083333333, 0.0),
    "corner-pixel": (0.0, 0.0),
    "pixel-blob": (0.0, 0.0),
    "full-full": (1.0, 1.0),
    "empty-blob": (0.0, 0.0),
    "blob-empty": (0.0, 0.0),
    "empty-empty": (1.0, 1.0),
}

small_masks = st.tuples(st.integers(2, 9), st.integers(2, 9)).flatmap(
    lambda shape: st.tuples(arrays(bool, shape), arrays(bool, shape))
)


@pytest.mark.parametrize("name", PUBLISHED)
def test_region_and_boundary_equal_the_published_implementation(name):
    truth, prediction = published_pairs()[name]
    measured = (
        region_similarity(truth, prediction),
        boundary_similarity(truth, prediction),
    )
    assert measured == pytest.approx(PUBLISHED[name], abs=1e-12)


@given(small_masks)
def test_region_is_the_overlap_of_two_sets_of_pixels(pair):
    truth, prediction = pair
    first, second = (set(zip(*np.nonzero(mask), strict=True)) for mask in pair)
    both = len(first | second)
    expected = len(first & second) / both if both else 1.0
    assert region_similarity(truth, prediction) == pytest.approx(expected)


@given(small_masks)
def test_both_scores_are_symmetric_and_between_0_and_1(pair):
    truth, prediction = pair
    for score in (region_similarity, boundary_similarity):
        value = score(truth, prediction)
        assert 0 <= value <= 1
        assert value == pytest.approx(score(prediction, truth))
        assert score(truth, truth) == 1


@given(arrays(bool, array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=8)))
def test_boundary_map_marks_pixels_that_differ_from_a_later_neighbour(mask):
    height, width = mask.shape
    expected = np.zeros_like(mask)
    for row in range(height):
        for column in range(width):
            later = mask[row : row + 2, column : column + 2]
            expected[row, column] = np.any(later != mask[row, column])
    np.testing.assert_array_equal(boundary_map(mask), expected)


def test_boundary_tolerance_follows_the_diagonal_of_the_whole_frame():
    assert boundary_radius((480, 854)) == 8
    truth = np.zeros((480, 854), bool)
    truth[100:140, 100:140] = True
    moved = np.roll(truth, 8, axis=1)
    too_far = np.roll(truth, 40, axis=1)
    assert boundary_similarity(truth, moved) == 1
    assert boundary_similarity(truth, too_far) < 0.5


@pytest.mark.parametrize("score", [region_similarity, boundary_similarity])
def test_masks_of_different_shape_are_refused(score):
    with pytest.raises(ValueError, match=r"\(4, 5\).*\(5, 4\)"):
        score(np.zeros((4, 5), bool), np.zeros((5, 4), bool))
