"""The one table of keys: no clashes, and what the sheet and the tooltips say."""

import itertools

import numpy as np
from napari.components import ViewerModel
from napari.layers import Labels, Points, Shapes
from napari.utils.key_bindings import coerce_keybinding
from napari.utils.shortcuts import default_shortcuts
from qtpy.QtCore import QObject, Qt

from napari_sam2.ui.keys.bindings import ToolKeys, shown_key, with_key
from napari_sam2.ui.keys.keys import (
    GESTURES,
    KEYS,
    LIST_KEYS,
    PAN_KEY,
    PREVIEW_KEY,
    TIMELINE_KEYS,
    Ground,
)
from napari_sam2.ui.keys.sheet import KeySheet, gesture_rows, key_rows
from napari_sam2.ui.objects import panel

LAYERS = {
    Ground.MASKLETS: Labels,
    Ground.POINTS: Points,
    Ground.SHAPES: Shapes,
    Ground.VIEWER: ViewerModel,
}
WORDS = {
    Ground.MASKLETS: ("labels", "label_id", "brush", "new_label", "polygon"),
    Ground.POINTS: ("points", "data", "slice"),
    Ground.SHAPES: ("shape", "add_", "direct_mode", "select_mode", "vertex", "slice"),
    Ground.VIEWER: ("image", "plane_normal", "contrast"),
}
"""What the names of napari's actions on these layers have in common."""

VIEWER = (
    "console",
    "ndisplay",
    "theme",
    "view",
    "layers",
    "show",
    "dims",
    "axes",
    "grid",
    "visibility",
    "layer_",
    "hold_for_pan_zoom",
)


def actions(words):
    return {
        str(binding): name
        for name, bindings in default_shortcuts.items()
        for binding in bindings
        if any(word in name for word in words)
    }


def test_every_action_of_napari_is_looked_at():
    """Otherwise the test below would overlook keys that napari binds anew."""
    words = [*VIEWER, *itertools.chain(*WORDS.values())]
    words += ["vectors", "tracks", "surface"]
    missing = [
        name for name in default_shortcuts if not any(word in name for word in words)
    ]
    assert missing == []


def test_no_key_of_ours_is_one_of_napari_s_but_undo_and_redo():
    clashes = set()
    for ground, kind in LAYERS.items():
        taken = actions((*VIEWER, *WORDS[ground]))
        taken |= {str(key): "bound" for key in kind.class_keymap}
        for entry in KEYS:
            for key in entry.keys:
                if ground in entry.grounds and str(coerce_keybinding(key)) in taken:
                    clashes.add((entry.name, ground))
    assert clashes == {("undo", Ground.MASKLETS), ("redo", Ground.MASKLETS)}
    assert {entry.name for entry in KEYS if entry.instead} == {"undo", "redo"}
    # While the tool is on: Space does what napari does with it in its other modes.
    taken = actions((*VIEWER, *WORDS[Ground.MASKLETS]))
    assert taken[PAN_KEY] == "napari:hold_for_pan_zoom"
    assert PREVIEW_KEY not in taken


def test_no_menu_of_napari_has_our_keys(make_napari_viewer_proxy):
    viewer = make_napari_viewer_proxy()
    window = viewer.window
    names = ("file", "view", "layers", "plugins", "window", "help")
    menus = [getattr(window, f"{name}_menu") for name in names]
    taken = set()
    while menus:
        for action in menus.pop().actions():
            taken |= {one.toString() for one in action.shortcuts()}
            if action.menu() is not None:
                menus.append(action.menu())
    assert "Ctrl+O" in taken
    ours = {str(coerce_keybinding(key)) for entry in KEYS for key in entry.keys}
    assert not taken & ours


def test_the_sheet_names_the_keys_of_the_list():
    named = [one.motion for one in LIST_KEYS]
    text = " ".join(named)
    for key in panel.KEYS:
        assert Qt.Key(key).name.removeprefix("Key_") in text
    for key in panel.CONTROL_KEYS:
        assert f"{{Control}}{Qt.Key(key).name.removeprefix('Key_')}" in named


def test_the_table_is_bound_shown_and_complete(qtbot):
    parent = QObject()
    keys = ToolKeys(parent)
    for ground, kind in LAYERS.items():
        data = {"data": np.zeros((4, 4), int)} if kind is Labels else {"ndim": 2}
        layer = kind(**({} if kind is ViewerModel else data))
        layer.bind_key("N", lambda _: None)
        before = dict(layer.keymap)
        if ground is Ground.VIEWER:
            keys.bind_viewer(layer)
        else:
            keys.bind(layer, ground)
        bound = {str(key) for key in layer.keymap}
        assert bound == {
            str(coerce_keybinding(key))
            for entry in KEYS
            if ground in entry.grounds
            for key in entry.keys
        }
        if ground is Ground.VIEWER:
            keys.close()
        else:
            keys.release(layer)
        assert layer.keymap == before
    sheet = KeySheet()
    qtbot.addWidget(sheet)
    cells = [
        [sheet.table.item(row, column) for column in (0, 1)]
        for row in range(sheet.table.rowCount())
    ]
    shown = [(one.text(), other.text()) for one, other in cells if other is not None]
    tables = (GESTURES, LIST_KEYS, TIMELINE_KEYS)
    rows = [row for table in tables for row in gesture_rows(table)]
    assert sorted(shown) == sorted([*key_rows(), *rows])
    assert len(shown) == len(KEYS) + sum(map(len, tables))
    assert (shown_key("Control-Shift-Z"), "Redo") in shown
    assert all(cell for row in shown for cell in row)
    assert with_key("New", "new_object") == "New (N)"
    # It stays beside the work; its own key closes it again.
    assert not sheet.isModal()
    sheet.show()
    assert sheet.isVisible()
    qtbot.keyClick(sheet, Qt.Key.Key_Q)
    qtbot.waitUntil(lambda: not sheet.isVisible())
