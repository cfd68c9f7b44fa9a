"""Where the model is the limit, the window says so and offers what helps."""

import numpy as np
import pytest
from qtpy.QtCore import Qt
from tests.engine.engine_steps import click

from napari_sam2.engine import Remark
from napari_sam2.session.book.prompt_book import Edit
from napari_sam2.session.book.state import BookState, ObjectState
from napari_sam2.session.scores.tables import ScoreTables
from napari_sam2.ui.dock.limits import Doubts


@pytest.mark.parametrize(("low", "is_mostly"), [(3, False), (15, True)])
def test_a_run_is_mostly_doubtful_if_most_of_its_masks_are(low, is_mostly):
    tables = ScoreTables.empty([1], 21, lambda scores: 1.0 - scores.stability)
    tables.area[:] = 50
    tables.stability[:, 0] = 0.0
    tables.stability[1 : low + 1, 0] = 1.0
    doubts = Doubts.of(BookState((ObjectState(1),)), tables)
    assert doubts == Doubts(low, 21)
    assert doubts.is_mostly == is_mostly


def test_a_larger_model_is_one_button_away(open_dock, qtbot):
    _, dock = open_dock()
    dock.model_panel.choose("nano")
    dock.conductor.happened.emit(Remark("2 of 3 objects are less than 8 pixels across"))
    assert dock.offer.note.text().startswith("2 of 3 objects are less")
    assert "SAM 2.1 small" in dock.offer.buttons[0].text()
    qtbot.mouseClick(dock.offer.buttons[0], Qt.MouseButton.LeftButton)
    assert dock.model_panel.model == "sam2.1_small"
    assert open_dock.docks[0].sections.model.is_open
    dock.conductor.happened.emit(Remark("2 of 3 objects are less than 8 pixels across"))
    assert not dock.offer.is_open  # it is the larger one


def test_what_is_offered_is_not_said_twice(open_dock):
    _, dock = open_dock()
    dock.model_panel.choose("nano")
    dock.conductor.happened.emit(Remark("2 of 3 objects are less than 8 pixels across"))
    clicked = ObjectState(1, prompts=(click(1, 0, (30, 40)),))
    dock.conductor.answered.emit(Edit("click", BookState(), BookState((clicked,))))
    assert dock.offer.is_open
    assert "object 1" in dock.status.text().lower()
    assert "8 pixels" not in dock.status.text()


def test_after_a_doubtful_run_it_says_what_helps(open_dock, answered, qtbot):
    _, dock = open_dock()
    dock.conductor.set_prompt(click(1, 0, (30, 40)))
    answered(dock)
    tables = dock.conductor.tables
    tables.area[:] = 50
    low = tables.with_trust(lambda scores: np.zeros_like(scores.area))
    dock.conductor.editor.shown.tables = low
    dock.conductor.tracked.emit(True, False)
    assert "masks are doubtful" in dock.offer.note.text()
    qtbot.mouseClick(dock.offer.buttons[0], Qt.MouseButton.LeftButton)
    assert dock.status.text().startswith("Object 1 on frame")
