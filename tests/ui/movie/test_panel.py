"""The input panel with layers, without a window of napari."""

from unittest.mock import MagicMock

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers._source import layer_source
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QMessageBox

from napari_sam2.engine.movie.image_input import GREY, Look
from napari_sam2.errors import InputError
from napari_sam2.io.sessions.document import InputMapping
from napari_sam2.ui.movie.panel import InputPanel, LookState
from napari_sam2.ui.movie.picture import HEIGHT
from napari_sam2.ui.movie.saved import mapping_of, restore_input
from napari_sam2.ui.widgets.connections import Connections
from napari_sam2.ui.widgets.preferences import Preferences

STACK = np.random.default_rng(0).integers(0, 4000, (6, 3, 24, 32), dtype=np.uint16)


@pytest.fixture
def viewer():
    return ViewerModel()


@pytest.fixture
def open_panel(viewer, qtbot):
    made = []

    def opened(**options):
        connections = Connections()
        made.append(connections)
        panel = InputPanel(viewer, connections, Preferences(**options))
        qtbot.addWidget(panel)
        panel.show()
        return panel

    yield opened
    for connections in made:
        connections.close()


def add_movie(viewer, data=STACK[:, 0], **options):
    options.setdefault("contrast_limits", (0, 4000))
    return viewer.add_image(data, **options)


def answer(monkeypatch, button):
    monkeypatch.setattr(QMessageBox, "question", MagicMock(return_value=button))


def test_the_model_sees_the_layer_until_it_gets_a_look_of_its_own(
    viewer, open_panel, qtbot
):
    layer = add_movie(viewer)
    panel = open_panel()
    row = panel.channels.rows[GREY]
    with qtbot.waitSignal(panel.look_changed):
        layer.contrast_limits = (100, 2000)
    assert panel.image_input().channels[0].look == Look((100, 2000))
    assert row.low_spin.value() == 100
    with qtbot.waitSignal(panel.look_changed):
        row.high_spin.setValue(1500)
    layer.contrast_limits = (7, 8)
    assert panel.image_input().channels[0].look == Look((100, 1500))
    assert panel.frozen.note.text() == LookState.OWN
    row.as_layer_button.click()
    assert panel.image_input().channels[0].look == Look((7, 8))
    assert panel.frozen.note.text() == LookState.FOLLOWS


def test_limits_never_cross(viewer, open_panel):
    add_movie(viewer)
    row = open_panel().channels.rows[GREY]
    row.low_spin.setValue(5000)
    assert row.choice.look.limits == (5000, 5001)
    row.high_spin.setValue(10)
    assert row.choice.look.limits == (9, 10)


def test_several_channels_are_chosen_by_colour(viewer, open_panel, qtbot):
    add_movie(viewer, STACK, axis_labels=("t", "c", "y", "x"))
    panel = open_panel()
    assert panel.channel_axis == 1
    assert not panel.plane_spins
    with qtbot.waitSignal(panel.look_changed):
        panel.channels.color_box.click()
    assert [one.color for one in panel.channels.choices] == ["red", "green", "blue"]
    rows = panel.channels.rows
    rows["red"].combo.setCurrentIndex(0)  # nothing
    rows["green"].combo.setCurrentIndex(3)
    seen = panel.image_input()
    assert [(one.color, one.source.index) for one in seen.channels] == [
        ("green", 2),
        ("blue", 2),
    ]
    rows["blue"].combo.setCurrentIndex(0)
    assert [one.color for one in panel.image_input().channels] == [GREY]  # one alone


def test_a_nameless_axis_becomes_that_of_channels(viewer, open_panel):
    add_movie(viewer, STACK)
    panel = open_panel()
    assert panel.channel_axis is None
    assert list(panel.plane_spins) == [1]
    panel.channel_axis_combo.choose(1)
    assert not panel.plane_spins
    assert panel.axes().channel_axis == 1


def test_a_channel_whose_layer_goes_is_replaced(viewer, open_panel, qtbot):
    add_movie(viewer, name="first")
    other = add_movie(viewer, STACK[:, 1], name="other")
    panel = open_panel()
    panel.layer_combo.choose(viewer.layers["first"])
    row = panel.channels.rows[GREY]
    row.combo.setCurrentIndex(1)
    assert panel.image_input().channels[0].source.layer_id == other.unique_id
    with qtbot.waitSignal(panel.look_changed):
        viewer.layers.remove(other)
    assert panel.image_input().channels[0].source.title == "first"


@pytest.mark.parametrize(
    ("limits", "shown"),
    [
        ((104, 2970.93), ("104.000", "2970.930")),
        ((0.1, 0.9), ("0.1000", "0.9000")),
        ((0.25, 1e7), ("0", "10000000")),
    ],
)
def test_limits_have_no_more_digits_than_a_narrow_dock_shows(
    viewer, open_panel, limits, shown
):
    add_movie(viewer).contrast_limits = limits
    row = open_panel().channels.rows[GREY]
    assert (row.low_spin.text(), row.high_spin.text()) == shown


