"""Sessions opened and labels saved by napari; lists of sessions; tracks."""

import os

import dask.array as da
import numpy as np
import pytest
import yaozarrs
import zarr
from napari.layers import Tracks
from npe2 import PluginManifest
from qtpy.QtWidgets import QFileDialog

from napari_sam2.engine.movie.axes import lay_out_layer
from napari_sam2.errors import InputError, OutputError
from napari_sam2.interfaces import Calibration, FrameResult, ObjectScores
from napari_sam2.io.label_store import group as label_group
from napari_sam2.io.label_store.store import OmeZarrLabelStore
from napari_sam2.io.label_store.tracks import track_rows, track_table
from napari_sam2.io.ome_zarr.embedded_image import embed_image
from napari_sam2.io.sessions import folder as session_folder
from napari_sam2.io.sessions.provenance import Provenance
from napari_sam2.io.sessions.recent import RecentSession
from napari_sam2.prompts import PromptedObject
from napari_sam2.ui.contributions.reader import get_reader
from napari_sam2.ui.contributions.writer import label_name, write_labels
from napari_sam2.ui.layers.labels_in_layer import LabelsInLayer
from napari_sam2.ui.masklets import tracks_layer
from napari_sam2.ui.masklets.output_panel import RecentList
from napari_sam2.ui.masklets.session_mark import session_of

SHAPE = (4, 20, 24)
CALIBRATION = Calibration(
    (2.0, 0.5, 0.25), (0.0, 3.0, 0.0), ("minute", "micrometer", "micrometer")
)
MADE_BY = Provenance(
    model="none",
    weights_sha256="0",
    device="cpu",
    precision="fp32",
    threads=1,
    plugin_version="0",
)


def labels_of(frame_index):
    """Object 1 wanders down and has divided on frame 2, into 2 and 3."""
    labels = np.zeros(SHAPE[1:], np.uint16)
    if frame_index < 2:
        labels[frame_index : frame_index + 4, 2:6] = 1
    else:
        labels[frame_index : frame_index + 4, 0:4] = 2
        labels[frame_index : frame_index + 4, 10:14] = 3
    return labels


@pytest.fixture
def session(tmp_path):
    """Folder of a session with its movie."""
    path = tmp_path / "cells.zarr"
    movie = [np.full(SHAPE[1:], index, np.uint16) for index in range(SHAPE[0])]
    embed_image(path, movie, frame_count=SHAPE[0], calibration=CALIBRATION)
    parents = {1: None, 2: 1, 3: 1}
    objects = [
        PromptedObject(one, (), f"cell {one}", parent)
        for one, parent in parents.items()
    ]
    store = OmeZarrLabelStore.create(
        path,
        frame_count=SHAPE[0],
        frame_shape=SHAPE[1:],
        logits_shape=(8, 8),
        objects=objects,
        provenance=MADE_BY,
        calibration=CALIBRATION,
    )
    sure = np.ones(3, np.float32)
    for frame_index in range(SHAPE[0]):
        labels = labels_of(frame_index)
        area = np.bincount(labels.flat, minlength=4)[1:]
        scores = ObjectScores(sure, sure, sure, area)
        logits = np.zeros((3, 8, 8), np.float32)
        store.write(FrameResult(frame_index, labels, (1, 2, 3), logits, scores))
    return path


@pytest.fixture
def viewer(make_napari_viewer_proxy, npe2pm):
    npe2pm.register(PluginManifest.from_distribution("napari-sam2"))
    return make_napari_viewer_proxy()


def test_napari_opens_a_session_and_saves_its_labels(viewer, session, tmp_path):
    image, masklets = viewer.open(session, plugin="napari-sam2")
    assert (image.name, masklets.name) == ("cells", "masklets")
    for layer in (image, masklets):
        np.testing.assert_allclose(layer.scale, CALIBRATION.scale)
        np.testing.assert_allclose(layer.translate, CALIBRATION.translation)
        assert [str(unit) for unit in layer.units] == list(CALIBRATION.units)
        assert layer.axis_labels == ("t", "y", "x")
    np.testing.assert_array_equal(masklets.data[2], labels_of(2))
    np.testing.assert_array_equal(image.data[2], np.full(SHAPE[1:], 2))
    assert session_of(masklets) == (session, "masklets")
    assert session_of(image) is None
    assert list(masklets.features["name"]) == ["cell 1", "cell 2", "cell 3"]
    target = tmp_path / "saved.ome.zarr"
    assert masklets.save(str(target), plugin="napari-sam2") == [str(target)]
    saved = zarr.open_array(target / "labels/masklets/0", mode="r")
    np.testing.assert_array_equal(saved[3], labels_of(3))
    assert get_reader(str(target)) is None  # labels, and no session


