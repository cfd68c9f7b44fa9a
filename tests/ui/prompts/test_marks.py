"""Marks: a view of the book that can be edited."""

from dataclasses import replace
from unittest.mock import MagicMock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from qtpy.QtCore import QObject
from tests.session.heard_book import HeardBook

from napari_sam2.engine.movie.axes import lay_out_layer
from napari_sam2.errors import InputError
from napari_sam2.prompts import BoxPrompt, FramePrompt, MaskPrompt, PointPrompt
from napari_sam2.session.book.prompt_book import PromptBook
from napari_sam2.session.book.state import BookState, FrameFlag
from napari_sam2.session.planning.frame_set import FrameSet
from napari_sam2.ui.keys.bindings import ToolKeys
from napari_sam2.ui.layers.colors import object_color
from napari_sam2.ui.prompts.mark_rows import (
    Marks,
    Row,
    edits_between,
    plan_rows,
    points_in,
)
from napari_sam2.ui.prompts.marks import PromptMarks

SHAPE = (5, 60, 80)
SCALE, TRANSLATE = (2, 0.5, 0.25), (0, 7, 9)


class Bench:
    """An image, marks on it, and a book that does what the marks ask."""

    def __init__(self, viewer, shape=SHAPE, axes=None):
        self.parent = QObject()
        self.viewer = viewer
        n = len(shape) - 3
        self.image = viewer.add_image(
            np.zeros(shape, np.uint8),
            scale=(*(1,) * n, *SCALE),
            translate=(*(0,) * n, *TRANSLATE),
            name="movie",
        )
        self.axes = axes or lay_out_layer(shape, ("t", "y", "x"), 0, {})
        self.keys = ToolKeys(self.parent)
        self.marks = PromptMarks(viewer, self.keys, self.parent)
        self.book = HeardBook(self.axes.frame_count, self._on_changed)
        self.history = []
        self.told = MagicMock()
        self.marks.changes_requested.connect(self._change)
        self.marks.told.connect(self.told)
        self.marks.show_on(self.image, self.axes)

    def _change(self, prompts, cleared, text):
        try:
            self.book.change_prompts(prompts, cleared, text)
        except InputError as error:
            self.told(str(error))

    def _on_changed(self, before, after):
        self.history.append(before)
        self.marks.show_book(after)

    def said(self, object_id, frame_index):
        return self.book.state[object_id].prompt_at(frame_index)


@pytest.fixture
def bench(make_napari_viewer_proxy):
    benches = []

    def made(*arguments):
        benches.append(Bench(make_napari_viewer_proxy(), *arguments))
        return benches[-1]

    yield made
    for one in benches:
        one.marks.close()
        one.keys.close()


@pytest.fixture
def settled(qtbot):
    return lambda: qtbot.wait(100)


def rows_in(layer):
    features = layer.features
    return sorted(
        (*row, label, positive)
        for row, label, positive in zip(
            layer.data.tolist(), features["label"], features["positive"], strict=True
        )
    )


BOX = BoxPrompt(10, 20, 30, 40)
FIRST = FramePrompt(1, 2, (PointPrompt(5, 6), PointPrompt(7, 8, positive=False)), BOX)
SECOND = FramePrompt(2, 3, (PointPrompt(50, 60),))


def test_clicks_are_seen_moved_deleted_and_undone(bench, settled):
    one = bench()
    marks, book = one.marks, one.book
    assert marks.points is None  # no layer before there is something to see
    book.set_prompts([FIRST, SECOND], "both")
    points = marks.points
    assert one.viewer.layers.selection.active.name == "movie"
    assert rows_in(points) == [
        (2, 5, 6, 1, True),
        (2, 7, 8, 1, False),
        (3, 50, 60, 2, True),
    ]
    np.testing.assert_allclose(points.face_color[2], object_color(2), atol=1e-6)
    assert not np.allclose(points.border_color[0], points.border_color[1])
    steps = len(one.history)
    settled()
    assert len(one.history) == steps  # showing asks for nothing
    # --- Moved
    moved = points.data.copy()
    moved[0] = (2, 15, 16)
    points.data = moved
    settled()
    assert one.said(1, 2).points[0] == PointPrompt(15, 16)
    assert one.said(1, 2).box == BOX
    assert len(one.history) == steps + 1
    # --- Undone: the mark goes back, and nothing is asked
    book.replace(one.history[-1])
    settled()
    assert rows_in(points)[0] == (2, 5, 6, 1, True)
    assert len(one.history) == steps + 2
    # --- Deleted: an object's last click on a frame, and one of several
    points.selected_data = {1, 2}
    points.remove_selected()
    settled()
    assert one.said(2, 3) is None
    assert one.said(1, 2).points == (PointPrompt(5, 6),)
    assert len(one.history) == steps + 3  # both in one step


