"""The masklet layer in a viewer, with somebody in the worker's place."""

import threading
import time
from types import SimpleNamespace

import numpy as np
import pytest
import zarr
from napari.layers import Labels
from qtpy.QtCore import QObject, QTimer
from tests.ui.hand import Hand, unwrapped

from napari_sam2.engine import Request, StoreReady
from napari_sam2.engine.movie.axes import lay_out_layer
from napari_sam2.engine.movie.image_input import ImageInput
from napari_sam2.interfaces import Calibration
from napari_sam2.session.book.state import BookState, ObjectState
from napari_sam2.ui.layers.labels_in_layer import LabelsInLayer
from napari_sam2.ui.masklets import layer as layer_module
from napari_sam2.ui.masklets.layer import MaskletLayer
from napari_sam2.ui.masklets.live_labels import LiveLabels
from napari_sam2.ui.masklets.session_mark import session_metadata, session_of
from napari_sam2.ui.widgets import timers as timers_module

FRAMES, HEIGHT, WIDTH = 12, 30, 40
BLOCK = (slice(5, 15), slice(10, 20))
PAINTED_S = 0.05
"""A window takes so long to paint; a volume takes seconds where the CPU draws it."""
PLACE = {"scale": (2.0, 0.5, 0.25), "translate": (10.0, 5.0, -3.0)}


@pytest.fixture
def stored(tmp_path):
    """Object 300 lies still in all frames; 300 does not fit into a byte."""
    array = zarr.create_array(
        tmp_path / "labels.zarr", shape=(FRAMES, HEIGHT, WIDTH), dtype="u2"
    )
    labels = np.zeros((HEIGHT, WIDTH), np.uint16)
    labels[BLOCK] = 300
    for frame_index in range(FRAMES):
        array[frame_index] = labels
    return array


@pytest.fixture
def bench(make_napari_viewer_proxy, qtbot, stored, tmp_path):
    """Return a function that opens a movie and shows masklets on it."""
    layers, owner = [], QObject()

    def opened(shape=(FRAMES, HEIGHT, WIDTH), names=("t", "y", "x"), **place):
        viewer = make_napari_viewer_proxy()
        viewer.add_image(np.zeros(shape, np.uint8), name="movie", **place)
        viewer.dims.current_step = (0,) * len(shape)
        frame_axis = names.index("t")
        axes = lay_out_layer(shape, names, frame_axis, {0: 1} if frame_axis else {})
        masklets = MaskletLayer(viewer, owner)
        layers.append(masklets)
        wanted, strokes, told, changed = [], [], [], {}

        def bring(frames):
            wanted.extend(frames)
            for one in frames:
                masklets.show_frame(one, changed.get(one, truth))

        def keep(frame_index, before, after):
            strokes.append((frame_index, before, after))
            changed[frame_index] = after

        truth = np.zeros((HEIGHT, WIDTH), np.uint16)
        truth[BLOCK] = 300
        masklets.stroke_finished.connect(keep)
        masklets.told.connect(told.append)
        image = viewer.layers["movie"]
        movie = ImageInput(
            image.unique_id, 1, "movie", axes, False, (), Calibration(), image.data
        )
        request = Request(movie, "toy", tmp_path / "out.zarr")
        ready = StoreReady(request, stored.dtype, stored.__getitem__)
        masklets.show(ready)
        return SimpleNamespace(
            viewer=viewer,
            masklets=masklets,
            layer=masklets.layer,
            ready=ready,
            truth=truth,
            wanted=wanted,
            strokes=strokes,
            told=told,
            serve=lambda: masklets.frames_wanted.connect(bring),
            shown=lambda: np.asarray(unwrapped(masklets.layer)._slice.image.raw),
            hand=Hand(viewer),
        )

    yield opened
    for masklets in layers:
        masklets.close()
    qtbot.wait(10)


def choose_brush(one, mode, label=301, size=3):
    one.viewer.layers.selection.active = one.viewer.layers[one.layer.name]
    one.layer.mode, one.layer.selected_label = mode, label
    one.layer.brush_size = size


def settle(one, qtbot, frame=0):
    qtbot.waitUntil(lambda: one.masklets.live.is_loaded(frame))
    qtbot.waitUntil(lambda: bool(one.shown().any()))
    qtbot.wait(120)


def from_disk(shape):
    """Labels as our reader gives them to napari."""
    live = LiveLabels(shape, np.uint16, lambda _frame: np.zeros(shape[1:], np.uint16))
    return LabelsInLayer(live, lay_out_layer(shape, ("t", "y", "x"), 0, {}))