def test_tracking_freezes_the_look_until_somebody_asks(
    viewer, open_panel, qtbot, monkeypatch
):
    layer = add_movie(viewer)
    panel = open_panel()
    before = panel.image_input()
    panel.set_frozen(True)
    panel.set_frozen(False)
    layer.contrast_limits = (1, 2)
    assert panel.image_input() == before
    assert panel.is_look_frozen
    assert panel.frozen.note.text() == LookState.FROZEN
    assert not panel.channels.isEnabled()
    answer(monkeypatch, QMessageBox.StandardButton.No)
    panel.frozen.button.click()
    assert panel.is_look_frozen
    answer(monkeypatch, QMessageBox.StandardButton.Yes)
    with qtbot.waitSignal(panel.look_changed):
        panel.frozen.button.click()
    assert not panel.is_look_frozen
    assert panel.image_input() == before  # until it is really changed
    panel.channels.rows[GREY].as_layer_button.click()
    assert panel.image_input().channels[0].look.limits == (1, 2)


def test_another_movie_is_not_frozen_with_the_first(viewer, open_panel):
    add_movie(viewer, name="first")
    panel = open_panel()
    panel.freeze()
    frozen = panel.image_input()
    viewer.layers["first"].contrast_limits = (1, 2)
    add_movie(viewer, STACK[:, 1], name="second", contrast_limits=(3, 4))
    panel.layer_combo.choose(viewer.layers["second"])
    assert not panel.is_look_frozen
    assert panel.image_input().channels[0].look.limits == (3, 4)
    panel.layer_combo.choose(viewer.layers["first"])
    assert panel.image_input() == frozen
    assert panel.channels.rows[GREY].high_spin.value() == 4000


def test_a_movie_that_is_chosen_again_has_the_look_it_got(viewer, open_panel):
    add_movie(viewer, name="first")
    add_movie(viewer, STACK[:, 1], name="second")
    panel = open_panel()
    panel.channels.rows[GREY].gamma_spin.setValue(0.5)
    panel.layer_combo.choose(viewer.layers["first"])
    (channel,) = panel.image_input().channels
    assert (channel.source.title, channel.look.gamma) == ("first", 1.0)
    panel.layer_combo.choose(viewer.layers["second"])
    assert panel.image_input().channels[0].look.gamma == 0.5


def test_a_picture_is_asked_for_once_the_cursor_rests(viewer, open_panel, qtbot):
    add_movie(viewer)
    panel = open_panel()
    qtbot.wait(200)
    asked = []
    panel.picture_requested.connect(asked.append)
    for frame in range(1, 5):
        viewer.dims.set_current_step(0, frame)
    qtbot.waitUntil(lambda: bool(asked))
    assert asked == [4]
    panel.picture.show_picture(np.full((24, 32, 3), 200, np.uint8))
    shown = panel.picture.label.pixmap()
    assert shown.height() <= HEIGHT
    assert shown.toImage().pixelColor(3, 3).red() == 200
    panel.picture.box.setChecked(False)
    viewer.dims.set_current_step(0, 1)
    qtbot.wait(250)
    assert asked == [4]  # nobody looks


def test_colours_are_seen_as_they_are(viewer, open_panel):
    viewer.add_image(np.zeros((4, 24, 32, 3), np.uint8), rgb=True)
    panel = open_panel()
    assert panel.frozen.note.text() == LookState.RGB
    assert not panel.channels.isVisible()
    assert panel.image_input().is_rgb
    panel.set_frozen(True)
    panel.set_frozen(False)


def test_a_saved_input_comes_back_and_is_frozen(viewer, open_panel):
    volume = STACK[:, :, None].repeat(2, axis=2)
    layer = add_movie(
        viewer, volume, name="movie", axis_labels=("t", "c", "z", "y", "x")
    )
    panel = open_panel()
    panel.channels.color_box.click()
    panel.stay_at(2, 1)
    panel.channels.rows["green"].high_spin.setValue(1234)
    seen = panel.image_input()
    saved = mapping_of(seen, {layer.unique_id: layer.name})
    saved = InputMapping.model_validate_json(saved.model_dump_json())
    layer.contrast_limits = (5, 6)
    again = open_panel()
    restore_input(again, saved)
    assert again.image_input() == seen
    assert again.is_look_frozen
    layer.name = "renamed"
    with pytest.raises(InputError, match="'movie' of this session is not open"):
        restore_input(again, saved)


def test_without_a_layer_it_says_so(viewer, open_panel):
    panel = open_panel()
    assert "open a movie first" in panel.summary.text()
    panel.set_frozen(True)
    panel.set_frozen(False)
    with pytest.raises(InputError):
        panel.image_input()


