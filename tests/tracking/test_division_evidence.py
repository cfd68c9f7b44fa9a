"""Evidence of divisions: from raw masks, whatever is cut off for the memory."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import ndimage

from napari_sam2.model.mask_decoder import RawMasks
from napari_sam2.tracking.device.sister_masks import sisters
from napari_sam2.tracking.division_evidence import (
    division_evidence,
    placed_apart,
    shows_two,
)

IN_PIECES = 1
SHAPE = (16, 16)
WINDOW = (10, 0, 32, 32)


def disc(y: float, x: float, radius: float) -> np.ndarray:
    rows, columns = np.mgrid[: SHAPE[0], : SHAPE[1]]
    return np.hypot(rows - y, columns - x) < radius


def seen(mask, *candidates, iou=0.9, presence=5.0):
    """Return the evidence of one object on a frame of twice the masks' side."""
    others = [*candidates, *[np.zeros(SHAPE, bool)] * (3 - len(candidates))]
    logits = np.where(np.stack([mask, *others]), 8.0, -8.0).astype(np.float32)
    raw = RawMasks(
        logits=torch.from_numpy(logits)[None],
        predicted_iou=torch.full((1, 4), iou),
        tokens=torch.zeros(1, 4, 2),
        object_score=torch.tensor([presence]),
    )
    beside = sisters(torch.from_numpy(logits[:1] > 0), raw)
    iou, pixels = beside.iou.numpy(), beside.pixels.numpy()
    return division_evidence(logits[:1], iou, pixels, WINDOW)


def test_a_mask_in_one_piece_is_no_evidence():
    found = seen(disc(8, 8, 4))
    assert found.raw_area[0] == 4 * disc(8, 8, 4).sum()
    assert found.second_part[0] == found.sister_iou[0] == 0
    assert np.isnan(found.sister_y[0])
    assert not shows_two(found)[0]


def test_two_components_of_like_size_are_two_and_the_smaller_one_is_placed():
    found = seen(disc(8, 3, 3) | disc(8, 12, 2.5))
    small = disc(8, 12, 2.5).sum() / disc(8, 3, 3).sum()
    assert found.second_part[0] == pytest.approx(small)
    # Twice the side, ten rows further down: centres of pixels, not their corners.
    assert (found.sister_y[0], found.sister_x[0]) == (26.5, 24.5)
    assert shows_two(found)[0]


def test_who_goes_on_as_the_smaller_part_has_a_sister_where_the_larger_one_was():
    raw = seen(disc(8, 3, 3) | disc(8, 12, 2.5))
    found = placed_apart(raw, disc(8, 3, 3)[None], WINDOW)
    assert (found.sister_y[0], found.sister_x[0]) == (26.5, 6.5)
    assert found.second_part[0] == raw.second_part[0]
    same = placed_apart(raw, np.zeros((1, *SHAPE), bool), WINDOW)
    assert (same.sister_y[0], same.sister_x[0]) == (26.5, 24.5)


def test_a_speck_is_no_sister():
    found = seen(disc(8, 3, 3) | disc(8, 12, 1))
    assert not shows_two(found)[0]


def test_a_candidate_apart_and_of_like_size_is_a_sister():
    found = seen(disc(8, 3, 3), disc(8, 3, 3.5), disc(8, 12, 3), iou=0.7)
    assert found.sister_iou[0] == pytest.approx(0.7)
    assert (found.sister_y[0], found.sister_x[0]) == (26.5, 24.5)
    assert shows_two(found)[0]


@pytest.mark.parametrize("sister", [disc(8, 5, 3), disc(8, 12, 1.5)])
def test_a_candidate_that_overlaps_or_is_small_is_none(sister):
    assert seen(disc(8, 3, 3), sister).sister_iou[0] == 0


def test_who_is_not_there_has_no_sister():
    found = seen(np.zeros(SHAPE, bool), disc(8, 12, 3), presence=-5.0)
    assert found.raw_area[0] == found.sister_iou[0] == 0


def test_evidence_is_taken_before_one_component_is_kept(movie, prompts, make_predictor):
    parts, cut = make_predictor(), make_predictor(one_component=True)
    for frame_index in range(IN_PIECES + 1):
        said = prompts if frame_index == 0 else ()
        whole = parts.step(frame_index, movie[frame_index], said)
        kept = cut.step(frame_index, movie[frame_index], said)
    was_cut = (whole.logits > 0) & ~(kept.logits > 0)
    rows = np.flatnonzero(was_cut.any(axis=(1, 2)))
    assert len(rows), "the toy's masks come in pieces there"
    for name in ("raw_area", "second_part"):
        np.testing.assert_array_equal(
            getattr(kept.division, name)[rows], getattr(whole.division, name)[rows]
        )
    assert (kept.division.second_part[rows] > 0).all()
    scale = np.array(kept.logits[0].shape) / (48, 64)
    for row in rows:  # the sister is the largest part of what was cut off
        parts, _ = ndimage.label(was_cut[row], structure=np.ones((3, 3)))
        largest = parts == np.bincount(parts[parts > 0]).argmax()
        place = (np.argwhere(largest).mean(axis=0) + 0.5) / scale - 0.5
        said = kept.division.sister_y[row], kept.division.sister_x[row]
        assert said == pytest.approx(tuple(place))
    pixels = (kept.logits[rows] > 0).sum(axis=(1, 2)) * (48 * 64) / kept.logits[0].size
    assert (kept.division.raw_area[rows] > pixels).all()


def test_what_people_prompt_is_no_evidence(movie, prompts, make_predictor):
    step = make_predictor().step(0, movie[0], prompts)
    assert np.isnan(step.division.raw_area).all()
    assert not shows_two(step.division).any()
