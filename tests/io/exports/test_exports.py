"""Each format is read back by the library that defines it, or by a published reader."""

import csv
import errno
import json
import os
import warnings
from dataclasses import replace
from pathlib import Path

import geff
import numpy as np
import pyarrow.parquet
import pytest
import pytrackmate
import roifile
import tifffile
from ctc_metrics.metrics.validation.valid import valid
from ctc_metrics.utils.filesystem import read_tracking_file
from napari.layers import Tracks
from pycocotools import mask as coco
from skimage.draw import disk, polygon2mask
from skimage.measure import regionprops_table
from typer.testing import CliRunner

from napari_sam2.cli import app
from napari_sam2.errors import InputError, OutputError
from napari_sam2.interfaces import Calibration
from napari_sam2.io.exports.formats import FORMATS, export, with_suffix
from napari_sam2.io.exports.masklets import MaskletMovie, open_masklets
from napari_sam2.io.exports.outlines import outlines
from napari_sam2.io.exports.regions import measure_regions
from napari_sam2.io.exports.tracks import Presence, relabelled
from napari_sam2.io.ome_zarr.metadata import LabelledObject

SHAPE = (40, 50)
SCALE = (30.0, 0.5, 0.5)


def draw(frame_index):
    """A mother (1) that divides into 2 and 3 on frame 3; a cell (7) with a gap."""
    labels = np.zeros(SHAPE, np.uint16)
    if frame_index < 3:
        labels[disk((12, 12 + frame_index), 5)] = 1
    else:
        labels[disk((8, 10 + frame_index), 3)] = 2
        labels[disk((18, 12 + frame_index), 3)] = 3
    if frame_index != 2:
        labels[disk((30, 40 - frame_index), 4)] = 7
    return labels


@pytest.fixture
def masklets(tmp_path):
    return MaskletMovie(
        name="dividing",
        frame_count=6,
        frame_shape=SHAPE,
        objects=(
            LabelledObject(1, "mother"),
            LabelledObject(2, parent=1),
            LabelledObject(3, parent=1),
            LabelledObject(7, 'the "other", cell'),
        ),
        calibration=Calibration(SCALE, units=("second", "micrometer", "micrometer")),
        read=draw,
        scored_ids=(7, 1),
        scores={"stability": np.arange(12, dtype=np.float32).reshape(6, 2)},
        labels_path=(tmp_path / "x.zarr" / "labels" / "masklets",),
        image=lambda frame: np.full(SHAPE, 10.0 * frame),
    )


