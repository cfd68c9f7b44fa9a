import numpy as np
import pytest

from napari_sam2.prompts import PointPrompt
from napari_sam2.ui.layer_axes import lay_out_layer
from napari_sam2.ui.owed_masks import OwedMasks
from napari_sam2.ui.point_prompts import NO_CLICKS, compare_clicks, read_clicks

AXES = lay_out_layer((10, 32, 48), ("t", "y", "x"), 0, {})


def clicks(*rows, axes=AXES):
    """Read rows of (position…, label, positive)."""
    positions = np.array([row[:-2] for row in rows], float)
    labels = [row[-2] for row in rows]
    positive = [row[-1] for row in rows]
    return read_clicks(positions, labels, positive, axes)


def test_points_are_collected_by_object_and_frame():
    read = clicks((0, 5, 6, 2, True), (4, 7, 8, 1, True), (0, 9, 10.5, 2, False))
    first, second = read.objects()
    assert (first.object_id, second.object_id) == (1, 2)
    (prompt,) = second.prompts
    assert prompt.frame_index == 0
    assert prompt.points == (PointPrompt(5, 6), PointPrompt(9, 10.5, positive=False))
    assert read.complaint() == ""


@pytest.mark.parametrize(
    "outside", [(0, -1, 5), (0, 5, 48), (10, 5, 5), (-1, 5, 5), (0, 31.6, 5)]
)
def test_points_outside_are_counted_not_used(outside):
    read = clicks((*outside, 1, True), (0, 31.4, 5, 1, True))
    assert read.outside == 1
    assert len(read.prompts[1, 0].points) == 1
    assert "1 outside" in read.complaint()


@pytest.mark.parametrize("label", [0, -3, 1.5, float("nan"), None, "cell", 70_000])
def test_points_without_an_object_are_counted_not_used(label):
    read = clicks((0, 5, 5, label, True))
    assert (read.nameless, len(read.prompts)) == (1, 0)
    assert "whose label is no id" in read.complaint()


def test_points_on_another_plane_are_not_used():
    axes = lay_out_layer((10, 5, 32, 48), ("t", "z", "y", "x"), 0, {1: 3})
    read = clicks((0, 3, 5, 5, 1, True), (0, 2, 5, 5, 1, True), axes=axes)
    assert (len(read.prompts[1, 0].points), read.outside) == (1, 1)


def test_changes_name_frames_and_objects():
    before = clicks((0, 5, 5, 1, True), (3, 5, 5, 1, True), (0, 9, 9, 2, True))
    after = clicks((0, 5, 5, 1, True), (0, 9, 9, 3, True), (0, 8, 8, 3, False))
    changes = compare_clicks(before, after)
    assert [prompt.object_id for prompt in changes.prompted[0]] == [3]
    assert changes.cleared == {3: (1,)}  # object 1 is still prompted on frame 0
    assert changes.removed == (2,)
    assert changes.frames() == [0, 3]


def test_nothing_changes_where_points_are_the_same():
    same = clicks((0, 5, 5, 1, True))
    assert compare_clicks(same, same).frames() == []


def test_a_later_ticket_asks_for_all_that_is_owed_and_makes_earlier_ones_late():
    owed = OwedMasks()
    one = clicks((0, 5, 5, 1, True))
    two = clicks((0, 5, 5, 1, True), (0, 9, 9, 2, True))
    (early,) = owed.note(compare_clicks(NO_CLICKS, one), one)
    (late,) = owed.note(compare_clicks(one, two), two)
    assert not owed.is_current(early)
    assert [prompt.object_id for prompt in late.prompts] == [1, 2]
    owed.settle(early)  # a late answer settles nothing
    three = clicks((0, 5, 5, 1, True), (0, 9, 9, 2, True), (0, 1, 1, 3, True))
    (latest,) = owed.note(compare_clicks(two, three), three)
    assert [prompt.object_id for prompt in latest.prompts] == [1, 2, 3]
    owed.settle(latest)
    moved = clicks((0, 6, 5, 1, True), (0, 9, 9, 2, True))
    (only,) = owed.note(compare_clicks(two, moved), moved)
    assert [prompt.object_id for prompt in only.prompts] == [1]


def test_an_object_whose_last_click_on_a_frame_is_gone_is_cleared_there():
    owed = OwedMasks()
    both = clicks((0, 5, 5, 1, True), (4, 5, 5, 1, True))
    one = clicks((0, 5, 5, 1, True))
    for ticket in owed.note(compare_clicks(NO_CLICKS, both), both):
        owed.settle(ticket)
    (ticket,) = owed.note(compare_clicks(both, one), one)
    assert (ticket.frame_index, ticket.prompts, ticket.cleared) == (4, (), (1,))
