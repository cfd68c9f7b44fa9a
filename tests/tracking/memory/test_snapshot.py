"""A snapshot goes on where it was taken, bit by bit."""

from __future__ import annotations

import numpy as np
import pytest

from napari_sam2.errors import InputError
from napari_sam2.prompts import FramePrompt, PointPrompt

FIELDS = ("logits", "object_score", "predicted_iou", "stability", "pointers")


def assert_same(result, expected):
    assert result.object_ids == expected.object_ids
    for name in FIELDS:
        np.testing.assert_array_equal(getattr(result, name), getattr(expected, name))


@pytest.fixture
def running(movie, prompts, make_predictor):
    """A predictor on frame 8, with a removed object and a correction behind it."""
    predictor = make_predictor()
    predictor.step(0, movie[0], prompts)
    for frame_index in range(1, 9):
        predictor.step(frame_index, movie[frame_index])
        if frame_index == 4:
            predictor.remove(2)
            correction = FramePrompt(3, 4, (PointPrompt(20, 20),))
            predictor.step(4, movie[4], [correction], objects=())
    return predictor


def test_a_restored_predictor_goes_on_bit_by_bit(running, movie, make_predictor):
    restored = make_predictor()
    restored.restore(running.snapshot())
    assert restored.anchors() is not running.anchors()
    assert [(a.object_id, a.frame_index) for a in restored.anchors()] == [
        (a.object_id, a.frame_index) for a in running.anchors()
    ]
    correction = [FramePrompt(5, 8, (PointPrompt(30, 20),))]
    for predictor in (running, restored):
        predictor.step(8, movie[8], correction, objects=())
    for frame_index in range(9, 14):
        assert_same(
            restored.step(frame_index, movie[frame_index]),
            running.step(frame_index, movie[frame_index]),
        )
    for frame_index in (7, 6, 4):
        assert_same(
            restored.step(frame_index, movie[frame_index], reverse=True),
            running.step(frame_index, movie[frame_index], reverse=True),
        )


def test_a_snapshot_is_flat_arrays_that_later_steps_do_not_change(running, movie):
    snapshot = running.snapshot()
    copies = {name: array.copy() for name, array in snapshot.items()}
    assert all(array.dtype.kind in "iuf" for array in snapshot.values())
    running.step(9, movie[9])
    for name, array in copies.items():
        np.testing.assert_array_equal(snapshot[name], array)


def test_restoring_replaces_what_was_there(running, movie, make_predictor):
    other = make_predictor()
    other.step(0, movie[0], [FramePrompt(77, 0, (PointPrompt(3, 3),))])
    other.restore(running.snapshot())
    assert other.step(9, movie[9]).object_ids == (1, 3, 4, 5)


def test_restoring_does_not_share_memory_with_the_snapshot(
    running, movie, make_predictor
):
    snapshot = running.snapshot()
    for array in snapshot.values():
        array.setflags(write=False)  # as arrays read from files may be
    copies = {name: array.copy() for name, array in snapshot.items()}
    restored = make_predictor()
    restored.restore(snapshot)
    restored.step(9, movie[9])
    for name, array in copies.items():
        np.testing.assert_array_equal(snapshot[name], array)


def test_an_empty_bank_has_a_snapshot_too(make_predictor):
    predictor = make_predictor()
    predictor.restore(make_predictor().snapshot())
    assert predictor.anchors() == []


def test_a_snapshot_of_another_size_is_refused(running, make_predictor):
    with pytest.raises(InputError, match="snapshot holds memories of shape"):
        make_predictor(image_size=96).restore(running.snapshot())