def test_the_tab_key_goes_from_top_to_bottom(viewer, open_panel):
    add_movie(viewer, STACK[None], axis_labels=("z", "t", "c", "y", "x"))
    viewer.add_image(np.zeros((3, 4, 2, 8, 8)), contrast_limits=(0, 1))
    panel = open_panel()
    panel.resize(300, panel.sizeHint().height())
    panel.layout().activate()
    stops, one = [], panel.layer_combo
    while not stops or one is not panel.layer_combo:
        takes_focus = bool(one.focusPolicy().value & Qt.FocusPolicy.TabFocus.value)
        if takes_focus and one.isVisible() and panel.isAncestorOf(one):
            stops.append(one.mapTo(panel, one.rect().center()))
        one = one.nextInFocusChain()
    assert len(stops) > 6
    assert [place.y() // 8 for place in stops] == sorted(
        place.y() // 8 for place in stops
    )


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (
            ("t", "z", "y", "x"),
            "read as t, z, y, x because the layer calls its axes so",
        ),
        ((), "read as t, z, y, x because t and z are without a name"),
        (
            ("time", "phi", "y", "x"),
            "because the layer calls its axes so, z is chosen",
        ),
    ],
)
def test_what_was_decided_is_said_with_the_reason(viewer, open_panel, names, words):
    add_movie(viewer, STACK, **({"axis_labels": names} if names else {}))
    assert words in open_panel().summary.text()


@pytest.mark.parametrize(
    ("data", "shape_asked", "frame_axis", "channel_axis"),
    [
        (STACK[:, :2], "2 pictures along axis 1", 0, 1),
        (STACK[:3, 0], "3 pic", None, 0),
    ],
)
def test_a_short_axis_without_a_name_is_offered_as_channels(
    viewer, open_panel, qtbot, data, shape_asked, frame_axis, channel_axis
):
    add_movie(viewer, data)
    panel = open_panel()
    assert shape_asked in panel.question.note.text()
    qtbot.mouseClick(panel.question.buttons[0], Qt.MouseButton.LeftButton)
    assert (panel.frame_axis, panel.channel_axis) == (frame_axis, channel_axis)
    assert panel.image_input().axes.spread == (channel_axis,)
    assert not panel.question.is_open
    add_movie(viewer, name="other")
    panel.layer_combo.choose(viewer.layers[0])
    assert not panel.question.is_open  # asked once


def test_a_short_axis_may_be_frames_and_one_with_a_name_is_not_asked_about(
    viewer, open_panel, qtbot
):
    add_movie(viewer, STACK[:3, 0])
    panel = open_panel()
    assert panel.frame_axis == 0
    qtbot.mouseClick(panel.question.buttons[1], Qt.MouseButton.LeftButton)
    assert panel.axes().frame_count == 3
    add_movie(viewer, STACK[:3, 0], axis_labels=("t", "y", "x"), name="named")
    panel.layer_combo.choose(viewer.layers["named"])
    assert not panel.question.is_open


def test_a_run_of_the_command_line_brings_its_frames_and_plane(viewer, open_panel):
    volume = np.zeros((3, 4, 5, 24, 32), np.uint8)
    add_movie(viewer, volume, axis_labels=("z", "t", "q", "y", "x"))
    panel = open_panel()
    panel.frame_axis_combo.choose(0)
    restore_input(panel, InputMapping(frame_axis="T", fixed={"Z": 2}))
    assert panel.frame_axis == 1
    assert (0, 2) in panel.axes().fixed


def open_folder(viewer, path, names):
    """Add the layer that napari makes of all files of a folder."""
    for name in names:
        (path / name).write_bytes(b"")
    with layer_source(path=str(path)):
        add_movie(viewer, STACK[: len(names), 0])


@pytest.mark.parametrize(
    ("names", "words", "choices"),
    [
        (
            ["Ch1_0.tif", "Ch1_1.tif", "Ch2_0.tif", "Ch2_1.tif"],
            "2 channels",
            ["channel 0", "channel 1"],
        ),
        (
            ["left_0.tif", "left_1.tif", "right_0.tif"],
            "2 series",
            ["left_*.tif", "right_*.tif"],
        ),
        (["t0.tif", "t1.tif", "t0_masks.tif", "t1_masks.tif"], "2 masks", ["images"]),
    ],
)
def test_a_folder_that_is_no_movie_says_so_and_opens_the_one_among_its_files(
    viewer, open_panel, tmp_path, names, words, choices
):
    open_folder(viewer, tmp_path, names)
    files = open_panel().folder_files
    assert words in files.note.text()
    listed = [files.combo.itemData(at) for at in range(1, files.combo.count())]
    assert listed == choices
    files._viewer = MagicMock()
    files.combo.activated.emit(1)
    (paths,), options = files._viewer.open.call_args
    assert paths == [str(tmp_path / name) for name in names[:2]]
    assert options["stack"]


def test_of_a_folder_that_is_a_movie_nothing_is_said(viewer, open_panel, tmp_path):
    names = [f"t{number}.tif" for number in range(3)]
    open_folder(viewer, tmp_path, names)
    assert not open_panel().folder_files.isVisible()