def test_masklets_without_their_tracker_are_looked_at_only(session):
    (_, (labels, _, _)) = get_reader(str(session))(str(session))
    with pytest.raises(RuntimeError, match="Open the SAM 2 Tracker"):
        labels[0, 0, 0] = 5


def test_folders_of_others_are_declined(tmp_path, session):
    assert session_folder.RUN == label_group.RUN
    other = tmp_path / "other.zarr"
    zarr.create_group(other).create_group("labels").create_group("cells")
    closed = tmp_path / "closed.zarr"
    closed.mkdir()
    (closed / "labels").write_text("no folder")
    for path in (other, closed, tmp_path / "nowhere.zarr"):
        assert get_reader(str(path)) is None
    assert get_reader([str(session)]) is None


@pytest.mark.skipif(os.name == "nt" or os.getuid() == 0, reason="all may be read")
def test_folders_that_may_not_be_read_are_declined(session):
    (session / "labels").chmod(0)
    try:
        assert get_reader(str(session)) is None
    finally:
        (session / "labels").chmod(0o755)


def test_a_colour_movie_is_opened_as_one(session, tmp_path):
    path = tmp_path / "colour.zarr"
    rgb = [np.full((*SHAPE[1:], 3), 10 * index, np.uint8) for index in range(SHAPE[0])]
    embed_image(path, rgb, frame_count=SHAPE[0], calibration=CALIBRATION)
    (session / "labels").rename(path / "labels")
    image, shown, _ = get_reader(str(path))(str(path))[0]
    assert shown["rgb"]
    assert image.shape == (*SHAPE, 3)
    assert shown["scale"] == CALIBRATION.scale


def test_any_labels_are_saved_frame_by_frame(tmp_path):
    read = []

    def frame(block_info=None):
        read.append(block_info[None]["chunk-location"][0])
        return labels_of(read[-1])[None].astype(np.int64)

    lazy = da.map_blocks(frame, chunks=((1,) * SHAPE[0], *SHAPE[1:]), dtype=np.int64)
    state = {
        "name": "my cells",
        "scale": CALIBRATION.scale,
        "translate": CALIBRATION.translation,
        "units": CALIBRATION.units,
        "axis_labels": ("t", "y", "x"),
        "features": {"index": [2], "name": ["the left one"]},
        "metadata": {},
    }
    path = tmp_path / "mine.zarr"
    write_labels(str(path), lazy, state)
    assert read == [0, 1, 2, 3]
    group = zarr.open_group(path / "labels/my cells", mode="r")
    assert group["0"].dtype == np.uint32
    assert group["0"].chunks[0] == 1
    np.testing.assert_array_equal(group["0"][2], labels_of(2))
    yaozarrs.validate_zarr_store(str(path / "labels/my cells"))
    (entry,) = group.attrs["ome"]["multiscales"]
    assert [axis.get("unit") for axis in entry["axes"]] == list(CALIBRATION.units)
    names = {
        one["label-value"]: one.get("name")
        for one in group.attrs["ome"]["image-label"]["properties"]
    }
    assert names == {1: None, 2: "the left one", 3: None}
    with pytest.raises(OutputError, match="exists already"):
        write_labels(str(path), lazy, state)


def test_labels_go_beside_an_image_of_their_size(session, tmp_path):
    labels = np.stack([labels_of(index) for index in range(SHAPE[0])])
    write_labels(str(session), labels, {"name": "by hand"})
    listed = zarr.open_group(session / "labels", mode="r").attrs["ome"]["labels"]
    assert listed == ["masklets", "by hand"]
    with pytest.raises(OutputError, match="holds an image"):
        write_labels(str(session), labels[:, 1:], {"name": "cut"})
    write_labels(str(tmp_path / "single.zarr"), labels[0], {"name": "one"})
    assert zarr.open_array(tmp_path / "single.zarr/labels/one/0").shape == (1, 20, 24)


