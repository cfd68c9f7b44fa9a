"""What a person sees in a movie is ticked, kept with its masklets, and comes back."""

import pytest
from qtpy.QtCore import QPoint, Qt
from tests.engine.engine_steps import click

from napari_sam2.io.label_store.store import OmeZarrLabelStore
from napari_sam2.tracking.hard_cases.names import HardCaseName

CASES = tuple(map(str, HardCaseName))


def tick(qtbot, box):
    """Click on the tick of a box, which may be wider than its words."""
    at = QPoint(8, box.height() // 2)
    qtbot.mouseClick(box, Qt.MouseButton.LeftButton, pos=at)


@pytest.fixture
def ticked(open_dock, answered, qtbot):
    """A dock in which somebody ticked what can be seen, and clicked on a cell."""
    viewer, dock = open_dock()
    open_dock.docks[0].sections.model.set_open(True)
    for box in dock.model_panel.hard_cases.boxes:
        tick(qtbot, box)
    dock.conductor.set_prompts([click(1, 2, (30, 40))], "one")
    answered(dock)
    return viewer, dock


def test_what_is_ticked_stands_in_the_provenance_and_comes_back(
    ticked, open_dock, answered, stack
):
    _, dock = ticked
    dock.conductor.save()
    answered(dock)
    folder = dock.output_panel.folder
    dock.conductor.close()
    tracker = OmeZarrLabelStore.open(folder, mode="r").provenance.tracker
    assert tracker.one_component
    assert tracker.hard_cases == CASES
    _, again = open_dock()
    boxes = again.model_panel.hard_cases.boxes
    assert not any(box.isChecked() for box in boxes)
    again.conductor.open_session(folder)
    answered(again)
    assert all(box.isChecked() for box in boxes)
    assert again.request().tracker.hard_cases == CASES


def test_another_movie_is_followed_as_usual(ticked, answered, stack, qtbot):
    viewer, dock = ticked
    boxes, first = dock.model_panel.hard_cases.boxes, dock.input_panel.layer
    other = viewer.add_image(stack[:, ::-1], name="other", axis_labels=("t", "y", "x"))
    dock.input_panel.layer_combo.choose(other)
    assert not any(box.isChecked() for box in boxes)
    assert dock.request().tracker.hard_cases == ()
    dock.input_panel.layer_combo.choose(first)
    assert all(box.isChecked() for box in boxes)
    answered(dock)
    tick(qtbot, boxes[1])
    assert "From now on" in dock.status.text()
    assert dock.request().tracker.hard_cases == CASES[1:]
