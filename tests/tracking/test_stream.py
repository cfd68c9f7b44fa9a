"""The stream as its users see it: objects come and go, memory stays, anchors replay."""

from __future__ import annotations

import gc
from copy import deepcopy

import numpy as np
import pytest
import torch
from tests.rounding import with_other_last_bits
from tests.tracking.conftest import SHAPE

from napari_sam2.errors import InputError
from napari_sam2.prompts import FramePrompt, MaskPrompt, PointPrompt
from napari_sam2.tracking.predictor import StreamingPredictor

# What batching may change: sums in another order, and then a rounding to bf16.
BATCH_TOLERANCE = 2e-2


def click(object_id, frame_index=0, y=12.0, x=12.0):
    return FramePrompt(object_id, frame_index, (PointPrompt(y, x),))


def test_the_bank_is_as_large_after_500_frames_as_after_50(
    movie, prompts, make_predictor
):
    predictor = make_predictor()
    predictor.step(0, movie[0], prompts[:2])
    sizes = {}
    for frame_index in range(1, 501):
        predictor.step(frame_index, movie[frame_index % len(movie)])
        sizes[frame_index] = (
            predictor.bank.nbytes,
            predictor.network.embeddings.nbytes,
            sum(array.nbytes for array in predictor.snapshot().values())
            if frame_index in (50, 500)
            else None,
        )
    assert sizes[50] == sizes[500]


def live_tensor_bytes():
    """Return the bytes of all tensors that anything in this process still holds."""
    gc.collect()
    return sum(each.nbytes for each in gc.get_objects() if type(each) is torch.Tensor)


def test_no_tensor_is_kept_per_frame(movie, prompts, make_predictor):
    predictor = make_predictor()
    predictor.step(0, movie[0], prompts[:2])
    held = {}
    for frame_index in range(1, 81):
        predictor.step(frame_index, movie[frame_index % len(movie)])
        if frame_index in (30, 80):
            held[frame_index] = live_tensor_bytes()
    assert held[30] == held[80]


def test_forty_objects_come_go_and_come_again(movie, make_predictor):
    predictor = make_predictor()
    rng = np.random.default_rng(0)
    spots = rng.uniform((0, 0), (47, 63), (41, 2))

    def prompts_for(ids, frame_index):
        return [click(i, frame_index, *spots[i]) for i in ids]

    first, second = tuple(range(1, 21)), tuple(range(21, 41))
    assert predictor.step(0, movie[0], prompts_for(first, 0)).object_ids == first
    predictor.step(1, movie[1])
    # More come in the middle of the stream; those that are there go on.
    result = predictor.step(2, movie[2], prompts_for(second, 2))
    assert result.object_ids == first + second
    full = predictor.bank.nbytes
    for object_id in range(1, 41, 2):
        predictor.remove(object_id)
    assert predictor.step(3, movie[3]).object_ids == tuple(range(2, 41, 2))
    again = predictor.step(4, movie[4], prompts_for(range(1, 41, 2), 4))
    assert again.object_ids == first + second
    assert predictor.bank.nbytes == full  # freed rows are used again
    result = predictor.step(5, movie[5])
    assert result.object_ids == first + second
    assert result.logits.shape == (40, 16, 16)
    # An object that came again remembers nothing of its first life.
    alone = make_predictor()
    alone.step(4, movie[4], prompts_for([7], 4))
    expected = alone.step(5, movie[5])
    np.testing.assert_allclose(
        result.logits[6], expected.logits[0], atol=BATCH_TOLERANCE
    )


def test_an_object_is_tracked_alike_alone_and_in_company(
    movie, prompts, make_predictor, model
):
    together, alone = make_predictor(), make_predictor()
    # With weights by chance each frame makes rounding ten times as large: no frame may
    # be farther off than the last bit of the weights moves it.
    moved = with_other_last_bits(deepcopy(model))
    rounded = StreamingPredictor(moved, frame_shape=SHAPE, device="cpu")
    together.step(0, movie[0], prompts[:2])
    for predictor in (alone, rounded):
        predictor.step(0, movie[0], prompts[1:2])
    for frame_index in range(1, 7):
        # Others come later and have shorter memories: theirs are padded and masked.
        late = [click(9, 3, 30, 40)] if frame_index == 3 else []
        company = together.step(frame_index, movie[frame_index], late)
        expected = alone.step(frame_index, movie[frame_index])
        other = rounded.step(frame_index, movie[frame_index])
        for found, wanted, near in (
            (company.logits[1], expected.logits[0], other.logits[0]),
            (company.pointers[1], expected.pointers[0], other.pointers[0]),
        ):
            allowed = max(BATCH_TOLERANCE, np.abs(near - wanted).max())
            np.testing.assert_allclose(found, wanted, rtol=0, atol=allowed)


def test_removing_an_object_leaves_the_others(movie, prompts, make_predictor):
    kept, reduced = make_predictor(object_batch=1), make_predictor(object_batch=1)
    for predictor in (kept, reduced):
        predictor.step(0, movie[0], prompts[:3])
        predictor.step(1, movie[1])
    reduced.remove(2)
    for frame_index in (2, 3):
        expected = kept.step(frame_index, movie[frame_index])
        result = reduced.step(frame_index, movie[frame_index])
        assert result.object_ids == (1, 3)
        np.testing.assert_array_equal(result.logits, expected.logits[[0, 2]])