@pytest.mark.usefixtures("slicing")
def test_each_stroke_is_told_once_and_leaves_no_history_of_napari(bench, qtbot):
    one = bench(**PLACE)
    one.serve()
    settle(one, qtbot)
    choose_brush(one, "paint")
    # Pixels (8, 12) to (8, 18), by the world.
    one.hand.drag((10, 9, 0), (10, 9, 1.5))
    (stroke,) = one.strokes
    frame_index, before, after = stroke
    assert frame_index == 0
    np.testing.assert_array_equal(before, one.truth)
    assert set(np.unique(after[7:10, 11:20])) == {300, 301}
    assert (after[8, 12:19] == 301).all()
    qtbot.wait(20)
    assert one.layer.mode == "paint"
    assert (one.layer.selected_label, one.layer.brush_size) == (301, 3)
    one.layer.undo()
    np.testing.assert_array_equal(one.layer.data[0], after)
    qtbot.waitUntil(lambda: bool((one.shown()[8, 12:19] == 301).all()))
    one.layer.mode = "erase"
    one.hand.click(10, 9, 0)
    one.layer.mode = "fill"
    one.layer.selected_label = 302
    one.hand.click(10, 10.5, 1)
    assert [one[0] for one in one.strokes] == [0, 0, 0]
    erased, filled = one.strokes[1][2], one.strokes[2][2]
    assert erased[8, 12] == 0
    assert (filled[10:15, 10:20] == 302).all()


def test_frames_that_are_not_there_yet_are_not_painted_on(bench, qtbot):
    one = bench()
    choose_brush(one, "paint")
    one.hand.click(0, 25, 30)
    assert one.strokes == []
    assert one.told == ["Frame 0 was still being loaded: paint there again"]
    assert not one.shown().any()
    one.serve()
    one.masklets.forget_frames([0])
    settle(one, qtbot)
    np.testing.assert_array_equal(one.shown(), one.truth)


def test_transposed_layers_are_painted_on_their_plane_alone(bench, qtbot):
    shape = (3, FRAMES, HEIGHT, WIDTH)
    one = bench(shape, ("z", "t", "y", "x"))
    one.serve()
    one.viewer.dims.set_point((0, 1), (1, 4))
    settle(one, qtbot, frame=4)
    choose_brush(one, "paint")
    one.hand.click(1, 4, 25, 30)
    ((frame_index, _, after),) = one.strokes
    assert (frame_index, after[25, 30]) == (4, 301)
    assert one.layer.data[1, 4, 25, 30] == 301
    one.viewer.dims.set_point(0, 0)
    one.hand.click(0, 4, 20, 30)
    assert len(one.strokes) == 1
    assert "plane" in one.told[0]
    assert not one.shown().any()


class TimerByHand(QTimer):
    """Ends when the test says so."""

    def start(self, milliseconds):
        self.is_running, self.milliseconds = True, milliseconds

    def isActive(self):
        return getattr(self, "is_running", False)

    def end(self):
        self.is_running = False
        self.timeout.emit()


@pytest.mark.usefixtures("slicing")
def test_streamed_frames_are_shown_ten_times_a_second_at_most(
    bench, qtbot, monkeypatch
):
    timers = []
    monkeypatch.setattr(
        timers_module,
        "QTimer",
        lambda parent: timers.append(TimerByHand(parent)) or timers[-1],
    )
    one = bench()
    one.serve()
    qtbot.waitUntil(lambda: one.masklets.live.is_loaded(0))
    pause, *_ = timers  # others empty the history after a stroke, and say names
    for _ in range(4):  # twice: it is painted, and the pause is over
        pause.end()
    seen, refresh = [], Labels.refresh
    monkeypatch.setattr(
        Labels, "refresh", lambda *args, **how: seen.append(refresh(*args, **how))
    )
    labels = one.truth
    for count in (1, 2, 3):
        for _ in range(20):
            labels = np.roll(labels, 1)
            one.masklets.show_frame(0, labels)
            one.masklets.show_frame(7, labels)
        assert len(seen) == count
        time.sleep(PAINTED_S)
        pause.end()
        assert pause.milliseconds >= 1000 * PAINTED_S / layer_module.BUSY_SHARE
        pause.end()
    assert len(seen) == 4
    qtbot.waitUntil(lambda: np.array_equal(one.shown(), labels))
    pause.end()
    assert pause.milliseconds >= layer_module.REFRESH_MS
    pause.end()
    for _ in range(20):
        one.masklets.show_frame(7, labels)  # nobody looks at it
    assert len(seen) == 4


def test_frames_around_the_cursor_are_asked_for_early(bench, qtbot):
    one = bench()
    one.masklets.frames_wanted.connect(one.wanted.extend)
    qtbot.waitUntil(lambda: len(one.wanted) > 0)
    assert one.wanted[:3] == [0, 1, 2]
    one.viewer.dims.set_point(0, 10)
    qtbot.wait(10)
    assert one.wanted[9:] == [10, 11, 9]
    one.serve()
    one.viewer.dims.ndisplay = 3
    one.masklets.forget_frames(range(FRAMES))
    one.viewer.dims.set_point(0, 2)
    qtbot.waitUntil(lambda: all(map(one.masklets.live.is_loaded, range(FRAMES))))
    qtbot.waitUntil(lambda: one.shown().shape == (FRAMES, HEIGHT, WIDTH))
    qtbot.waitUntil(lambda: bool(one.shown().any(axis=(1, 2)).all()))


