"""GEFF and TrackMate come back with lineage, or are refused with row and frame."""

import json
from contextlib import closing
from dataclasses import replace

import geff
import numpy as np
import pytest
import tifffile
import zarr
from skimage.draw import disk

from napari_sam2.errors import InputError
from napari_sam2.interfaces import Calibration
from napari_sam2.io.exports.formats import export
from napari_sam2.io.exports.masklets import MaskletMovie
from napari_sam2.io.imports.formats import open_tracked
from napari_sam2.io.imports.geff import read_geff
from napari_sam2.io.ome_zarr.metadata import LabelledObject

SHAPE = (40, 50)


def draw(frame_index):
    """A mother (4) that divides into 2 and 3 on frame 3; a cell (7) with a gap."""
    labels = np.zeros(SHAPE, np.uint16)
    if frame_index < 3:
        labels[disk((12, 12 + frame_index), 5)] = 4
    else:
        labels[disk((8, 10 + frame_index), 3)] = 2
        labels[disk((18, 12 + frame_index), 3)] = 3
    if frame_index != 2:
        labels[disk((30, 40 - frame_index), 4)] = 7
    return labels


@pytest.fixture
def masklets(tmp_path):
    labels = tmp_path / "labels.tif"
    stack = np.stack([draw(frame) for frame in range(6)])
    tifffile.imwrite(labels, stack, photometric="minisblack", metadata={"axes": "TYX"})
    return MaskletMovie(
        name="dividing",
        frame_count=6,
        frame_shape=SHAPE,
        objects=(
            LabelledObject(4),
            LabelledObject(2, parent=4),
            LabelledObject(3, parent=4),
            LabelledObject(7),
        ),
        calibration=Calibration(
            (30.0, 0.5, 0.25), units=("second", "micrometer", "micrometer")
        ),
        read=draw,
        labels_path=(labels,),
    )


def read_all(path):
    with closing(open_tracked(path)) as tracked:
        return tracked.mothers, np.array([labels for _, labels in tracked.frames()])


def test_a_geff_comes_back_with_the_same_ids(masklets, tmp_path):
    mothers, found = read_all(export(masklets, tmp_path / "a", "geff"))
    assert mothers == {2: 4, 3: 4}
    np.testing.assert_array_equal(found, [draw(frame) for frame in range(6)])


def test_trackmate_comes_back_pixel_for_pixel(masklets, tmp_path):
    mothers, found = read_all(export(masklets, tmp_path / "a", "trackmate"))
    number = dict(zip((4, 7, 2, 3), (1, 2, 3, 4), strict=True))
    assert mothers == {3: 1, 4: 1}
    expected = np.array([draw(frame) for frame in range(6)])
    for ours, read in number.items():
        np.testing.assert_array_equal(found == read, expected == ours)


def write_geff(path, labels, nodes, edges, **columns):
    """Write ``nodes`` of (id, frame, label)."""
    ids, frames, values = (np.array(column) for column in zip(*nodes, strict=True))
    zeros = np.zeros(len(ids))
    table = {"t": frames, "y": zeros, "x": zeros, "seg": values, **columns}
    kinds = {"t": "time", "y": "space", "x": "space"}
    related = {"type": "labels", "path": f"../{labels.name}", "node_prop": "seg"}
    geff.core_io.write_arrays(
        path,
        np.array(ids, np.uint64),
        {name: {"values": column, "missing": None} for name, column in table.items()},
        np.array(edges, np.uint64).reshape(-1, 2),
        {},
        geff.GeffMetadata(
            geff_version="1.1.0",
            directed=True,
            axes=[{"name": name, "type": kind} for name, kind in kinds.items()],
            node_props_metadata={},
            edge_props_metadata={},
            related_objects=[related] if labels.name else None,
        ),
        structure_validation=False,
        zarr_format=3,
    )
    return path


@pytest.fixture
def labels(tmp_path):
    """Segmentation with numbers that are new on each frame, as many tools have it."""
    stack = np.zeros((3, *SHAPE), np.uint16)
    stack[0, 2:9, 2:9] = 1
    stack[1, 2:9, 2:9] = 2
    stack[2, 2:9, 2:5], stack[2, 2:9, 6:9] = 1, 2
    path = tmp_path / "seg.tif"
    tifffile.imwrite(path, stack, photometric="minisblack", metadata={"axes": "TYX"})
    return path


NODES = [(10, 0, 1), (11, 1, 2), (12, 2, 1), (13, 2, 2)]
EDGES = [(10, 11), (11, 12), (11, 13)]


