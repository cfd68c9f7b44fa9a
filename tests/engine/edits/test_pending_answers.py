import numpy as np
import pytest

from napari_sam2.engine import PendingAnswers
from napari_sam2.prompts import FramePrompt, PointPrompt
from napari_sam2.session.book.drawn import drawn_prompts
from napari_sam2.session.book.state import BookState, ObjectState


def test_a_later_edit_makes_answers_to_earlier_ones_late():
    owed = PendingAnswers()
    early = owed.note([0, 3])
    late = owed.note([3])
    assert owed.is_wanted(early, 0)
    assert not owed.is_wanted(early, 3)
    assert owed.is_wanted(late, 3)
    assert owed.is_current(late)
    assert not owed.is_current(early)
    assert owed.is_wanted(owed.note([]), 3)


def book(*places):
    """Objects with a click on each of these (object, frame)."""
    objects = {}
    for object_id, frame in places:
        said = FramePrompt(object_id, frame, (PointPrompt(1, 1),))
        objects.setdefault(object_id, []).append(said)
    return BookState(
        tuple(ObjectState(one, prompts=tuple(objects[one])) for one in sorted(objects))
    )


@pytest.fixture
def labels():
    labels = np.zeros((6, 8), np.uint16)
    labels[1:3, 1:3] = 1
    labels[1:3, 5:7] = 2
    return labels


def test_each_object_that_changed_is_as_it_was_drawn(labels):
    after = labels.copy()
    after[1, 2] = 2  # taken from object 1
    after[5, 5] = 9  # a new object
    drawn = drawn_prompts(4, labels, after, book((1, 0), (2, 0)))
    assert [one.object_id for one in drawn.prompts] == [1, 2, 9]
    assert {one.frame_index for one in drawn.prompts} == {4}
    for one in drawn.prompts:
        np.testing.assert_array_equal(one.mask.mask, after == one.object_id)
    assert drawn.text(4) == "stroke on 3 objects, frame 4"


def test_an_object_that_is_wholly_erased_is_absent_there_or_unsaid(labels):
    after = np.where(labels == 1, 0, labels)
    elsewhere = drawn_prompts(4, labels, after, book((1, 0), (1, 4), (2, 0)))
    assert not elsewhere.prompts[0].mask.mask.any()
    here_only = drawn_prompts(4, labels, after, book((1, 4), (2, 0)))
    assert (here_only.prompts, here_only.erased) == ((), (1,))
    unknown = drawn_prompts(4, labels, after, book((2, 0)))
    assert (unknown.prompts, unknown.erased) == ((), ())


def test_a_stroke_that_changes_nothing_says_nothing(labels):
    drawn = drawn_prompts(0, labels, labels.copy(), book((1, 0)))
    assert (drawn.prompts, drawn.erased) == ((), ())
