"""The line in a window: what it says goes when it is no longer so."""

import pytest
from qtpy.QtCore import Qt
from tests.engine.engine_steps import click


def test_a_missing_movie_is_no_matter_once_there_is_one(open_dock, stack, qtbot):
    viewer, dock = open_dock(image=None)
    assert dock.status.text().startswith("Open a movie")
    qtbot.mouseClick(dock.prompt_panel.new_points_button, Qt.MouseButton.LeftButton)
    assert "movie first" in dock.status.text()
    assert dock.status.styleSheet()
    viewer.add_image(stack, name="movie", axis_labels=("t", "y", "x"))
    assert dock.status.text().startswith("Switch on the SAM 2 tool")
    assert not dock.status.styleSheet()


def test_the_model_is_said_to_be_loaded_no_longer_than_it_is(open_dock, answered):
    _, dock = open_dock()
    said = []
    dock.conductor.happened.connect(lambda _event: said.append(dock.status.text()))
    dock.conductor.set_prompt(click(1, 3, (30, 40)))
    answered(dock)
    assert any(text.startswith("Loading the model") for text in said)
    dock.selection.go_on_with(2)  # the answer was read
    assert dock.status.text().startswith("Click to correct")


@pytest.mark.parametrize("next_deed", ["click", "object"])
def test_what_was_redone_is_news_until_the_next_deed(
    open_dock, answered, qtbot, next_deed
):
    _, dock = open_dock()
    dock.conductor.set_prompt(click(1, 3, (30, 40)))
    answered(dock)
    qtbot.mouseClick(dock.prompt_panel.undo_button, Qt.MouseButton.LeftButton)
    answered(dock)
    assert dock.status.text().startswith("Undone")
    qtbot.mouseClick(dock.prompt_panel.redo_button, Qt.MouseButton.LeftButton)
    answered(dock)
    assert dock.status.text().startswith("Redone")
    if next_deed == "click":
        dock.conductor.set_prompt(click(2, 3, (60, 80)))
        answered(dock)
        assert dock.status.text().startswith("Object 2 is there")
    else:
        qtbot.mouseClick(dock.prompt_panel.new_object_button, Qt.MouseButton.LeftButton)
        assert "Redone" not in dock.status.text()
