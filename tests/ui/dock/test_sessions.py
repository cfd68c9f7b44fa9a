"""Sessions find their movies, and movies their sessions."""

import numpy as np
import pytest
import tifffile
from qtpy.QtCore import Qt
from tests.engine.engine_steps import click


@pytest.fixture
def worked(open_dock, answered, stack, tmp_path):
    """Path of a movie, and folder of a session of it with two objects."""
    path = tmp_path / "cells.tif"
    tifffile.imwrite(path, np.asarray(stack), metadata={"axes": "TYX"})
    viewer, dock = open_dock(image=None)
    (layer,) = viewer.open(str(path), plugin="napari")
    dock.conductor.set_prompts([click(1, 2, (30, 40)), click(2, 2, (60, 80))], "two")
    answered(dock)
    dock.conductor.save()
    answered(dock)
    folder = dock.output_panel.folder
    dock.conductor.close()
    return path, folder, layer.name


def test_the_movie_of_a_session_is_remembered_and_offered(
    worked, open_dock, answered, qtbot
):
    path, folder, name = worked
    viewer, dock = open_dock(image=None)
    dock.conductor.open_session(folder)
    answered(dock)
    assert dock.offer.is_open
    assert path.name in dock.offer.note.text()
    qtbot.mouseClick(dock.offer.buttons[0], Qt.MouseButton.LeftButton)
    answered(dock)
    assert viewer.layers[name].source.path == str(path)
    assert [one.object_id for one in dock.conductor.book.objects] == [1, 2]
    assert dock.output_panel.folder == folder


def test_a_movie_that_has_a_session_offers_it(worked, open_dock, answered, qtbot):
    path, folder, _ = worked
    viewer, dock = open_dock()  # another movie
    answered(dock)
    assert not dock.offer.is_open
    (layer,) = viewer.open(str(path), plugin="napari")
    dock.input_panel.layer_combo.choose(layer)
    answered(dock)
    assert "has a session" in dock.offer.note.text()
    assert "2 objects" in dock.offer.note.text()
    qtbot.mouseClick(dock.offer.buttons[0], Qt.MouseButton.LeftButton)
    answered(dock)
    assert dock.output_panel.folder == folder
    assert [one.object_id for one in dock.conductor.book.objects] == [1, 2]


def test_the_list_says_what_is_in_a_session_and_begins_with_this_movie(
    worked, open_dock, answered
):
    path, _, name = worked
    viewer, dock = open_dock()
    dock.conductor.set_prompt(click(1, 2, (30, 40)))
    answered(dock)
    dock.conductor.save()
    answered(dock)
    menu = dock.output_panel.recent.menu()
    menu.aboutToShow.emit()
    answered(dock)
    first, second = menu.actions()[:2]
    assert "movie" in first.text()
    assert "1 object " in first.text()
    assert name in second.text()
    assert "2 objects" in second.text()
    (layer,) = viewer.open(str(path), plugin="napari")
    dock.input_panel.layer_combo.choose(layer)
    menu.aboutToShow.emit()
    answered(dock)
    assert name in menu.actions()[0].text()
