"""Repairs as the engine runs them, on disk: what a whole run would give, no more."""

from dataclasses import replace

import numpy as np
import pytest
from tests.engine.engine_steps import Table, click

from napari_sam2.engine.orders import prompted
from napari_sam2.engine.workspace.loading import predictor_for
from napari_sam2.io.label_store.store import OmeZarrLabelStore
from napari_sam2.prompts import FramePrompt, MaskPrompt
from napari_sam2.session.book.drawn import drawn_prompts
from napari_sam2.session.planning.plan import FrameRange, Plan
from napari_sam2.session.session import Session
from napari_sam2.tracking.memory.budget import BudgetPlan

FRAMES = 12
SHAPE = (96, 112)


@pytest.fixture
def begun(request_for):
    return tracked(request_for())


def tracked(request):
    """Three objects, tracked once; computed one at a time, so that bytes are equal."""
    tiny = BudgetPlan(1, 1, 1, 1)
    table = Table(replace(request, budget=tiny), FRAMES)
    table.say(click(1, 2, (30, 40)), click(1, 9, (34, 44)))
    table.say(click(2, 0, (70, 90)), click(4, 4, (50, 20)))
    table.track()
    return table


def contents(store):
    """Everything of a store by frame and object: labels, logits, scores, places."""
    labels, masks, scores = {}, {}, {}
    for frame in range(FRAMES):
        labels[frame] = store.read_labels(frame).tobytes()
        ids, logits = store.read_logits(frame)
        masks |= {
            (frame, one): it.tobytes() for one, it in zip(ids, logits, strict=True)
        }
        ids, known = store.read_scores(frame)
        columns = (known.object_score, known.predicted_iou, known.stability, known.area)
        found = zip(*(column.tolist() for column in columns), strict=True)
        scores |= {(frame, one): it for one, it in zip(ids, found, strict=True)}
    return labels, masks, scores


def from_scratch(table):
    """Contents of a new store after a whole run from the same anchors."""
    loaded, _ = table.engine.workspace.prepared
    request, book = table.request, table.book.state
    source = request.image.open()
    store = OmeZarrLabelStore.create(
        request.folder.with_name("whole.zarr"),
        frame_count=FRAMES,
        frame_shape=table.store.frame_shape,
        logits_shape=table.store.logits_shape,
        objects=prompted(book),
        provenance=table.store.provenance,
        tiles=table.store.layout,
    )
    predictor = predictor_for(loaded, request, source)
    anchors = table.store.read_anchors()
    session = Session(source, store, predictor, prompted(book), anchors=anchors)
    list(session.propagate(Plan(FrameRange(0, FRAMES))))
    return contents(store)


def test_a_repair_in_tiles_gives_the_bytes_of_a_whole_run(request_for):
    begun = tracked(replace(request_for(), tiles="native"))
    assert len(begun.store.layout) > 1
    before = contents(begun.store)
    begun.say(click(1, 6, (36, 42)))
    begun.track(is_repair=True)
    assert contents(begun.store) == from_scratch(begun)
    for _ in range(2):
        begun.turn(begun.engine.undo)
    assert contents(begun.store) == before


@pytest.mark.parametrize(
    "said",
    [
        click(1, 6, (36, 42)),  # splits a gap
        click(1, 1, (30, 40)),  # before the first anchor
        click(2, 7, (66, 88)),  # after the last
        click(1, 2, (60, 60)),  # says something else
        FramePrompt(4, 8, mask=MaskPrompt(np.tri(*SHAPE, dtype=bool))),
    ],
)
def test_a_repair_gives_the_bytes_of_a_whole_run_and_touches_nothing_else(begun, said):
    before = contents(begun.store)
    begun.say(said)
    owed = {
        (frame, one.object_id)
        for one in begun.book.state.objects
        for frame in one.stale
    }
    begun.track(is_repair=True)
    after = contents(begun.store)
    assert after == from_scratch(begun)
    owed |= {(said.frame_index, said.object_id)}
    (old_labels, old_masks, old_scores), (labels, masks, scores) = before, after
    changed = {place for place in old_masks if old_masks[place] != masks[place]}
    assert len(changed) > 1, "the repair shows"
    assert changed <= owed
    # Areas of others on these frames are those of the label image: it has changed.
    own = [place for place in old_scores if place not in owed]
    assert all(old_scores[place][:3] == scores[place][:3] for place in own)
    untouched = set(range(FRAMES)) - {frame for frame, _ in owed}
    assert all(old_labels[frame] == labels[frame] for frame in untouched)
    assert all(old_scores[p] == scores[p] for p in own if p[0] in untouched)


def test_a_stroke_is_stored_to_the_pixel(begun):
    before = begun.labels(3)
    drawn = before.copy()
    drawn[drawn == 4] = 0
    drawn[10:20, 10:30] = 2
    drawn[60:63, 1:9] = 1
    stroke = drawn_prompts(3, before, drawn, begun.book.state)
    begun.follow(begun.book.set_prompts(stroke.prompts, stroke.text(3)))
    store = OmeZarrLabelStore.open(begun.request.folder, mode="r")
    np.testing.assert_array_equal(store.read_labels(3), drawn)
    ids, scores = store.read_scores(3)
    assert ids == (1, 2, 4)
    assert scores.area.tolist() == [(drawn == one).sum() for one in ids]
    assert store.whole_frames.all()
    assert store.read_progress()[0].plan_key == ""
    places = [(one.object_id, one.frame_index) for one in store.read_anchors()]
    assert {(1, 3), (2, 3)} <= set(places)


def test_a_removed_object_leaves_nothing_behind_on_disk(begun):
    masks = {frame: begun.store.read_logits(frame)[1][0] > 0 for frame in range(FRAMES)}
    assert all(mask.any() for mask in masks.values())
    begun.follow(begun.book.remove_objects([1]))
    store = OmeZarrLabelStore.open(begun.request.folder, mode="r")
    assert {one.object_id for one in store.read_anchors()} == {2, 4}
    assert store.read_progress()[0].plan_key == ""
    column = store.object_ids.index(1)
    assert not store.read_score_table("area")[:, column].any()
    assert np.isnan(store.read_measurements("centroid_y")[:, column]).all()
    for frame in range(FRAMES):
        labels = store.read_labels(frame)
        ids, logits = store.read_logits(frame)
        assert (logits[ids.index(1)] < 0).all()
        assert not (labels == 1).any()
        _, scores = store.read_scores(frame)
        assert scores.area.tolist() == [(labels == one).sum() for one in ids]


def test_masklets_stay_remembered_as_the_command_line_was_told(begun):
    store = begun.store
    told = {"one_component": True, "hard_cases": ["stage-jumps"]}
    settings = store.provenance.settings | told
    store.renew_provenance(store.provenance.model_copy(update={"settings": settings}))
    begun.say(click(1, 5, (32, 42)))
    begun.track(is_repair=True)
    assert store.provenance.settings.items() >= told.items()
