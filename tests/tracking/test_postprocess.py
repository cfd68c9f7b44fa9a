"""Holes and label images against plain loops and against torch."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from torch.nn import functional as F

from napari_sam2.errors import InputError
from napari_sam2.tracking.postprocess import (
    fill_holes,
    label_image,
    other_components,
    stability,
)


def plain_fill(logits, max_area):
    """Flood-fill every component of one mask, eight neighbours."""
    filled = logits.copy()
    left = set(zip(*np.nonzero(logits <= 0), strict=True))
    while left:
        queue, component = [left.pop()], []
        while queue:
            y, x = queue.pop()
            component.append((y, x))
            around = {(y + dy, x + dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)}
            queue.extend(around & left)
            left -= around
        if len(component) <= max_area:
            for pixel in component:
                filled[pixel] = 0.1
    return filled


@given(
    hnp.arrays(
        np.float32, (2, 9, 11), elements=st.sampled_from([-3.0, -0.5, 0.0, 0.5, 2.0])
    ),
    st.integers(1, 9),
)
def test_holes_are_filled_as_by_hand(logits, max_area):
    expected = np.stack([plain_fill(mask, max_area) for mask in logits])
    filled = fill_holes(logits, max_area)
    assert filled.dtype == np.float32
    np.testing.assert_array_equal(filled, expected.astype(np.float32))


def test_no_hole_is_filled_across_masks_nor_with_zero_area():
    logits = np.ones((3, 5, 5), dtype=np.float32)
    logits[:, 2, 2] = -1
    np.testing.assert_array_equal(fill_holes(logits, 0), logits)
    assert (
        fill_holes(logits, 1) > 0
    ).all()  # three holes of one pixel, not one of three
    assert (logits[:, 2, 2] == -1).all()  # the array given is left alone


def torch_label_image(object_ids, logits, frame_shape):
    """Resize whole frames of all objects, then take the highest."""
    resized = F.interpolate(
        torch.from_numpy(logits)[None],
        frame_shape,
        mode="bilinear",
        align_corners=False,
    )[0].numpy()
    labels = np.zeros(frame_shape, dtype=np.uint16)
    best = np.zeros(frame_shape, dtype=np.float32)
    for object_id in sorted(object_ids):
        mask = resized[object_ids.index(object_id)]
        labels[mask > best] = object_id
        best = np.maximum(best, mask)
    return labels


@pytest.mark.parametrize("frame_shape", [(16, 16), (33, 70), (7, 5), (1, 40), (16, 50)])
def test_label_image_equals_resizing_everything(frame_shape):
    rng = np.random.default_rng(0)
    object_ids = [9, 2, 7, 300]
    # Multiples of 1/4 and sums of few: exact in float32 up to the weights' rounding.
    logits = np.round(rng.normal(-1, 2, (4, 16, 16)) * 4).astype(np.float32) / 4
    logits[2, :, :9] = -1024
    labels = label_image(object_ids, logits, frame_shape)
    assert labels.shape == frame_shape
    expected = torch_label_image(object_ids, logits, frame_shape)
    assert (labels != expected).mean() <= 0.002  # rounding where two objects are equal
    assert set(np.unique(labels)) > {0, 2} or frame_shape == (1, 40)


def test_label_image_of_separate_objects_is_exact():
    rng = np.random.default_rng(1)
    logits = np.full((3, 32, 32), -1024, dtype=np.float32)
    for row in range(3):
        logits[row, 10 * row : 10 * row + 9, 5:20] = rng.normal(0.3, 1, (9, 15))
    expected = torch_label_image([1, 2, 3], logits, (100, 90))
    np.testing.assert_array_equal(label_image([1, 2, 3], logits, (100, 90)), expected)


def test_ties_go_to_the_lower_id_and_zero_is_background():
    logits = np.zeros((2, 4, 4), dtype=np.float32)
    logits[:, :2] = 1.5
    labels = label_image([8, 3], logits, (4, 4), np.uint8)
    assert labels.dtype == np.uint8
    np.testing.assert_array_equal(labels[:2], 3)
    np.testing.assert_array_equal(labels[2:], 0)


def test_no_objects_give_an_empty_label_image():
    labels = label_image([], np.zeros((0, 4, 4), dtype=np.float32), (5, 6))
    assert labels.shape == (5, 6)
    assert not labels.any()


def test_an_id_that_does_not_fit_is_refused():
    with pytest.raises(InputError, match="256 does not fit into uint8"):
        label_image([256], np.zeros((1, 4, 4), dtype=np.float32), (4, 4), np.uint8)


def test_stability_is_the_share_of_sure_pixels():
    logits = np.full((3, 2, 4), -5, dtype=np.float32)
    logits[0, 0] = [2, 2, 0.5, -0.5]
    logits[1, 0] = 3
    np.testing.assert_allclose(stability(logits), [0.5, 1, 1])


def masks_of(*rows):
    """Return ``(1, rows, columns)`` logits: +3 where a row has a letter, else −3."""
    inside = np.array([[letter != "." for letter in row] for row in rows])
    return np.where(inside, np.float32(3), np.float32(-3))[None]


def test_the_component_that_overlaps_the_mask_before_is_the_object():
    before = masks_of("aa....", "aa....")
    now = masks_of(".a.bbb", ".a.bbb")
    expected = masks_of("...bbb", "...bbb") > 0
    np.testing.assert_array_equal(other_components(now, before), expected)


def test_corners_join_a_component():
    before = masks_of("a...", "....")
    now = masks_of("a...", ".a..")
    assert not other_components(now, before).any()


def test_parts_that_a_person_drew_are_followed_in_parts():
    before = masks_of("aa..aa", "aa..aa", "......")
    now = masks_of("aa..aa", "......", "..b...")
    expected = masks_of("......", "......", "..b...") > 0
    np.testing.assert_array_equal(other_components(now, before), expected)


def test_specks_beside_a_mask_are_no_parts():
    before = masks_of("aaaa.b", "aaaa..", "aaaa..")
    now = masks_of("aaaa.b", "aaaa.b", "aaaa.b")
    expected = masks_of(".....b", ".....b", ".....b") > 0
    np.testing.assert_array_equal(other_components(now, before), expected)


def test_of_a_mask_that_comes_from_nowhere_the_largest_component_is_the_object():
    before = masks_of("......", "......")
    now = masks_of("a..bb.", "a..bb.")
    expected = masks_of("a.....", "a.....") > 0
    np.testing.assert_array_equal(other_components(now, before), expected)
    assert not other_components(before, now).any()  # nothing seen, nothing to drop


def test_components_of_other_masks_do_not_count():
    before = np.concatenate([masks_of("aa.."), masks_of("..aa")])
    now = np.concatenate([masks_of("a.aa"), masks_of("a.aa")])
    expected = np.concatenate([masks_of("..aa"), masks_of("a...")]) > 0
    np.testing.assert_array_equal(other_components(now, before), expected)