@pytest.mark.parametrize(
    ("labels", "complaint"),
    [
        (np.array([[[-1, 2]]]), "label -1 is not between"),
        (np.array([[[2**33, 2]]]), "relabel"),
        (np.zeros((2, 2, 2, 2), int), "4 dimensions"),
    ],
)
def test_what_cannot_be_saved_is_refused_and_leaves_nothing(
    tmp_path, labels, complaint
):
    with pytest.raises(InputError, match=complaint):
        write_labels(str(tmp_path / "bad.zarr"), labels, {"name": "bad"})
    assert not list(tmp_path.glob("bad.zarr/labels/*bad*"))


@pytest.mark.parametrize(
    ("layer", "group"),
    [("cells [1]", "cells -1-"), ("[1] früh", "1- fr-h"), ("..", "labels")],
)
def test_groups_are_named_after_layers(layer, group):
    assert label_name(layer) == group


# --- Tracks


def test_tracks_lie_on_the_plane_and_know_mothers():
    rows = track_rows((index, labels_of(index)) for index in range(SHAPE[0]))
    table = track_table(rows, {1: None, 2: 1, 3: 1})
    axes = lay_out_layer((5, *SHAPE), ("z", "t", "y", "x"), 1, {0: 3})
    made = tracks_layer.tracks_arguments(table, axes)
    assert Tracks(**made).graph == made["graph"] == {2: [1], 3: [1]}
    assert set(made["features"]["family"]) == {1}
    np.testing.assert_allclose(made["data"][0], [1, 3, 0, 1.5, 3.5])
    np.testing.assert_allclose(made["data"][-1], [3, 3, 3, 4.5, 11.5])
    empty = track_table([], {})
    with pytest.raises(InputError, match="no masks"):
        tracks_layer.tracks_arguments(empty, axes)
    with pytest.raises(InputError, match="single image"):
        tracks_layer.tracks_arguments(
            table, lay_out_layer((20, 24), ("y", "x"), None, {})
        )


def test_the_menu_shows_tracks_of_the_chosen_masklets(viewer, session, qtbot):
    tracks_layer.make_tracks()  # nothing is chosen: it is said, and no more
    _, masklets = viewer.open(session, plugin="napari-sam2")
    viewer.layers.selection.active = masklets
    seen = []
    for _ in range(2):
        tracks_layer.make_tracks()
        qtbot.waitUntil(
            lambda: (
                "masklets tracks" in viewer.layers
                and viewer.layers["masklets tracks"].unique_id not in seen
            ),
        )
        seen.append(viewer.layers["masklets tracks"].unique_id)
    assert len(viewer.layers) == 3
    tracks = viewer.layers["masklets tracks"]
    assert tracks.graph == {2: [1], 3: [1]}
    np.testing.assert_allclose(tracks.scale, CALIBRATION.scale)
    assert isinstance(masklets.data, LabelsInLayer)
    assert viewer.layers.selection.active.name == masklets.name


# --- The list of sessions


def test_recent_sessions_are_offered(qtbot, tmp_path, monkeypatch):
    button = RecentList()
    qtbot.addWidget(button)
    assert "No session" in button.menu().actions()[0].text()
    paths = [tmp_path / name for name in ("a & b.zarr", "c.zarr")]
    button.show_sessions([RecentSession(path=path) for path in paths])
    first, second, _, other = button.menu().actions()
    assert first.text().startswith("a && b.zarr")
    assert second.toolTip() == str(paths[1])
    for action, path in ((second, paths[1]), (first, paths[0])):
        with qtbot.waitSignal(button.open_requested) as asked:
            action.trigger()
        assert asked.args == [path]
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(paths[0]))
    with qtbot.waitSignal(button.open_requested) as asked:
        other.trigger()
    assert asked.args == [paths[0]]
    with qtbot.waitSignal(button.renew_requested):
        button.menu().aboutToShow.emit()