def decode(code):
    """The mask of a run-length code; pycocotools makes arrays as numpy 1 did."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return coco.decode(code)


def test_tiff_keeps_labels_and_scale(masklets, tmp_path):
    path = export(masklets, tmp_path / "labels", "tiff")
    with tifffile.TiffFile(path) as file:
        series = file.series[0]
        assert series.axes == "TYX"
        found = series.asarray()
        assert 'PhysicalSizeX="0.5"' in file.ome_metadata
        assert 'TimeIncrement="30.0"' in file.ome_metadata
    np.testing.assert_array_equal(found, [draw(frame) for frame in range(6)])
    assert found.dtype == np.uint16


def test_ctc_is_valid_and_gaps_are_new_tracks(masklets, tmp_path):
    folder = export(masklets, tmp_path / "01_RES", "ctc")
    table = np.loadtxt(folder / "res_track.txt", int)
    assert {tuple(row) for row in table.tolist()} == {
        (1, 0, 2, 0),
        (2, 3, 5, 1),
        (3, 3, 5, 1),
        (7, 0, 1, 0),
        (8, 3, 5, 7),
    }
    tracks = read_tracking_file(str(folder / "res_track.txt"))
    masks = sorted(str(path) for path in folder.glob("mask*.tif"))
    ids = [np.setdiff1d(np.unique(tifffile.imread(path)), 0) for path in masks]
    np.testing.assert_array_equal(tracks, table)
    assert valid(masks, tracks, ids)


def test_traccuracy_loads_ctc_and_finds_what_was_lost(masklets, tmp_path, monkeypatch):
    monkeypatch.setenv("NO_JIT_WARNING", "1")
    from traccuracy import loaders, matchers, metrics, run_metrics

    def load(movie, name):
        folder = export(movie, tmp_path / name, "ctc")
        return loaders.load_ctc_data(str(folder), str(folder / "res_track.txt"))

    def score(found):
        measures = [metrics.CTCMetrics()]
        (result,), _ = run_metrics(truth, found, matchers.CTCMatcher(), measures)
        return result["results"]

    truth = load(masklets, "01_GT")
    assert set(truth.graph.successors("1_2")) == {"2_3", "3_3"}
    scores = score(load(masklets, "01_RES"))
    assert (scores["DET"], scores["TRA"]) == (1, 1)
    without = replace(masklets, read=lambda frame: draw(frame) * (draw(frame) != 3))
    assert score(load(without, "02_RES"))["fn_nodes"] == 3


def test_geff_is_valid_and_points_at_the_labels(masklets, tmp_path):
    path = export(masklets, tmp_path / "graph", "geff")
    geff.validate_structure(path)
    graph, metadata = geff.read(path, backend="networkx")
    assert [axis.name for axis in metadata.axes] == ["t", "y", "x"]
    assert metadata.related_objects[0].node_prop == "label"
    labels = {node: values["label"] for node, values in graph.nodes(data=True)}
    sisters = {
        labels[after] for before, after in graph.edges if labels[before] == 1
    } - {1}
    assert sisters == {2, 3}
    assert len(graph.nodes) == 3 + 3 + 3 + 5
    assert {values["lineage"] for _, values in graph.nodes(data=True)} == {1, 7}


def test_geff_is_written_in_chunks(masklets, tmp_path, monkeypatch):
    whole, _ = geff.read(export(masklets, tmp_path / "one", "geff"), backend="networkx")
    monkeypatch.setattr("napari_sam2.io.exports.geff.CHUNK_ROWS", 3)
    path = export(masklets, tmp_path / "many", "geff")
    geff.validate_structure(path)
    found, metadata = geff.read(path, backend="networkx")
    assert dict(found.nodes(data=True)) == dict(whole.nodes(data=True))
    assert set(found.edges) == set(whole.edges)
    assert (metadata.axes[0].min, metadata.axes[0].max) == (0, 5)


def test_trackmate_is_read_by_a_published_reader(masklets, tmp_path):
    path = export(masklets, tmp_path / "tracks", "trackmate")
    spots = pytrackmate.trackmate_peak_import(path, get_tracks=True)
    assert len(spots) == 14
    assert spots["label"].nunique() == 2  # families: the mother's, and the other cell
    first = spots[(spots.t_stamp == 0) & (spots.y < 10)].iloc[0]
    assert (first.y, first.x) == pytest.approx((12 * 0.5, 12 * 0.5))
    assert spots["t"].max() == 5 * 30.0


def test_coco_masks_are_those_of_the_labels(masklets, tmp_path):
    found = json.loads(export(masklets, tmp_path / "a", "coco").read_text())
    assert len(found["images"]) == 6
    for entry in found["annotations"]:
        mask = draw(entry["image_id"] - 1) == entry["track_id"]
        np.testing.assert_array_equal(decode(entry["segmentation"]), mask)
        assert entry["area"] == mask.sum() == coco.area(entry["segmentation"])
        np.testing.assert_array_equal(
            entry["bbox"], coco.toBbox(entry["segmentation"]).astype(int)
        )
    assert len({entry["id"] for entry in found["annotations"]}) == 14


def test_sav_has_every_object_on_every_frame(masklets, tmp_path):
    found = json.loads(export(masklets, tmp_path / "b", "sav").read_text())
    assert found["masklet_id"] == [1, 2, 3, 7]
    assert len(found["masklet"]) == found["video_frame_count"] == 6
    for frame_index, masks in enumerate(found["masklet"]):
        for object_id, mask in zip(found["masklet_id"], masks, strict=True):
            np.testing.assert_array_equal(decode(mask), draw(frame_index) == object_id)


def test_sav_is_read_by_the_loader_of_the_training_code_of_sam2(masklets, tmp_path):
    pytest.importorskip("sam2", reason="the reference implementation is not installed")
    from training.dataset.vos_segment_loader import JSONSegmentLoader

    path = export(masklets, tmp_path / "c", "sav")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        found = JSONSegmentLoader(path).load(3)
    for place, object_id in enumerate([1, 2, 3, 7]):
        np.testing.assert_array_equal(found[place], draw(3) == object_id)


def test_napari_tracks_are_rows_that_a_tracks_layer_takes(masklets, tmp_path):
    path = export(masklets, tmp_path / "t", "tracks")
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0])[:4] == ["track_id", "t", "y", "x"]
    layer = Tracks(np.loadtxt(path, delimiter=",", skiprows=1, usecols=range(4)))
    assert sorted(set(layer.data[:, 0])) == [1, 2, 3, 7]
    assert len(layer.data) == len(rows) == 14
    assert {row["mother"] for row in rows if row["track_id"] in "23"} == {"1"}
    here = next(row for row in rows if (row["track_id"], row["t"]) == ("1", "2"))
    assert (float(here["y"]), float(here["x"])) == (12.0, 14.0)


def test_measurements_are_the_same_in_csv_and_parquet(masklets, tmp_path):
    with export(masklets, tmp_path / "m", "csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    table = pyarrow.parquet.read_table(export(masklets, tmp_path / "m", "parquet"))
    assert table.column_names == list(rows[0])
    assert table.num_rows == len(rows) == 14
    again = next(r for r in rows if (r["object_id"], r["frame"]) == ("7", "3"))
    assert again["name"] == 'the "other", cell'
    # From frame 1 to 3 it moved by two pixels of 0.5 µm, in two times 30 s.
    assert float(again["displacement_world"]) == pytest.approx(1.0)
    assert float(again["speed_world"]) == pytest.approx(1 / 60)
    assert float(again["mean_intensity_0"]) == 30.0
    assert float(again["stability"]) == 6.0
    daughter = next(r for r in rows if r["object_id"] == "2")
    assert (daughter["mother"], daughter["stability"]) == ("1", "")
    assert daughter["displacement_world"] == ""


@pytest.fixture
def crowd():
    """Objects of odd shapes that touch each other and the border, with holes."""
    drawn = np.random.default_rng(5)
    coarse = drawn.integers(0, 5, (9, 7)).astype(np.uint16)
    labels = 3 * coarse.repeat(4, axis=0).repeat(3, axis=1)
    labels[drawn.random(labels.shape) < 0.1] = 0
    return labels


def test_shapes_are_those_that_scikit_image_measures(crowd):
    found = measure_regions(0, crowd)
    expected = regionprops_table(crowd, properties=("label", *found.shape))
    np.testing.assert_array_equal(found.object_ids, expected["label"])
    for name, values in found.shape.items():
        np.testing.assert_allclose(values, expected[name], rtol=1e-9)


def test_runs_of_all_objects_at_once_are_those_of_each_mask(masklets, crowd, tmp_path):
    crowded = replace(
        masklets, frame_shape=crowd.shape, frame_count=1, read=lambda _: crowd
    )
    found = json.loads(export(crowded, tmp_path / "c", "coco").read_text())
    for entry in found["annotations"]:
        mask = np.asfortranarray(crowd == entry["track_id"], np.uint8)
        expected = coco.encode(mask)["counts"].decode()
        assert entry["segmentation"]["counts"] == expected


def test_parquet_begins_with_frames_that_show_nothing(masklets, tmp_path, monkeypatch):
    late = replace(masklets, read=lambda frame: draw(frame) * (frame > 1))
    expected = pyarrow.parquet.read_table(export(late, tmp_path / "one", "parquet"))
    assert set(expected["frame"].to_pylist()) == {2, 3, 4, 5}
    assert "mother" in expected["name"].to_pylist()
    monkeypatch.setattr("napari_sam2.io.exports.tables.GROUP_ROWS", 3)
    path = export(late, tmp_path / "many", "parquet")
    assert pyarrow.parquet.ParquetFile(path).num_row_groups > 1
    found = pyarrow.parquet.read_table(path)
    for name in expected.column_names:
        np.testing.assert_array_equal(found[name], expected[name])


def test_roi_outlines_fill_to_the_masks(masklets, tmp_path):
    rois = roifile.roiread(export(masklets, tmp_path / "r", "rois"))
    assert len(rois) == 14
    rebuilt = np.zeros((6, *SHAPE), np.uint16)
    for roi in rois:
        object_id, frame, _ = map(int, roi.name.split("-"))
        assert roi.t_position == frame
        corners = roi.coordinates()[:, ::-1] - 0.5
        rebuilt[frame - 1][polygon2mask(SHAPE, corners)] = object_id
    expected = np.array([draw(frame) for frame in range(6)])
    assert (rebuilt != expected).mean() < 0.002  # which pixel a corner belongs to


def test_pieces_of_an_object_have_outlines_of_their_own():
    labels = np.zeros((12, 20), np.uint8)
    labels[2:6, 3:8] = 4
    labels[3, 5] = 0  # a hole
    labels[8:10, 12:18] = 4
    found = list(outlines(labels))
    assert [(object_id, piece) for object_id, piece, _ in found] == [(4, 0), (4, 1)]
    assert {tuple(point) for point in found[0][2].tolist()} == {
        (2, 3),
        (2, 8),
        (6, 3),
        (6, 8),
    }


def test_pixels_that_meet_at_a_corner_are_pieces_and_the_larger_is_first():
    labels = np.zeros((6, 6), np.uint16)
    labels[:2, :2], labels[2:, 2:] = 9, 9
    found = list(outlines(labels))
    assert [(object_id, piece) for object_id, piece, _ in found] == [(9, 0), (9, 1)]
    assert found[0][2].min() == 2
    assert found[1][2].max() == 2


def test_nothing_is_replaced_and_nothing_half_written_stays(masklets, tmp_path):
    (tmp_path / "mine.csv").write_text("mine")
    with pytest.raises(OutputError, match="exists already"):
        export(masklets, tmp_path / "mine.csv", "csv")
    assert (tmp_path / "mine.csv").read_text() == "mine"

    def broken(frame_index):
        if frame_index == 4:
            raise OSError("the disk is gone")
        return draw(frame_index)

    object.__setattr__(masklets, "read", broken)
    for name in FORMATS:
        with pytest.raises(OutputError, match="the disk is gone"):
            export(masklets, tmp_path / f"new-{name}", name)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.csv"]


def test_unknown_formats_and_missing_masklets_are_refused(masklets, tmp_path):
    with pytest.raises(InputError, match=r"no format 'xlsx'.*tiff, ctc"):
        export(masklets, tmp_path / "x", "xlsx")
    with pytest.raises(InputError, match="holds no masklets named"):
        open_masklets(tmp_path)


def test_a_store_is_exported_with_its_names_and_scores(new_store, fake_run, tmp_path):
    store = new_store()
    for frame_index in range(3):
        store.write(fake_run.result(frame_index))
    store.commit(fake_run.progress(3), None)
    store.close()
    masklets = open_masklets(tmp_path / "x.zarr")
    path = export(masklets, tmp_path / "m", "csv")
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["name"] for row in rows} == {"cell 3", ""}
    assert all(row["stability"] for row in rows)


def test_tracks_of_a_mother_that_is_seen_later_stand_alone():
    presence = Presence()
    for frame_index, ids in enumerate([[1], [1, 2], [2], [1, 2]]):
        presence.note(frame_index, ids)
    tracks = presence.tracks({2: 1, 5: 9})
    assert [(t.track_id, t.first, t.last, t.parent) for t in tracks] == [
        (1, 0, 1, 0),
        (2, 1, 3, 3),
        (3, 3, 3, 1),
    ]
    labels = np.array([[1, 2, 4]], np.uint16)
    np.testing.assert_array_equal(relabelled(labels, 3, tracks), [[3, 2, 0]])


def test_the_command_measures_in_the_movie_and_refuses_another(
    new_store, fake_run, tmp_path
):
    store = new_store()
    store.write(fake_run.result(0))
    store.commit(fake_run.progress(1), None)
    store.close()
    shape = (store.frame_count, *store.frame_shape)
    tifffile.imwrite(tmp_path / "movie.tif", np.full(shape, 77, np.uint8))
    tifffile.imwrite(tmp_path / "other.tif", np.zeros((5, 8, 8), np.uint8))
    words = ["export", str(tmp_path / "x.zarr"), "--format", "csv", "--out"]
    run = CliRunner().invoke(
        app, [*words, str(tmp_path / "m"), "--movie", str(tmp_path / "movie.tif")]
    )
    assert run.exit_code == 0, run.output
    with (tmp_path / "m.csv").open(newline="") as file:
        assert {row["mean_intensity_0"] for row in csv.DictReader(file)} == {"77.0"}
    run = CliRunner().invoke(
        app, [*words, str(tmp_path / "n"), "--movie", str(tmp_path / "other.tif")]
    )
    assert isinstance(run.exception, InputError)
    assert not (tmp_path / "n.csv").exists()


@pytest.mark.parametrize("path", [".", "..", "/"])
@pytest.mark.parametrize("name", ["tiff", "ctc"])
def test_a_folder_without_a_name_of_its_own_is_no_export(path, name):
    with pytest.raises(InputError, match="is no name for what is exported"):
        with_suffix(Path(path), name)


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_is_written_where_files_have_one_name(
    masklets, tmp_path, monkeypatch, name
):
    def refuse(*_, **__):
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    monkeypatch.setattr(os, "symlink", refuse)
    path = export(masklets, tmp_path / "written", name)
    assert path.exists()
    if name == "geff":
        geff.validate_structure(path)
