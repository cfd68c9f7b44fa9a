"""Where each plane is prompted, by what the stacks show of it."""

from pathlib import Path

import numpy as np
import tifffile

from napari_sam2.batch.volumes.anchors import (
    AnchorStack,
    in_one_piece,
    look_at,
    prompts_on,
    thin_objects,
)
from napari_sam2.batch.volumes.run import reaches
from napari_sam2.prompts import FramePrompt, PointPrompt, PromptedObject
from napari_sam2.session.planning.plan import Direction, FrameRange

FIRST = AnchorStack(0, Path("a"), (frozenset(), frozenset({1}), frozenset({1, 2})))
LATER = AnchorStack(5, Path("b"), (frozenset({1}), frozenset({1}), frozenset()))


def test_a_body_is_what_is_reached_from_the_prompted_planes():
    shown = [True, False, True, True, True, False, True]
    assert in_one_piece(shown, {3}) == {2, 3, 4}
    assert in_one_piece(shown, {3, 6}) == {2, 3, 4, 6}
    assert in_one_piece(shown, {1}) == set()


def test_what_is_seen_again_beyond_a_gap_is_left_out(tmp_path):
    labels = np.zeros((4, 5, 6), np.uint8)
    labels[:2, 1], labels[3, 1], labels[3, 3] = 1, 1, 2
    path = tmp_path / "labels.tif"
    tifffile.imwrite(path, labels, photometric="minisblack")
    clicked = FramePrompt(1, 0, points=(PointPrompt(1, 1),))
    found = look_at(path, 7, (9, 4, 5, 6), [PromptedObject(1, (clicked,))])
    assert found.on_plane == ({1}, {1}, frozenset(), {2})
    assert look_at(path, 7, (9, 4, 5, 6)).on_plane[3] == {1, 2}


def test_an_object_is_absent_where_another_stack_has_it_on_the_plane():
    prompts = prompts_on(2, [FIRST, LATER], {2: 1})
    facts = [(one.frame, one.object_ids, one.absent_ids) for one in prompts.anchors]
    assert facts == [(0, (1, 2), ()), (5, (), (1,))]
    assert prompts.parents == {2: 1}
    assert prompts_on(0, [FIRST], {}) is None


def test_thin_objects_are_on_one_plane_in_all_stacks():
    assert thin_objects([FIRST]) == {2}
    assert thin_objects([FIRST, LATER]) == {2}


def test_frames_are_reached_from_prompts_in_a_direction():
    frames = FrameRange(3, 6)
    assert reaches([5], frames, Direction.FORWARD)
    assert not reaches([6], frames, Direction.FORWARD)
    assert reaches([3], frames, Direction.BACKWARD)
    assert not reaches([2], frames, Direction.BACKWARD)
    assert reaches([9], frames, Direction.BOTH)
