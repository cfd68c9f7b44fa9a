"""Where the model is the limit, the window says so and offers what helps."""

import numpy as np
import pytest
from qtpy.QtCore import Qt
from tests.engine.engine_steps import click
from tests.ui.hand import Hand

from napari_sam2.engine import Remark
from napari_sam2.session import visibility
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


def titles(offer):
    return [button.text() for button in offer.buttons]


def visible(viewer):
    """Names of the layers of masklets that are seen."""
    return [one.name for one in viewer.layers if "masklets" in one.name and one.visible]


def test_a_larger_model_is_one_button_away(open_dock, qtbot):
    _, dock = open_dock()
    dock.model_panel.choose("nano")
    dock.conductor.happened.emit(Remark("2 of 3 objects are less than 8 pixels across"))
    assert dock.offer.note.text().startswith("2 of 3 objects are less")
    (larger,) = (one for one in dock.offer.buttons if "SAM 2.1 small" in one.text())
    qtbot.mouseClick(larger, Qt.MouseButton.LeftButton)
    assert dock.model_panel.model == "sam2.1_small"
    assert open_dock.docks[0].sections.model.is_open
    dock.conductor.happened.emit(Remark("2 of 3 objects are less than 8 pixels across"))
    assert not any("SAM 2.1" in title for title in titles(dock.offer))


def test_looking_closely_is_one_button_away_and_comes_back_with_the_session(
    open_dock, answered, qtbot, monkeypatch
):
    monkeypatch.setattr(visibility, "SMALLEST", 1000)
    viewer, dock = open_dock()
    hand = Hand(viewer)
    hand.push("W")
    shown = viewer.dims.current_step[0]
    hand.click(shown, 80, 95)
    answered(dock)
    plain = dock.output_panel.folder
    assert titles(dock.offer)[0] == "Look closely (tiles)"
    qtbot.mouseClick(dock.offer.buttons[0], Qt.MouseButton.LeftButton)
    answered(dock)
    assert dock.model_panel.choice.tiles == "auto"
    assert dock.output_panel.folder != plain
    assert dock.masklets.layer.data[shown].any()  # the click came along
    assert visible(viewer) == [dock.masklets.layer.name]
    assert "Look closely (tiles)" not in titles(dock.offer)
    # The random network finds nothing small: tiles come on request alone.
    qtbot.keyClick(dock.model_panel.tile_combo, Qt.Key.Key_End)
    answered(dock)
    store = dock.conductor.engine.store_of(dock.request())
    assert store.provenance.tracker.tiles == store.layout.side == 64
    assert [anchor.frame_index for anchor in store.read_anchors()] == [shown]
    dock.conductor.save()
    answered(dock)
    tiled = dock.output_panel.folder
    # Whole frames again: their session is where it was. And there and back.
    qtbot.keyClick(dock.model_panel.tile_combo, Qt.Key.Key_Home)
    answered(dock)
    assert dock.output_panel.folder == plain
    assert visible(viewer) == ["movie masklets"]
    dock.conductor.open_session(tiled)
    answered(dock)
    assert dock.model_panel.choice.tiles == "native"
    assert dock.output_panel.folder == tiled
    hand.push("G")
    answered(dock)
    assert dock.conductor.tables.computed().all()


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