def test_labels_need_not_be_tracks(labels, tmp_path):
    mothers, found = read_all(write_geff(tmp_path / "g.geff", labels, NODES, EDGES))
    ids = [set(np.unique(frame).tolist()) - {0} for frame in found]
    assert ids == [{1}, {1}, {2, 3}]
    assert mothers == {2: 1, 3: 1}


@pytest.mark.parametrize(
    ("nodes", "edges", "said"),
    [
        ([*NODES[:3], (12, 2, 2)], EDGES[:2], "node row 4: node 12 is there already"),
        ([*NODES, (14, 2, 2)], EDGES, "row 5: label 2 on frame 2 is that of .*row 4"),
        (NODES, [*EDGES, (12, 10)], "edge row 4: leads from frame 2 to frame 0"),
        (NODES, [*EDGES, (12, 13)], "edge row 4: leads from frame 2 to frame 2"),
        (NODES, [*EDGES, (10, 13)], "row 4, id 13 .frame 2.: follows node 11 and node"),
        (NODES, [*EDGES, (10, 99)], "edge row 4: node 99 is not there"),
        (NODES[:3], EDGES[:2], "frame 2: label 2 of .* is no node's"),
        ([*NODES, (14, 1, 5)], EDGES, "frame 1: label 5 of a node is not in"),
        ([*NODES, (14, 3, 5)], EDGES, "row 5, id 14: is on frame 3, but .* 3 frames"),
        ([*NODES, (14, 2, 0)], EDGES, "row 5: label 0 is none"),
        ([*NODES, (14, 1.5, 5)], EDGES, "node row 5: its t is missing or no whole"),
    ],
)
def test_contradictions_of_a_geff_are_refused(labels, tmp_path, nodes, edges, said):
    path = write_geff(tmp_path / "g.geff", labels, nodes, edges)
    with pytest.raises(InputError, match=said):
        read_all(path)


def test_a_geff_without_masks_is_refused(labels, tmp_path):
    path = write_geff(tmp_path / "g.geff", labels, NODES, EDGES)
    labels.unlink()
    with pytest.raises(
        InputError, match=r"its label images \.\./seg.tif are not there"
    ):
        read_geff(path)
    group = zarr.open_group(path)
    attributes = dict(group.attrs["geff"])
    group.attrs["geff"] = attributes | {"related_objects": None}
    with pytest.raises(InputError, match="names no label images"):
        read_geff(path)
    with pytest.raises(InputError, match="is no valid GEFF"):
        open_tracked(tmp_path, "geff")


@pytest.mark.parametrize("place", ["a\0b", "x" * 5000, "../" * 900 + "nowhere"])
def test_impossible_paths_of_label_images_are_told(labels, tmp_path, place):
    path = write_geff(tmp_path / "g.geff", labels, NODES, EDGES)
    file = path / "zarr.json"
    document = json.loads(file.read_text())
    document["attributes"]["geff"]["related_objects"][0]["path"] = place
    file.write_text(json.dumps(document))
    with pytest.raises(InputError, match="its label images") as told:
        open_tracked(path)
    assert str(told.value).isprintable()


SPOT = (
    '<Spot ID="{0}" FRAME="{1}" POSITION_X="{2}" POSITION_Y="5" POSITION_Z="0" '
    'RADIUS="{3}" VISIBILITY="1"/>'
)
MOVIE = '<ImageData width="50" height="40" nslices="1" nframes="3"/>'


def write_xml(path, spots, edges, movie=MOVIE, shown="<TrackID TRACK_ID='0'/>"):
    """Write spots of (id, frame, x, radius) as TrackMate 6 did: circles."""
    spots = "\n".join(SPOT.format(*spot) for spot in spots)
    edges = "\n".join(
        f'<Edge SPOT_SOURCE_ID="{a}" SPOT_TARGET_ID="{b}"/>' for a, b in edges
    )
    path.write_text(
        f"<TrackMate><Model><AllSpots>{spots}</AllSpots>\n<AllTracks>"
        f'<Track TRACK_ID="0">{edges}</Track></AllTracks>'
        f"<FilteredTracks>{shown}</FilteredTracks></Model>"
        f"<Settings>{movie}</Settings></TrackMate>"
    )
    return path


SPOTS = [(1, 0, 10, 3), (2, 1, 10, 3), (3, 2, 6, 2), (4, 2, 14, 2)]
LINKS = [(1, 2), (3, 2), (2, 4)]