def test_names_are_said_and_hidden_objects_are_not_seen(bench, qtbot):
    one = bench()
    one.serve()
    settle(one, qtbot)
    seen, colors = ObjectState(300, name="mother"), one.layer.get_color(300)
    one.masklets.show_book(BookState((ObjectState(2), seen)))

    def status():
        return one.layer.get_status((0, 10, 15), world=True)["value"]

    qtbot.waitUntil(lambda: "name: mother" in status())
    hidden = ObjectState(300, name="mother", is_hidden=True)
    one.masklets.show_book(BookState((ObjectState(2), hidden)))
    assert one.layer.get_color(300)[3] == 0
    shown = one.layer.get_color(2)
    one.masklets.show_book(BookState((ObjectState(2), seen)))
    np.testing.assert_allclose(one.layer.get_color(300), colors)
    np.testing.assert_allclose(one.layer.get_color(2), shown)


def test_the_status_bar_says_the_trust_of_the_frame_that_is_shown(bench, qtbot):
    """It said that of the frame before until the mouse moved."""
    one = bench()
    one.serve()
    settle(one, qtbot)
    one.masklets.show_book(BookState((ObjectState(300),)))
    trust = np.linspace(0, 1, FRAMES)[:, None].round(2)
    one.masklets.show_scores(
        SimpleNamespace(trust=lambda: trust, columns={300: 0}, frame_count=FRAMES)
    )
    said = []
    cursor = unwrapped(one.viewer).cursor
    cursor.events.position.connect(
        lambda _event: said.append(list(one.layer.features.get("trust", ())))
    )
    one.viewer.dims.set_point(0, 7)
    qtbot.waitUntil(lambda: said[-1:] == [[trust[7, 0]]])


def test_brushes_rest_while_something_is_tracked(bench, qtbot):
    one = bench()
    one.serve()
    settle(one, qtbot)
    choose_brush(one, "paint")
    one.masklets.set_tracking(True)
    assert not one.layer.editable
    one.masklets.set_tracking(False)
    assert (one.layer.editable, one.layer.mode) == (True, "paint")


def test_a_deleted_layer_comes_back_as_it_was(bench, qtbot):
    one = bench()
    one.serve()
    settle(one, qtbot)
    choose_brush(one, "paint")
    one.hand.click(0, 25, 30)
    one.viewer.layers.remove(one.layer.name)
    assert one.masklets.layer is None
    one.masklets.show_frame(3, one.truth)
    layer = one.masklets.layer
    assert layer.data[0, 25, 30] == 301
    choose_brush(SimpleNamespace(viewer=one.viewer, layer=layer), "paint")
    one.hand.click(0, 20, 30)
    assert len(one.strokes) == 2


def test_a_layer_that_was_opened_from_disk_is_taken_over(bench, qtbot):
    one = bench()
    one.viewer.layers.remove(one.layer.name)
    mark = session_metadata(one.ready.request.folder, "masklets")
    opened = from_disk((FRAMES, HEIGHT, WIDTH))
    read = one.viewer.add_labels(opened, name="read", metadata=mark)
    assert session_of(read) == (one.ready.request.folder, "masklets")
    one.serve()
    one.masklets.show(one.ready)
    assert [layer.name for layer in one.viewer.layers] == ["movie", "read"]
    settle(one, qtbot)
    np.testing.assert_array_equal(one.shown(), one.truth)


def test_a_layer_from_disk_gives_way_on_a_movie_of_more_dimensions(bench):
    one = bench((3, FRAMES, HEIGHT, WIDTH), ("z", "t", "y", "x"))
    one.viewer.layers.remove(one.layer.name)
    mark = session_metadata(one.ready.request.folder, "masklets")
    opened = from_disk((FRAMES, 5, 5))
    one.viewer.add_labels(opened, name="read", metadata=mark)
    one.masklets.show(one.ready)
    assert [layer.name for layer in one.viewer.layers] == ["movie", "movie masklets"]


@pytest.mark.usefixtures("slicing")
def test_nothing_is_read_or_written_in_the_main_thread(bench, qtbot, monkeypatch):
    threads = []
    for name in ("__getitem__", "__setitem__"):
        monkeypatch.setattr(
            zarr.Array, name, lambda *_: threads.append(threading.current_thread())
        )
    one = bench()
    one.serve()
    settle(one, qtbot)
    choose_brush(one, "paint")
    one.hand.click(0, 25, 30)
    for frame_index in (5, 11):
        one.viewer.dims.set_point(0, frame_index)
        qtbot.wait(20)
    one.viewer.dims.ndisplay = 3
    qtbot.wait(50)
    assert not threads


def test_after_closing_masks_are_still_seen_but_not_painted_on(bench, qtbot):
    one = bench()
    qtbot.wait(20)
    one.masklets.close()
    assert not one.layer.editable
    one.viewer.dims.set_point(0, 6)
    np.testing.assert_array_equal(one.shown(), one.truth)
    one.masklets.frames_wanted.connect(one.wanted.extend)
    one.viewer.dims.set_point(0, 2)
    qtbot.wait(20)
    assert one.wanted == []