def test_clicks_that_are_added_turned_round_and_hidden(bench, settled):
    one = bench()
    marks, book = one.marks, one.book
    book.set_prompts([replace(FIRST, points=FIRST.points[:1]), SECOND], "both")
    points = marks.points
    # --- Added by hand, for the object that is chosen; its polarity turned round
    marks.show_selected(2, is_positive=False)
    points.add((4, 11, 12))
    settled()
    assert one.said(2, 4).points == (PointPrompt(11, 12, positive=False),)
    features = points.features.copy()
    features["positive"] = True
    points.features = features
    settled()
    assert one.said(2, 4).points == (PointPrompt(11, 12),)
    # --- Hidden, and gone with the object
    book.set_hidden([2], True)
    assert rows_in(points) == [(2, 5, 6, 1, True)]
    settled()
    assert one.said(2, 3) is not None
    book.remove_objects([1])
    assert len(points.data) == 0


def test_boxes_and_areas_in_the_shapes_layer(bench, settled):
    one = bench()
    one.book.set_prompt(FIRST)
    shapes = one.marks.boxes
    (corners,) = shapes.data
    assert corners.min(axis=0).tolist() == [2, 9.5, 19.5]
    assert corners.max(axis=0).tolist() == [2, 30.5, 40.5]
    np.testing.assert_allclose(
        shapes.edge_color[0], (object_color(1) + 1) / 2, atol=1e-6
    )
    # --- Moved, its clicks stay
    shapes.data = [corners + np.array((0, 2, 4))]
    settled()
    assert one.said(1, 2).box == BoxPrompt(12, 24, 32, 44)
    assert one.said(1, 2).points == FIRST.points
    # --- Drawn for another object; turned, it is the upright box around it
    one.marks.show_selected(3)
    tilted = [(1, 10, 20), (1, 20, 30), (1, 30, 20), (1, 20, 10)]
    shapes.add_rectangles([np.array(tilted, float)])
    settled()
    assert one.said(3, 1).box == BoxPrompt(10.5, 10.5, 29.5, 29.5)
    assert len({*shapes.data[0][:, 1].tolist()}) == 2
    # --- A lasso is a mask, and no mark
    lasso = np.array([(1, 5, 5), (1, 5, 15), (1, 15, 15), (1, 15, 5)], float)
    shapes.add_polygons([lasso])
    settled()
    assert one.said(3, 1).mask.mask[6:15, 6:15].all()
    assert shapes.nshapes == 1
    # --- A click on it replaces the mask, and this is told
    points = one.marks.add_points()
    assert (points.mode, one.viewer.layers.selection.active.name) == (
        "add",
        points.name,
    )
    points.add((1, 8, 8))
    settled()
    assert one.said(3, 1).points == (PointPrompt(8, 8),)
    assert "gave way" in one.told.call_args.args[0]
    # --- Deleted
    shapes.selected_data = {0}
    shapes.remove_selected()
    settled()
    assert one.said(1, 2).box is None


