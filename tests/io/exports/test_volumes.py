"""Stacks over time in the formats that hold them; the others say that they do not."""

import csv
import shutil
import weakref

import geff
import numpy as np
import pyarrow.parquet
import pytest
import tifffile
from ctc_metrics.scripts.evaluate import evaluate_sequence
from skimage.measure import regionprops

from napari_sam2.errors import InputError
from napari_sam2.interfaces import Calibration
from napari_sam2.io.exports.formats import FORMATS, export
from napari_sam2.io.exports.masklets import (
    MaskletMovie,
    open_masklets,
    with_intensities,
)
from napari_sam2.io.label_store.volume import VolumeLabels, VolumeSpec
from napari_sam2.io.ome_zarr.metadata import LabelledObject
from napari_sam2.io.ome_zarr.volume_axes import PlaneAxis
from napari_sam2.prompts import PromptedObject

FRAMES, PLANES, SIDE = 5, 4, 32
UNITS = ("second", "micrometer", "micrometer")


def body(frame, z, y, x, radius):
    at = np.mgrid[:PLANES, :SIDE, :SIDE] - np.array([z, y, x])[:, None, None, None]
    return np.hypot(np.hypot(2 * at[0], at[1]), at[2]) <= radius


@pytest.fixture(scope="module")
def stacks():
    """A mother (1) that divides into 2 and 3 on frame 3; a cell (7) drifts in z."""
    labels = np.zeros((FRAMES, PLANES, SIDE, SIDE), np.uint16)
    for frame in range(FRAMES):
        mother = (
            {1: (1, 10, 8, 5)} if frame < 3 else {2: (1, 6, 8, 3), 3: (1, 15, 8, 3)}
        )
        for object_id, place in {**mother, 7: (1 + frame / 2, 22, 22, 5)}.items():
            labels[frame][body(frame, *place)] = object_id
    return labels


@pytest.fixture
def masklets(stacks):
    return MaskletMovie(
        "bodies",
        FRAMES,
        (SIDE, SIDE),
        tuple(
            LabelledObject(one, parent=1 if one in (2, 3) else None)
            for one in (1, 2, 3, 7)
        ),
        Calibration((30.0, 0.5, 0.5), units=UNITS),
        lambda frame, plane: stacks[frame, plane],
        image=lambda frame, plane: np.full((SIDE, SIDE), 10.0 * plane),
        planes=PlaneAxis(PLANES, 2.0, 1.0, "micrometer"),
    )


