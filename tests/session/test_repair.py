"""Repairs through the network: what a whole run would give, and nothing else."""

import copy

import numpy as np
import pytest
from tests.session.conftest import FRAMES
from tests.tracking.conftest import SHAPE

from napari_sam2.prompts import FramePrompt, MaskPrompt, PointPrompt
from napari_sam2.session.book.prompt_book import PromptBook
from napari_sam2.session.book.state import FrameFlag
from napari_sam2.session.planning.frame_set import FrameSet
from napari_sam2.session.planning.plan import Direction, FrameRange, Plan
from napari_sam2.session.session import Session

ALL = FrameRange(0, FRAMES)


def click(object_id, frame, y=12, x=12):
    return FramePrompt(object_id, frame, points=(PointPrompt(y, x),))


def contents(store):
    """Everything of a store, by frame and object."""
    logits = {
        (frame, one): mask.tobytes()
        for frame, masks in store.logits.items()
        for one, mask in masks.items()
    }
    labels = {frame: image.tobytes() for frame, image in store.labels.items()}
    return labels, logits, dict(store.scores)


@pytest.fixture(scope="module")
def begun(drawn_movie, toy_store, toy_predictor):
    """Prompts on three objects, tracked once."""
    studio = Studio(drawn_movie, toy_store, toy_predictor)
    prompts = [click(1, 3), click(1, 12, 14, 16), click(2, 0, 30, 40), click(4, 5)]
    studio.book.set_prompts(prompts, "begin")
    studio.run(Plan(ALL))
    for thing in studio.book.state.objects:
        studio.book.mark_tracked({thing.object_id: FrameSet.between(0, FRAMES)})
    return studio


@pytest.fixture
def studio(begun):
    """A book with what it says, tracked, and a way to run plans."""
    studio = Studio(begun.movie, begun.make_store, begun.make_predictor)
    studio.store = copy.deepcopy(begun.store)
    studio.book.replace(begun.book.state)
    return studio


class Studio:
    def __init__(self, movie, make_store, make_predictor):
        self.movie, self.make_store = movie, make_store
        self.make_predictor = make_predictor
        self.store = make_store()
        self.book = PromptBook(FRAMES)

    def run(self, plan, anchors=(), store=None):
        objects = [thing.as_prompted() for thing in self.book.state.objects]
        session = Session(
            self.movie,
            store or self.store,
            self.make_predictor(),
            objects,
            anchors=anchors,
        )
        self.movie.reads.clear()
        return list(session.propagate(plan))

    def locks(self):
        return {one.object_id: one.locked for one in self.book.state.objects}

    def repair(self, said=()):
        """Track what is stale and where something was said; return these places."""
        anchors = [
            anchor
            for anchor in self.store.read_anchors()
            if (anchor.object_id, anchor.frame_index) not in said
        ]
        only = {
            thing.object_id: thing.stale
            | FrameSet.of(frame for one, frame in said if one == thing.object_id)
            for thing in self.book.state.objects
        }
        self.run(Plan(ALL, only=only, locks=self.locks()), anchors)
        return {(frame, one) for one, frames in only.items() for frame in frames}

    def from_scratch(self):
        """A new store with a whole run from the same anchors."""
        store = self.make_store()
        self.run(Plan(ALL), self.store.read_anchors(), store)
        return store


@pytest.mark.parametrize(
    "said",
    [
        click(1, 8, 14, 14),  # splits a gap
        click(1, 1),  # before the first anchor
        click(2, 9, 30, 44),  # after the last
        click(1, 3, 40, 50),  # says something else
        FramePrompt(4, 9, mask=MaskPrompt(np.tri(*SHAPE, dtype=bool))),
    ],
)
def test_a_repair_gives_the_bytes_of_a_whole_run_and_touches_nothing_else(studio, said):
    before = contents(studio.store)
    studio.book.set_prompt(said)
    repaired = studio.repair([(said.object_id, said.frame_index)])
    after = contents(studio.store)
    assert after == contents(studio.from_scratch())
    assert (said.frame_index, said.object_id) in repaired
    (old_labels, old_logits, old_scores), (labels, logits, scores) = before, after
    changed = {place for place in old_logits if old_logits[place] != logits[place]}
    assert changed, "the repair shows"
    assert changed <= repaired
    # Areas of others on these frames are those of the label image: it has changed.
    own = [place for place in old_scores if place not in repaired]
    assert all(old_scores[place][:3] == scores[place][:3] for place in own)
    untouched = set(range(FRAMES)) - {frame for frame, _ in repaired}
    assert all(old_labels[frame] == labels[frame] for frame in untouched)
    assert all(old_scores[p] == scores[p] for p in own if p[0] in untouched)


def test_a_removed_anchor_is_repaired_too(studio):
    studio.book.clear_prompt(1, 12)
    studio.repair()
    after = contents(studio.store)
    kept = [one for one in studio.store.anchors if one.frame_index != 12]
    studio.store.anchors = kept
    assert after == contents(studio.from_scratch())


def test_frames_asked_for_one_after_another_are_those_of_a_whole_run(studio):
    expected = contents(studio.store)
    studio.store.logits[9].pop(1)
    studio.store.logits[7].pop(1)
    studio.store.labels[9][:] = 0
    anchors = studio.store.read_anchors()
    studio.run(Plan(ALL, only={1: FrameSet.of([9])}), anchors)
    assert sorted(set(studio.movie.reads)) == [3, 4, 5, 6, 7, 8, 9, 12]
    studio.run(Plan(ALL, Direction.ONE_FRAME, start=7, only={1: ALL_FRAMES}), anchors)
    assert contents(studio.store) == expected


ALL_FRAMES = FrameSet.between(0, FRAMES - 1)


def test_locked_object_frames_stay_as_they_are(studio):
    locked = FrameSet.between(6, 9)
    studio.book.flag(FrameFlag.LOCKED, [4], locked)
    studio.book.flag(FrameFlag.LOCKED, [1], FrameSet.of([7]))
    before = contents(studio.store)
    pixels = {frame: studio.store.labels[frame].copy() for frame in locked}
    studio.book.set_prompt(click(1, 5, 20, 20))
    studio.book.set_prompt(click(4, 10, 30, 30))
    repaired = studio.repair([(1, 5), (4, 10)])
    after = contents(studio.store)
    kept = {(frame, 4) for frame in locked} | {(7, 1)}
    assert not repaired & kept
    for old, new in zip(before[1:], after[1:], strict=True):
        assert all(old[place] == new[place] for place in kept)
    for frame, image in pixels.items():
        found = studio.store.labels[frame]
        np.testing.assert_array_equal(found == 4, image == 4)
    np.testing.assert_array_equal(studio.store.labels[7] == 1, pixels[7] == 1)
    assert after[1] != before[1]


def test_a_drawn_mask_is_shown_to_the_pixel(studio):
    drawn = np.zeros(SHAPE, bool)
    drawn[5:9, 10:40:3] = True
    studio.book.set_prompt(FramePrompt(2, 6, mask=MaskPrompt(drawn)))
    studio.repair([(2, 6)])
    np.testing.assert_array_equal(studio.store.labels[6] == 2, drawn)
    studio.book.set_prompt(click(1, 8, 14, 14))
    studio.repair([(1, 8)])
    np.testing.assert_array_equal(studio.store.labels[6] == 2, drawn)