def test_a_still_movie_looks_the_same_both_ways(movie, make_predictor):
    forward, backward = make_predictor(), make_predictor()
    for predictor in (forward, backward):
        predictor.step(10, movie[0], [click(1, 10)])
    for distance in range(1, 10):
        ahead = forward.step(10 + distance, movie[0])
        behind = backward.step(10 - distance, movie[0], reverse=True)
        np.testing.assert_array_equal(ahead.logits, behind.logits)
        np.testing.assert_array_equal(ahead.pointers, behind.pointers)


def test_a_correction_becomes_an_anchor_and_is_replayed(movie, make_predictor):
    predictor = make_predictor()
    first = predictor.step(0, movie[0], [click(1)])
    for frame_index in (1, 2, 3):
        tracked = predictor.step(frame_index, movie[frame_index])
        assert tracked.anchors == ()
    corrected = predictor.step(3, movie[3], [click(1, 3, 20, 20)])
    assert np.abs(corrected.logits - tracked.logits).max() > 0.1
    [anchor] = corrected.anchors
    assert (anchor.object_id, anchor.frame_index) == (1, 3)
    np.testing.assert_array_equal(anchor.logits, corrected.logits[0])
    ahead = predictor.step(4, movie[4])
    predictor.forget_recent()
    for frame_index, seen in ((0, first), (3, corrected)):
        again = predictor.step(frame_index, movie[frame_index])
        assert again.anchors == ()
        for name in ("logits", "object_score", "predicted_iou", "pointers"):
            np.testing.assert_array_equal(getattr(again, name), getattr(seen, name))
    assert [a.frame_index for a in predictor.anchors()] == [0, 3]
    # The pass before remembered frames 1 and 2, this one does not.
    assert predictor.step(4, movie[4]).logits.shape == ahead.logits.shape


def test_clicking_again_on_the_frame_in_hand_corrects_the_tracked_mask(
    movie, make_predictor
):
    """The result is a function of the prompts, not of how often they changed."""
    once, twice = make_predictor(), make_predictor()
    for predictor in (once, twice):
        predictor.step(0, movie[0], [click(1)])
        for frame_index in range(1, 10):
            predictor.step(frame_index, movie[frame_index])
    twice.step(9, movie[9], [click(1, 9, 30, 30)])
    prompt = [click(1, 9, 20, 20)]
    np.testing.assert_array_equal(
        once.step(9, movie[9], prompt).logits, twice.step(9, movie[9], prompt).logits
    )
    np.testing.assert_array_equal(
        once.step(10, movie[10]).logits, twice.step(10, movie[10]).logits
    )


def test_tracking_a_frame_twice_changes_nothing(movie, make_predictor):
    predictor = make_predictor()
    predictor.step(0, movie[0], [click(1)])
    for frame_index in range(1, 10):
        once = predictor.step(frame_index, movie[frame_index])
        twice = predictor.step(frame_index, movie[frame_index])
        np.testing.assert_array_equal(once.logits, twice.logits)


def test_a_preview_shows_what_a_step_gives_and_remembers_nothing(
    movie, prompts, make_predictor
):
    predictor = make_predictor()
    shown = predictor.preview(0, movie[0], prompts)
    assert len(predictor.bank.table) == 0
    assert predictor.anchors() == []
    stepped = predictor.step(0, movie[0], prompts)
    np.testing.assert_array_equal(shown.logits, stepped.logits)
    predictor.step(1, movie[1])
    before = predictor.snapshot()
    corrections = [click(1, 1, 20, 20)]
    shown = predictor.preview(1, movie[1], corrections)
    assert shown.object_ids == (1,)  # others only where asked for
    after = predictor.snapshot()
    for name, array in before.items():
        np.testing.assert_array_equal(after[name], array)
    stepped = predictor.step(1, movie[1], corrections, objects=())
    np.testing.assert_array_equal(shown.logits, stepped.logits)


def test_stored_anchors_stand_for_prompts(movie, prompts, make_predictor):
    prompted, replayed = make_predictor(), make_predictor()
    anchors = prompted.step(0, movie[0], prompts).anchors
    replayed.replay(0, movie[0], *anchors)
    assert len(replayed.anchors()) == len(prompts)
    for frame_index in (1, 2, 3):
        np.testing.assert_array_equal(
            prompted.step(frame_index, movie[frame_index]).logits,
            replayed.step(frame_index, movie[frame_index]).logits,
        )
    with pytest.raises(ValueError, match="cannot be replayed on frame 1"):
        make_predictor().replay(1, movie[1], anchors[0])