def test_measurements_are_those_of_bodies_in_pixels_and_units(
    masklets, stacks, tmp_path
):
    with export(masklets, tmp_path / "m", "csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    table = pyarrow.parquet.read_table(export(masklets, tmp_path / "m", "parquet"))
    assert table.column_names == list(rows[0])
    assert table.num_rows == len(rows) == 3 + 2 + 2 + 5
    assert "area" not in rows[0]
    for row in rows:
        frame, object_id = int(row["frame"]), int(row["object_id"])
        intensity = np.arange(PLANES)[:, None, None] * 10.0 * np.ones((SIDE, SIDE))
        (truth,) = regionprops((stacks[frame] == object_id).astype(np.uint8), intensity)
        assert int(row["volume"]) == truth.area
        assert float(row["volume_world"]) == truth.area * 2 * 0.5 * 0.5
        centre = [float(row[axis]) for axis in "zyx"]
        np.testing.assert_allclose(centre, truth.centroid)
        assert float(row["z_world"]) == pytest.approx(centre[0] * 2 + 1)
        assert float(row["mean_intensity_0"]) == pytest.approx(truth.intensity_mean)
    drifting = [row for row in rows if row["object_id"] == "7"]
    way = (float(drifting[2]["z"]) - float(drifting[1]["z"])) * 2
    assert float(drifting[2]["displacement_world"]) == pytest.approx(way)
    assert float(drifting[2]["speed_world"]) == pytest.approx(way / 30)


def test_tiff_keeps_stacks_and_their_scale(masklets, stacks, tmp_path):
    with tifffile.TiffFile(export(masklets, tmp_path / "labels", "tiff")) as file:
        assert file.series[0].axes == "TZYX"
        np.testing.assert_array_equal(file.series[0].asarray(), stacks)
        for said in ('SizeZ="2.0"', 'SizeX="0.5"', 'TimeIncrement="30.0"'):
            assert said in file.ome_metadata


def test_ctc_masks_are_stacks_that_its_measures_score(masklets, stacks, tmp_path):
    result = export(masklets, tmp_path / "01_RES", "ctc")
    truth = tmp_path / "01_GT/TRA"
    truth.mkdir(parents=True)
    shutil.copy(result / "res_track.txt", truth / "man_track.txt")
    for frame in range(FRAMES):
        name = f"{frame:03d}.tif"
        np.testing.assert_array_equal(
            tifffile.imread(result / f"mask{name}"), stacks[frame]
        )
        shutil.copy(result / f"mask{name}", truth / f"man_track{name}")
    asked = str(result), str(tmp_path / "01_GT"), ["Valid", "DET", "TRA"]
    scores = evaluate_sequence(*asked, threads=1)
    assert (scores["Valid"], scores["DET"], scores["TRA"]) == (1, 1, 1)
    lost = np.where(stacks[2] == 7, 0, stacks[2])
    lost[2, 22, 22] = 7
    tifffile.imwrite(result / "mask002.tif", lost, photometric="minisblack")
    assert evaluate_sequence(*asked, threads=1)["DET"] < 1


def test_geff_is_valid_and_has_z(masklets, tmp_path):
    path = export(masklets, tmp_path / "graph", "geff")
    geff.validate_structure(path)
    graph, metadata = geff.read(path, backend="networkx")
    assert [axis.name for axis in metadata.axes] == ["t", "z", "y", "x"]
    assert [axis.scale for axis in metadata.axes] == [30.0, 2.0, 0.5, 0.5]
    assert len(graph.nodes) == 12
    drifting = [one for _, one in graph.nodes(data=True) if one["label"] == 7]
    assert np.all(
        np.diff([one["z"] for one in sorted(drifting, key=lambda n: n["t"])]) > 0
    )
    labels = {node: values["label"] for node, values in graph.nodes(data=True)}
    assert {labels[b] for a, b in graph.edges if labels[a] == 1} == {1, 2, 3}


def test_napari_tracks_have_z(masklets, tmp_path):
    with export(masklets, tmp_path / "t", "tracks").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["track_id", "t", "z", "y", "x", "volume", "mother"]
    assert len(rows) == 12


def test_formats_of_single_planes_are_refused(masklets, tmp_path):
    for name in ("trackmate", "coco", "sav", "rois"):
        assert not FORMATS[name].volumes
        with pytest.raises(
            InputError, match=r"not of stacks over time; choose tiff, ctc"
        ):
            export(masklets, tmp_path / name, name)
    assert not list(tmp_path.iterdir())


def test_one_section_is_held_at_a_time(masklets, tmp_path):
    """However many planes and time points there are."""
    read, held, most = masklets.read, [], 0

    class Section(np.ndarray):
        pass

    def counted(*place):
        nonlocal most
        held[:] = [one for one in held if one() is not None]
        most = max(most, len(held))
        section = read(*place).copy().view(Section)
        held.append(weakref.ref(section))
        return section

    object.__setattr__(masklets, "read", counted)
    for name in ("tiff", "ctc", "geff", "tracks", "csv"):
        export(masklets, tmp_path / name, name)
    assert most <= 2


def test_a_store_of_stacks_is_opened_with_its_movie(stacks, tmp_path):
    spec = VolumeSpec(
        "masklets",
        stacks.shape,
        (PromptedObject(7, (), "drifting"),),
        Calibration((30.0, 0.5, 0.25), units=UNITS),
        PlaneAxis(PLANES, 2.0, unit="micrometer"),
    )
    store = VolumeLabels.create(tmp_path / "x.zarr", spec)
    for frame, stack in enumerate(stacks):
        store.write(frame, stack)
    store.close()
    tifffile.imwrite(
        tmp_path / "movie.ome.tif",
        stacks * 3,
        metadata={"axes": "TZYX"},
        photometric="minisblack",
    )
    found = open_masklets(tmp_path / "x.zarr")
    assert found.geometry.scale == (30.0, 2.0, 0.5, 0.25)
    assert found.units == ("second", *["micrometer"] * 3)
    with with_intensities(found, tmp_path / "movie.ome.tif") as measured:
        path = export(measured, tmp_path / "m", "csv")
    with path.open(newline="") as file:
        for row in csv.DictReader(file):
            assert float(row["mean_intensity_0"]) == 3 * int(row["object_id"])
            assert row["name"] == ("drifting" if row["object_id"] == "7" else "")
    tifffile.imwrite(
        tmp_path / "other.ome.tif",
        stacks[:, :2],
        metadata={"axes": "TZYX"},
        photometric="minisblack",
    )
    with (
        pytest.raises(InputError, match=r"\(time points, planes, rows, columns\)"),
        with_intensities(found, tmp_path / "other.ome.tif"),
    ):
        pass