def test_what_is_refused_or_outside_is_shown_as_it_is(bench, settled):
    one = bench()
    one.book.set_prompts([FIRST, SECOND], "both")
    one.book.flag(FrameFlag.LOCKED, [2], FrameSet.of([3]))
    points = one.marks.points
    moved = points.data.copy()
    moved[2] = (3, 1, 1)
    points.data = moved
    settled()
    assert "locked" in one.told.call_args.args[0]
    assert rows_in(points)[2] == (3, 50, 60, 2, True)
    points.add((2, -9, 5))
    settled()
    assert "Points not used: 1" in one.told.call_args.args[0]
    assert len(points.data) == 4  # it is the person's
    # Marks whose layer was deleted come back with the next change.
    one.viewer.layers.remove(points.name)
    assert one.marks.points is None
    assert one.said(2, 3) is not None
    one.book.rename(1, "cell")
    assert one.marks.points is None
    one.book.clear_prompt(1, 2)
    assert rows_in(one.marks.points) == [(3, 50, 60, 2, True)]
    # All is taken away in the end.
    one.marks.close()
    assert [layer.name for layer in one.viewer.layers] == ["movie"]


def test_a_points_layer_of_the_person_s_own_is_the_view(bench, settled):
    """On an image with a depth axis, and lying otherwise in the world."""
    shape = (4, 5, 60, 80)
    axes = lay_out_layer(shape, ("z", "t", "y", "x"), 1, {0: 3})
    one = bench(shape, axes)
    one.book.set_prompt(FramePrompt(1, 0, (PointPrompt(30.5, 40.25),)))
    ours = one.marks.points
    assert ours.data.tolist() == [[3, 0, 30.5, 40.25]]
    world = one.image.data_to_world((3, 2, 8, 9))
    own = one.viewer.add_points([world], features={"note": ["mine"]}, name="mine")
    with pytest.raises(InputError, match="dimensions"):
        one.marks.use_points(one.viewer.add_points(np.zeros((1, 3))))
    before = dict(own.keymap)
    one.marks.use_points(own)
    assert ours.name not in one.viewer.layers
    # Its clicks are taken in under new ids, the book's are shown in it.
    assert one.said(2, 2).points == (PointPrompt(8, 9),)
    assert own.features["label"].tolist() == [2, 1]
    assert own.features["note"].tolist()[0] == "mine"
    np.testing.assert_allclose(
        own.data[1], one.image.data_to_world((3, 0, 30.5, 40.25))
    )
    steps = len(one.history)
    settled()
    assert len(one.history) == steps
    own.add(one.image.data_to_world((3, 2, 10, 11)))
    settled()
    one.marks.close()
    assert "mine" in one.viewer.layers
    assert own.keymap == before


PLACES = st.tuples(st.integers(1, 3), st.integers(0, 2))
POINTS = st.builds(PointPrompt, st.integers(0, 9), st.integers(0, 9), st.booleans())
WANTED = st.dictionaries(PLACES, st.lists(POINTS, min_size=1, max_size=3).map(tuple))


@given(st.lists(st.builds(Row, st.none() | PLACES, POINTS)), WANTED)
def test_rows_become_what_is_wanted_and_strangers_stay(rows, wanted):
    plan = plan_rows(rows, wanted)
    assert points_in(plan.rows) == wanted
    strangers = [row for row in rows if row.place is None]
    assert [row for row in plan.rows if row.place is None] == strangers
    assert plan.is_change == (points_in(rows) != wanted)
    assert not plan_rows(plan.rows, wanted).is_change
    kept = [rows[index].place for index in plan.kept]
    assert kept == [row.place for row in plan.rows[: len(kept)]]


@given(WANTED, WANTED)
def test_edits_make_the_book_say_what_is_marked(before, after):
    book = PromptBook(3)
    book.set_prompts(
        [FramePrompt(*place, points) for place, points in before.items()], "before"
    )
    edits = edits_between(Marks(before), Marks(after), book.state)
    book.set_prompts(edits.prompts, edits.text)
    for place in edits.cleared:
        book.clear_prompt(*place)
    said = {
        (one.object_id, prompt.frame_index): prompt.points
        for one in book.state.objects
        for prompt in one.prompts
    }
    assert said == after


def test_a_mask_that_nobody_said_otherwise_about_stays():
    mask = MaskPrompt(np.ones((3, 3), bool))
    book = PromptBook(3, BookState())
    book.set_prompt(FramePrompt(1, 0, mask=mask))
    edits = edits_between(Marks(), Marks(), book.state)
    assert (edits.prompts, edits.cleared) == ((), ())