def test_a_gap_depends_on_its_two_anchors_alone(movie, make_predictor):
    """What lies beyond the two, and how they came about, does not matter."""
    source = make_predictor()
    anchors = [
        source.step(f, movie[f], [click(1, f, 12 + f, 12 + f)]).anchors[0]
        for f in (0, 5, 12, 18)
    ]
    few, many = make_predictor(), make_predictor()
    for anchor in (anchors[1], anchors[2]):
        few.replay(anchor.frame_index, movie[anchor.frame_index], anchor)
    for anchor in reversed(anchors):
        many.replay(anchor.frame_index, movie[anchor.frame_index], anchor)
    many.step(3, movie[3])  # something of another gap is remembered
    many.forget_recent([1])
    for frame_index in range(5, 12):
        np.testing.assert_array_equal(
            few.step(frame_index, movie[frame_index]).logits,
            many.step(frame_index, movie[frame_index]).logits,
        )


def test_removing_an_anchor_undoes_it(movie, make_predictor):
    changed, plain = make_predictor(), make_predictor()
    for predictor in (changed, plain):
        predictor.step(0, movie[0], [click(1)])
    changed.step(4, movie[4], [click(1, 4, 40, 40)])
    changed.remove_anchor(1, 4)
    assert [anchor.frame_index for anchor in changed.anchors()] == [0]
    np.testing.assert_array_equal(
        changed.step(1, movie[1]).logits, plain.step(1, movie[1]).logits
    )


def test_only_the_objects_asked_for_are_tracked(movie, prompts, make_predictor):
    predictor = make_predictor()
    predictor.step(0, movie[0], prompts)
    assert predictor.step(1, movie[1], objects=[4, 2]).object_ids == (2, 4)
    empty = predictor.step(1, movie[1], objects=[])
    assert empty.object_ids == ()
    assert empty.logits.shape == (0, 16, 16)
    assert empty.pointers.shape == (0, 32)
    with pytest.raises(InputError, match="object 77 has no anchor"):
        predictor.step(1, movie[1], objects=[77])


def test_prompts_that_do_not_belong_are_refused_before_anything_changes(
    movie, make_predictor
):
    predictor = make_predictor()
    with pytest.raises(InputError, match="prompt of frame 1 was given on frame 0"):
        predictor.step(0, movie[0], [click(1, 1)])
    with pytest.raises(InputError, match="more than one prompt"):
        predictor.step(0, movie[0], [click(1), click(1)])
    mask = MaskPrompt(np.zeros((3, 3), dtype=bool))
    with pytest.raises(InputError, match="mask prompt must have the frame's shape"):
        predictor.step(0, movie[0], [FramePrompt(1, 0, mask=mask)])
    assert len(predictor.bank.table) == 0


def test_an_empty_mask_says_that_the_object_is_absent(movie, make_predictor):
    predictor = make_predictor()
    mask = MaskPrompt(np.zeros(movie[0].shape[:2], dtype=bool))
    result = predictor.step(0, movie[0], [FramePrompt(1, 0, mask=mask)])
    assert result.object_score[0] == -10
    assert (result.logits < 0).all()
    assert predictor.step(1, movie[1]).object_ids == (1,)


def test_holes_are_filled_unless_told_otherwise(movie, make_predictor):
    mask = np.zeros(movie[0].shape[:2], dtype=bool)
    mask[4:40, 4:40] = True
    mask[20:24, 20:28] = False  # 2 × 2 low-resolution pixels and their rim
    prompt = FramePrompt(1, 0, mask=MaskPrompt(mask))
    filled = make_predictor().step(0, movie[0], [prompt])
    raw = make_predictor(fill_holes=0).step(0, movie[0], [prompt])
    is_hole = filled.logits != raw.logits
    assert 1 <= is_hole.sum() <= 8
    assert (raw.logits[is_hole] <= 0).all()
    np.testing.assert_array_equal(filled.logits[is_hole], np.float32(0.1))


def test_a_frame_is_embedded_once_until_its_pixels_change(movie, make_predictor):
    predictor = make_predictor()
    embedded = []
    embed = predictor.network.model.embed
    predictor.network.model.embed = lambda images: embedded.append(1) or embed(images)
    try:
        predictor.preview(0, movie[0], [click(1)])
        predictor.preview(0, movie[0], [click(1, 0, 20, 20)])
        predictor.step(0, movie[0], [click(1)])
        assert len(embedded) == 1
        predictor.preview(0, movie[1], [click(1)])
        assert len(embedded) == 2
    finally:
        del predictor.network.model.embed


def test_restoring_a_fresh_stream_forgets_everything(movie, prompts, make_predictor):
    predictor = make_predictor()
    predictor.step(0, movie[0], prompts)
    predictor.step(1, movie[1])
    predictor.restore(make_predictor().snapshot())
    assert predictor.anchors() == []
    assert predictor.step(1, movie[1]).object_ids == ()
    fresh = make_predictor()
    for frame_index, given in ((5, [click(3, 5)]), (6, [])):
        np.testing.assert_array_equal(
            predictor.step(frame_index, movie[frame_index], given).logits,
            fresh.step(frame_index, movie[frame_index], given).logits,
        )


def test_another_input_size_works(movie, prompts, make_predictor):
    predictor = make_predictor(image_size=96)
    predictor.step(0, movie[0], prompts)
    assert predictor.step(1, movie[1]).logits.shape == (5, 24, 24)
