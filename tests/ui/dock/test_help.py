"""How somebody begins: three buttons without a movie, and a question mark."""

from pathlib import Path

import numpy as np
import pytest
import tifffile
from npe2 import PluginManifest
from qtpy.QtCore import QObject, Qt, Slot
from qtpy.QtGui import QDesktopServices
from qtpy.QtWidgets import QFileDialog
from tests.engine.engine_steps import click

from napari_sam2.ui.dock.help import PAGE, PAGES

DOCS = Path(__file__).parents[3] / "docs"


@pytest.fixture
def without_movie(open_dock):
    viewer, dock = open_dock(image=None)
    assert not dock.beginning.isHidden()
    return viewer, dock


def action_called(menu, text):
    """Return the entry of a menu, or of one below it, whose title begins so."""
    for action in menu.actions():
        if action.text().startswith(text):
            return action
        if action.menu() is not None and (found := action_called(action.menu(), text)):
            return found
    return None


def test_a_movie_is_opened_by_a_button(
    without_movie, qtbot, monkeypatch, tmp_path, stack
):
    viewer, dock = without_movie
    path = tmp_path / "cells.tif"
    tifffile.imwrite(path, np.asarray(stack), metadata={"axes": "TYX"})
    monkeypatch.setattr(
        QFileDialog, "getOpenFileNames", lambda *_, **__: ([str(path)], "")
    )
    qtbot.mouseClick(dock.beginning.movie_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: len(viewer.layers) == 1)
    assert dock.input_panel.axes().frame_count == len(stack)
    assert dock.beginning.isHidden()
    assert not dock.run_bar.isHidden()
    viewer.layers.clear()
    qtbot.waitUntil(lambda: not dock.beginning.isHidden())
    assert dock.run_bar.isHidden()


def test_a_sample_is_opened_by_a_button(without_movie, npe2pm):
    npe2pm.register(PluginManifest.from_distribution("napari-sam2"))
    viewer, dock = without_movie
    action_called(dock.beginning.sample_button.menu(), "Growing").trigger()
    assert viewer.layers[0].name == "Growing bacteria"
    assert dock.beginning.isHidden()


def test_a_session_is_opened_by_a_button(open_dock, answered, stack, tmp_path):
    path = tmp_path / "cells.tif"
    tifffile.imwrite(path, np.asarray(stack), metadata={"axes": "TYX"})
    viewer, dock = open_dock(image=None)
    viewer.open(str(path), plugin="napari")
    dock.conductor.set_prompt(click(1, 2, (30, 40)))
    answered(dock)
    dock.conductor.save()
    answered(dock)
    dock.conductor.close()
    _, again = open_dock(image=None)
    menu = again.beginning.session_button.menu()
    menu.aboutToShow.emit()
    answered(again)
    menu.actions()[0].trigger()
    answered(again)
    again.offer.buttons[0].click()  # its movie, which is not open
    answered(again)
    assert [one.object_id for one in again.conductor.book.objects] == [1]


class Browser(QObject):
    """Stands in for the person's: `opened` are the addresses it was given."""

    def __init__(self):
        super().__init__()
        self.opened = []

    @Slot("QUrl")
    def open(self, address):
        self.opened.append(address.toString())


def test_the_question_mark_has_pages_samples_and_keys(open_dock, qtbot):
    _, dock = open_dock()
    menu, browser = dock.help_button.menu(), Browser()
    QDesktopServices.setUrlHandler("https", browser, "open")
    try:
        for title in PAGES.values():
            action_called(menu, title).trigger()
    finally:
        QDesktopServices.unsetUrlHandler("https")
    assert browser.opened == [PAGE.format(name) for name in PAGES]
    assert all((DOCS / f"{name}.md").exists() for name in PAGES)
    assert action_called(menu, "Dividing nuclei") is not None
    with qtbot.waitSignal(dock.help_button.keys_requested):
        action_called(menu, "Keys and gestures").trigger()