def test_circles_and_links_against_time_are_read(tmp_path):
    mothers, found = read_all(write_xml(tmp_path / "a.xml", SPOTS, LINKS))
    assert mothers == {2: 1, 3: 1}
    assert found[1, 5, 10] == 1
    assert (found[2, 5, 6], found[2, 5, 14]) == (2, 3)


def test_hidden_tracks_are_left_out(tmp_path):
    spots = [*SPOTS, (5, 0, 30, 3)]
    _, found = read_all(write_xml(tmp_path / "a.xml", spots, LINKS, shown=""))
    assert found.any(axis=(1, 2)).tolist() == [True, False, False]


def test_the_smaller_of_two_spots_is_on_top(tmp_path):
    _, found = read_all(
        write_xml(tmp_path / "a.xml", [(1, 0, 10, 2), (2, 0, 11, 6)], [])
    )
    assert (found[0, 5, 10], found[0, 5, 15]) == (1, 2)


@pytest.mark.parametrize(
    ("spots", "links", "said"),
    [
        ([*SPOTS, (2, 2, 30, 3)], LINKS, "line 5: spot 2 is there already: .*line 2"),
        (SPOTS, [*LINKS, (4, 3)], "leads from frame 2 to frame 2"),
        (SPOTS, [*LINKS, (1, 4)], "line 4 .frame 2.: follows node 2 and node 1"),
        (SPOTS, [*LINKS, (1, 9)], "node 9 is not there"),
        ([*SPOTS, (5, 3, 30, 3)], LINKS, "line 5: is on frame 3, but the movie has 3"),
        ([*SPOTS, (5, 1, 90, 3)], LINKS, "line 5 .frame 1.: no pixel of the movie"),
        ([*SPOTS, (5, "x", 9, 3)], LINKS, "line 5: FRAME is missing or no number"),
        ([*SPOTS, (5, 0, 30, 1e308)], LINKS, "line 5 .frame 0.: lies, or reaches, far"),
        ([*SPOTS, (5, 0, -1e308, 3)], LINKS, "line 5 .frame 0.: lies, or reaches, far"),
        ([*SPOTS, (5, 0, 30, -3)], LINKS, "line 5 .frame 0.: lies, or reaches, far"),
        ([], [], "holds no spot"),
    ],
)
def test_contradictions_of_trackmate_are_refused(tmp_path, spots, links, said):
    path = write_xml(tmp_path / "a.xml", spots, links)
    with pytest.raises(InputError, match=said):
        read_all(path)


@pytest.mark.parametrize(
    ("movie", "said"),
    [
        (MOVIE.replace('nslices="1"', 'nslices="7"'), "has planes in z"),
        ("", "no ImageData"),
        ("<", "cannot be read as XML"),
        (MOVIE.replace("/>", ' pixelwidth="0"/>'), "size of a pixel must be above 0"),
        # What is claimed is refused before memory is taken for it.
        (MOVIE.replace('"50"', '"9000000"').replace('"40"', '"9000000"'), "one frame"),
        (MOVIE.replace('"50"', f'"{"9" * 40}"'), "one frame needs"),
        (MOVIE.replace('"40"', '"-40"'), "a movie of 3 frames of -40 × 50 pixels"),
        (MOVIE.replace('"40"', '"0"'), "a movie of 3 frames of 0 × 50 pixels"),
        (MOVIE.replace("/>", ' pixelwidth="1e-308"/>'), "lies, or reaches, farther"),
    ],
)
def test_other_files_are_refused(tmp_path, movie, said):
    path = write_xml(tmp_path / "a.xml", SPOTS, LINKS, movie)
    with pytest.raises(InputError, match=said):
        read_all(path)


def test_an_outline_with_too_few_numbers_is_refused(masklets, tmp_path):
    path = export(masklets, tmp_path / "a", "trackmate")
    text = path.read_text().replace('ROI_N_POINTS="', 'ROI_N_POINTS="1', 1)
    path.write_text(text)
    with pytest.raises(InputError, match=r"line \d+: its outline has"):
        open_tracked(path)


def test_masks_in_one_piece_are_needed_for_nothing(masklets, tmp_path):
    """An object in two pieces leaves with the larger one."""

    def pieces(frame_index):
        labels = draw(frame_index)
        labels[38, 2] = 7
        return labels

    movie = replace(masklets, read=pieces)
    _, found = read_all(export(movie, tmp_path / "a", "trackmate"))
    assert not found[0, 38, 2]
