"""Following objects as one component, cut before memory is written."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from napari_sam2.tracking.postprocess import OUTSIDE_LOGIT, other_components

LENGTH = 8
IN_PIECES = 1
"""The first frame on which a mask of the toy network falls into pieces."""


@pytest.fixture
def stream(movie, prompts, make_predictor):
    """Return a runner: predictor options → the results of all frames."""

    def run(**options):
        predictor = make_predictor(**options)
        results = [predictor.step(0, movie[0], prompts)]
        results += [predictor.step(i, movie[i]) for i in range(1, LENGTH)]
        return results

    return run


def test_off_and_left_to_weights_that_do_not_ask_for_it_are_the_same(stream):
    pairs = zip(stream(), stream(one_component=False), strict=True)
    for one, two in pairs:
        np.testing.assert_array_equal(one.logits, two.logits)


def test_every_tracked_mask_goes_on_from_the_one_before(stream):
    whole = stream()
    cut = stream(one_component=True)
    others = other_components(whole[IN_PIECES].logits, whole[IN_PIECES - 1].logits)
    assert others.any(), "the toy's masks come in pieces there"
    logits = cut[IN_PIECES].logits
    assert (logits[others] == OUTSIDE_LOGIT).all()
    np.testing.assert_array_equal(logits[~others], whole[IN_PIECES].logits[~others])
    for before, now in pairwise(cut):
        assert not other_components(now.logits, before.logits).any()


def test_what_is_cut_off_is_not_remembered(movie, prompts, make_predictor, monkeypatch):
    predictor = make_predictor(one_component=True)
    for frame_index in range(IN_PIECES):
        step_prompts = prompts if frame_index == 0 else ()
        predictor.step(frame_index, movie[frame_index], step_prompts)
    remembered = []
    encode = predictor.network.encode_tracked

    def watched(embedding, seen):
        remembered.append(seen.decoded.logits.numpy())
        return encode(embedding, seen)

    monkeypatch.setattr(predictor.network, "encode_tracked", watched)
    result = predictor.step(IN_PIECES, movie[IN_PIECES])
    cut = result.logits == OUTSIDE_LOGIT
    assert cut.any()
    assert (np.concatenate(remembered)[cut] == OUTSIDE_LOGIT).all()


def test_the_nearest_mask_in_time_counts(movie, prompts, make_predictor):
    predictor = make_predictor(one_component=True)
    first = predictor.step(0, movie[0], prompts[:1])
    second = predictor.step(1, movie[1])
    later = predictor.step(6, movie[6], [_moved(prompts[0], 6)])

    def nearest(frame_index):
        return predictor.bank.nearest_logits([1], frame_index)

    np.testing.assert_array_equal(nearest(2), second.logits)
    np.testing.assert_array_equal(nearest(5), later.logits)
    predictor.forget_recent()
    np.testing.assert_array_equal(nearest(2), first.logits)


def test_a_stream_goes_on_bit_by_bit_from_a_snapshot(movie, prompts, make_predictor):
    predictor = make_predictor(one_component=True)
    predictor.step(0, movie[0], prompts)
    for frame_index in range(1, IN_PIECES):
        predictor.step(frame_index, movie[frame_index])
    restored = make_predictor(one_component=True)
    restored.restore(predictor.snapshot())
    for frame_index in range(IN_PIECES, LENGTH):
        one = predictor.step(frame_index, movie[frame_index])
        two = restored.step(frame_index, movie[frame_index])
        np.testing.assert_array_equal(one.logits, two.logits)


def _moved(prompt, frame_index):
    return type(prompt)(prompt.object_id, frame_index, prompt.points)
