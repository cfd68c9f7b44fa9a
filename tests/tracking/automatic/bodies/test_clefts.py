"""What the picture says of a gap between two that have one mask."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from napari_sam2.tracking.automatic.bodies.clefts import clefts_of, look_whole

CENTRE = np.array([32.0, 32.0])


def rod(along: float, half_length: float, angle: float, width: float = 5) -> np.ndarray:
    """Return a ``(64, 64)`` bool rod whose centre is so far along the axis."""
    axis = np.array([np.sin(angle), np.cos(angle)])
    places = np.indices((64, 64)).transpose(1, 2, 0) - CENTRE - along * axis
    beyond = np.maximum(np.abs(places @ axis) - half_length + width, 0)
    return np.hypot(beyond, places @ [axis[1], -axis[0]]) < width


def picture(cells: np.ndarray, contrast: float = 60, seed: int = 0) -> np.ndarray:
    """Return a blurred ``(64, 64, 3)`` uint8 frame with some noise."""
    noise = np.random.default_rng(seed).normal(0, 2, cells.shape)
    grey = 120 + contrast * ndimage.gaussian_filter(cells.astype(float), 1.0) + noise
    return np.repeat(np.round(grey).astype(np.uint8)[..., None], 3, axis=-1)


@settings(max_examples=10, deadline=None)
@given(angle=st.floats(0, np.pi), contrast=st.sampled_from([-60.0, 60.0]))
def test_two_rods_end_to_end_in_one_mask_are_halves_at_their_gap(
    angle: float, contrast: float
) -> None:
    one, other = rod(-12, 10, angle), rod(12, 10, angle)
    labels = 3 * ndimage.binary_closing(one | other, iterations=4)
    frame = picture(one | other, contrast)
    found = clefts_of(frame, labels)
    assert set(found) == {3}
    masks = [half.on(labels.shape) for half in found[3]]
    assert not (masks[0] & masks[1]).any()
    assert np.array_equal(masks[0] | masks[1], labels == 3)
    shares = [np.count_nonzero(one & mask) / np.count_nonzero(one) for mask in masks]
    assert min(shares) < 0.1
    assert max(shares) > 0.9
    assert not look_whole(frame, (masks[0], masks[1]), np.zeros_like(one))


@settings(max_examples=10, deadline=None)
@given(angle=st.floats(0, np.pi), contrast=st.sampled_from([-60.0, 60.0]))
def test_a_whole_rod_has_no_cleft_and_its_halves_look_whole(
    angle: float, contrast: float
) -> None:
    whole = rod(0, 20, angle)
    frame = picture(whole, contrast)
    assert clefts_of(frame, whole.astype(np.uint16)) == {}
    halves = whole & rod(-20, 20, angle), whole & rod(20, 20, angle)
    assert look_whole(frame, halves, np.zeros_like(whole))


def test_rods_side_by_side_are_not_cut_across() -> None:
    labels = np.zeros((64, 64), np.uint16)
    labels[20:30, 12:52], labels[31:41, 12:52] = 1, 2
    assert clefts_of(picture(labels > 0), labels) == {}


def test_where_nothing_is_to_be_seen_the_picture_says_nothing() -> None:
    one, other = rod(-11, 10, 0), rod(11, 10, 0)
    frame = picture(one | other, contrast=1)
    assert clefts_of(frame, 1 * (one | other)) == {}
    assert not look_whole(frame, (one, other), np.zeros_like(one))
    everywhere = np.ones((64, 64), np.uint16)
    assert clefts_of(frame, everywhere) == {}


def test_who_begins_to_divide_on_the_last_frame_does_not() -> None:
    begun, parted = (rod(-way, 10, 0) | rod(way, 10, 0) for way in (11, 12))
    wholes = [ndimage.binary_closing(one, iterations=4) for one in (begun, parted)]
    frame = picture(np.where(begun, 1, 0.3 * wholes[0]))
    assert set(clefts_of(frame, 1 * wholes[0])) == {1}
    assert clefts_of(frame, 1 * wholes[0], is_last=True) == {}
    assert set(clefts_of(picture(parted), 1 * wholes[1], is_last=True)) == {1}


def test_who_is_cut_by_the_border_parts_beside_it_and_nobody_else_does() -> None:
    mother = np.zeros((64, 64), bool)
    mother[27:37, 4:48] = True
    parted = mother.copy()
    parted[:, 11:15] = False
    assert clefts_of(picture(parted), 1 * mother) == {}
    at_border = picture(parted[:, 4:])
    found = clefts_of(at_border, 1 * mother[:, 4:])
    assert min(half.area for half in found[1]) < 120
    # Where nothing comes behind it, that is the end of a cell and no cleft.
    end = picture(np.where(np.arange(60) < 10, False, mother[:, 4:]))
    assert clefts_of(end, 1 * mother[:, 4:]) == {}


def test_two_are_whole_where_more_is_left_between_them_than_is_said() -> None:
    one, other = rod(-12, 11, 0), rod(12, 11, 0)
    whole = ndimage.binary_closing(one | other, iterations=6)
    frame = picture(np.where(one | other, 1, 0.5 * whole))
    nobody = np.zeros_like(one)
    assert not look_whole(frame, (one, other), nobody)
    assert look_whole(frame, (one, other), nobody, left=0.4)
