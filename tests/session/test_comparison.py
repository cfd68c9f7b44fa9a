"""Both ways through a gap, compared and chosen."""

import numpy as np
import pytest
from tests.session import fakes
from tests.session.conftest import FRAMES

from napari_sam2.errors import InputError
from napari_sam2.prompts import FramePrompt, PointPrompt, PromptedObject
from napari_sam2.session.comparison import Comparison
from napari_sam2.session.planning.frame_set import FrameSet
from napari_sam2.session.planning.plan import Direction, FrameRange, Plan
from napari_sam2.session.session import Session


def clicked(object_id, *places):
    prompts = tuple(
        FramePrompt(object_id, frame, points=(PointPrompt(y, x),))
        for frame, y, x in places
    )
    return PromptedObject(object_id, prompts)


OBJECTS = [clicked(1, (2, 12, 12), (9, 15, 17)), clicked(2, (0, 30, 40))]


@pytest.fixture
def session(drawn_movie, toy_store, toy_predictor):
    """A session whose store holds a whole run."""
    store = toy_store()
    whole = Session(drawn_movie, store, toy_predictor(), OBJECTS)
    list(whole.propagate(Plan(FrameRange(0, FRAMES))))
    return Session(
        drawn_movie, store, toy_predictor(), OBJECTS, anchors=store.read_anchors()
    )


def snapshot(store):
    """Everything that can be seen of a store: labels, and logits where they matter."""
    visible = {
        (frame, one): np.maximum(logits, 0).tobytes()
        for frame, masks in store.logits.items()
        for one, logits in masks.items()
    }
    labels = {frame: image.tobytes() for frame, image in store.labels.items()}
    return labels, visible, dict(store.scores)


def test_comparing_writes_nothing_and_forward_is_what_was_tracked(session):
    before = snapshot(session.store)
    anchors = list(session.store.anchors)
    comparison = Comparison(session, 1, 5)
    steps = list(comparison.run())
    assert snapshot(session.store) == before
    assert session.store.anchors == anchors
    assert list(comparison.gap.frames) == [3, 4, 5, 6, 7, 8]
    assert [one.position for one in steps] == list(range(1, 15))
    assert [one.frame_index for one in steps][-6:] == [8, 7, 6, 5, 4, 3]
    assert all(0 <= one.agreement <= 1 for one in steps[-6:])
    assert any(one.agreement < 1 for one in steps[-6:])
    list(comparison.keep(Direction.FORWARD))
    assert snapshot(session.store) == before


def test_the_way_that_is_kept_is_written_except_on_locked_frames(session):
    before = snapshot(session.store)
    comparison = Comparison(session, 1, 2)
    list(comparison.run())
    done = list(comparison.keep(Direction.BACKWARD, locks={1: FrameSet.of([4])}))
    assert [one.frame_index for one in done] == [3, 5, 6, 7, 8]
    after = snapshot(session.store)
    changed = {place for place in before[1] if before[1][place] != after[1][place]}
    assert changed
    assert changed <= {(frame, 1) for frame in (3, 5, 6, 7, 8)}
    for frame in (3, 5):
        labels = session.store.labels[frame]
        kept = comparison.mask(Direction.BACKWARD, frame) & (labels != 2)
        np.testing.assert_array_equal(labels == 1, kept)


def test_anchors_that_nobody_stored_are_made_and_stored_when_a_way_is_kept():
    store = fakes.FakeStore()
    session = Session(fakes.FakeSource(10), store, fakes.FakePredictor(), OBJECTS)
    comparison = Comparison(session, 1, 5)
    list(comparison.run())
    assert store.anchors == []
    assert store.labels == {}
    list(comparison.keep(Direction.FORWARD))
    assert [one.frame_index for one in store.anchors] == [2, 9]
    assert sorted(store.labels) == [3, 4, 5, 6, 7, 8]


def test_half_a_comparison_cannot_be_kept():
    session = Session(
        fakes.FakeSource(10), fakes.FakeStore(), fakes.FakePredictor(), OBJECTS
    )
    comparison = Comparison(session, 1, 5)
    for one in comparison.run():
        if one.agreement is not None:
            break
    with pytest.raises(ValueError, match="run to the end"):
        next(comparison.keep(Direction.FORWARD))


@pytest.mark.parametrize("place", [(1, 1), (1, 9), (2, 5), (7, 5)])
def test_a_gap_with_one_anchor_has_nothing_to_compare(place):
    session = Session(
        fakes.FakeSource(10), fakes.FakeStore(), fakes.FakePredictor(), OBJECTS
    )
    with pytest.raises(InputError, match="no two prompts around"):
        Comparison(session, *place)
