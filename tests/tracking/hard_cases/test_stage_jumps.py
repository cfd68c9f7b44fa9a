"""What is remembered moves with the stage, and nothing is remembered across a cut."""

from __future__ import annotations

import numpy as np
import pytest

from napari_sam2.errors import InputError
from napari_sam2.prompts import FramePrompt, PointPrompt
from napari_sam2.tracking.hard_cases import stage_jumps
from napari_sam2.tracking.hard_cases.registration import Change

CASE = {"hard_cases": ["stage-jumps"]}
JUMP = (12, -16)
"""Pixels; one token down and one to the left of the toy's input."""


@pytest.fixture
def changes(monkeypatch):
    """Changes by the later frame of each pair, instead of what the pictures say."""
    told = {}

    def small_picture(frame):
        return stage_jumps.torch.tensor(frame[:1, :2, 0].astype(np.float32))

    def change_between(before, now):
        numbers = [int(one[0, 0]) for one in (before, now)]
        assert numbers[1] == numbers[0] + 1, "in the order of time"
        return told.get(numbers[1], Change())

    monkeypatch.setattr(stage_jumps, "small_picture", small_picture)
    monkeypatch.setattr(stage_jumps, "change_between", change_between)
    return told


@pytest.fixture
def frames(movie):
    """The movie; each frame's first pixel is its number."""
    numbered = [frame.copy() for frame in movie]
    for index, frame in enumerate(numbered):
        frame[0, :, :] = index
    return numbered


def tracked(predictor, frames, prompts, order):
    results = [predictor.step(order[0], frames[order[0]], prompts)]
    reverse = order[1] < order[0]
    results += [predictor.step(i, frames[i], reverse=reverse) for i in order[1:]]
    return results


def test_without_a_jump_nothing_is_different(frames, prompts, make_predictor, changes):
    plain = tracked(make_predictor(), frames, prompts, range(4))
    watched = tracked(make_predictor(**CASE), frames, prompts, range(4))
    for one, two in zip(plain, watched, strict=True):
        np.testing.assert_array_equal(one.logits, two.logits)


@pytest.mark.parametrize("order", [range(5), range(6, 1, -1)])
def test_memories_and_masks_move_along(frames, prompts, make_predictor, changes, order):
    first, _, jumped, *_ = order
    later = max(jumped, order[1])
    predictor = make_predictor(**CASE)
    bank = predictor.bank
    bank.stage.add(later, JUMP)
    sign = 1 if order[0] < order[-1] else -1
    here = tracked(predictor, frames, [_on(prompts[0], first)], order[:2])[-1]
    frame = order[-1]
    near = bank.nearest_logits([1], frame)
    down, right = 4 * sign, -4 * sign  # a token has four cells of the logits
    inside = np.roll(here.logits, (down, right), axis=(1, 2))
    seen = near > -10
    np.testing.assert_array_equal(near[seen], inside[seen])
    assert 0.5 < seen.mean() < 0.6, "three quarters of each side"
    selection = bank.select([1], frame, reverse=sign < 0)
    assert selection.known is not None
    assert selection.known.float().mean() == 9 / 16


def test_far_anchors_are_reached_over_all_jumps(make_predictor, frames, prompts):
    predictor = make_predictor(**CASE)
    predictor.step(0, frames[0], prompts[:1])
    stage = predictor.bank.stage
    stage.add(2, (3, 4))
    stage.add(5, (-1, 1))
    found = stage.shifts(np.asarray([0, 2, 4, 5, 9]), 5)
    assert found.tolist() == [[2, 5], [-1, 1], [-1, 1], [0, 0], [0, 0]]
    assert stage.shifts(np.asarray([9, 3]), 1).tolist() == [[-2, -5], [-3, -4]]


def test_a_cut_leaves_anchors_alone(frames, prompts, make_predictor, changes):
    changes[3] = Change(is_cut=True)
    predictor = make_predictor(**CASE)
    tracked(predictor, frames, prompts[:1], range(3))
    assert predictor.bank.select([1], 3, reverse=False).spatial.shape[1] == 3
    predictor.step(3, frames[3])
    assert predictor.bank.select([1], 4, reverse=False).spatial.shape[1] == 2


def test_a_stream_goes_on_bit_by_bit_from_a_snapshot(
    frames, prompts, make_predictor, changes
):
    changes |= {2: Change((0, 1)), 4: Change((0, -1))}
    whole = make_predictor(**CASE)
    tracked(whole, frames, prompts, range(4))
    assert not whole.bank.stage.is_still
    other = make_predictor(**CASE)
    other.restore(whole.snapshot())
    for index in (4, 5):
        one, two = (each.step(index, frames[index]) for each in (whole, other))
        np.testing.assert_array_equal(one.logits, two.logits)
    whole.forget_recent()
    assert whole.bank.stage.is_still, "a walk begins anew"


def test_a_frame_of_another_shape_is_refused(frames, prompts, make_predictor):
    predictor = make_predictor(**CASE)
    with pytest.raises(InputError, match="frame"):
        predictor.step(0, frames[0][:20], prompts)


def _on(prompt, frame_index):
    return FramePrompt(prompt.object_id, frame_index, (PointPrompt(12, 12),))
