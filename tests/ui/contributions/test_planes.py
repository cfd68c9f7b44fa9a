"""The reader gives masklets the dimensions of their image."""

import numpy as np
import pytest
import zarr

from napari_sam2.interfaces import Calibration, FrameResult, ObjectScores
from napari_sam2.io.label_store.store import OmeZarrLabelStore
from napari_sam2.io.sessions.provenance import Provenance
from napari_sam2.prompts import PromptedObject
from napari_sam2.ui.contributions.reader_layers import read_sessions

FRAMES, HEIGHT, WIDTH = 4, 20, 24
KINDS = {"t": "time", "c": "channel"}


def labels_of(frame):
    labels = np.zeros((HEIGHT, WIDTH), np.uint16)
    labels[5:9, 2 + frame : 6 + frame] = 1
    return labels


@pytest.fixture(
    params=[
        ("tczyx", (FRAMES, 1, 1), {}, (None, 0)),
        ("tczyx", (FRAMES, 3, 5), {"C": 1, "Z": 2}, (None, 2)),
        ("tzyx", (FRAMES, 5), {"Z": 4}, (None, 4)),
        ("tcyx", (FRAMES, 2), {}, (None,)),
        ("tzyx", (3, FRAMES), {"T": 1}, (1, None)),
    ],
    ids=lambda one: f"{one[0]}-{len(one[2])}",
)
def case(request):
    return request.param


@pytest.fixture
def folder(tmp_path, case):
    axes, lengths, fixed, at = case
    path = tmp_path / "cells.zarr"
    entry = {
        "axes": [{"name": one, "type": KINDS.get(one, "space")} for one in axes],
        "datasets": [
            {
                "path": "0",
                "coordinateTransformations": [
                    {"type": "scale", "scale": [1.0] * len(axes)}
                ],
            }
        ],
    }
    group = zarr.create_group(
        path, attributes={"ome": {"version": "0.5", "multiscales": [entry]}}
    )
    group.create_array("0", shape=(*lengths, HEIGHT, WIDTH), dtype="uint8")
    kept = [one for one in axes if one != "c"]
    store = OmeZarrLabelStore.create(
        path,
        frame_count=FRAMES,
        frame_shape=(HEIGHT, WIDTH),
        logits_shape=(8, 8),
        objects=[PromptedObject(1)],
        calibration=Calibration(frame_axis=kept[at.index(None)]),
        provenance=Provenance(
            model="none",
            weights_sha256="0",
            device="cpu",
            precision="fp32",
            threads=1,
            plugin_version="0",
            frames={"fixed": fixed},
        ),
    )
    one = np.ones(1, np.float32)
    scores = ObjectScores(one, one, one, np.array([16]))
    for frame in range(FRAMES):
        logits = np.zeros((1, 8, 8), np.float32)
        store.write(FrameResult(frame, labels_of(frame), (1,), logits, scores))
    store.close()
    return path


def test_masklets_lie_on_their_plane_and_move_in_time(folder, case):
    axes, lengths, _, at = case
    (_, image, kind), (labels, shown, _) = read_sessions(str(folder))
    assert kind == "image"
    names = tuple(one for one in axes if one != "c")
    assert shown["axis_labels"] == image["axis_labels"] == names
    assert len(shown["scale"]) == len(names)
    sizes = dict(zip(axes, lengths, strict=False))
    assert labels.shape == (*(sizes[one] for one in names[:-2]), HEIGHT, WIDTH)
    for frame in range(FRAMES):
        place = tuple(frame if index is None else index for index in at)
        np.testing.assert_array_equal(labels[place], labels_of(frame))
    assert np.asarray(labels).sum() == 16 * FRAMES


def test_of_two_images_in_one_group_both_are_shown(tmp_path):
    """The first of them is no better known to be the movie than the second."""
    path = tmp_path / "cells.zarr"
    axes = [{"name": one, "type": KINDS.get(one, "space")} for one in "tyx"]
    entries = [
        {"name": name, "axes": axes, "datasets": [{"path": level}]}
        for name, level in (("raw", "0"), ("deconvolved", "1"), ("raw again", "0"))
    ]
    group = zarr.create_group(
        path, attributes={"ome": {"version": "0.5", "multiscales": entries}}
    )
    for number in range(2):
        pixels = np.full((FRAMES, HEIGHT, WIDTH), number + 1, np.uint8)
        group.create_array(str(number), data=pixels)
    layers = read_sessions(str(path))
    assert [shown["name"] for _, shown, _ in layers] == [
        "cells raw",
        "cells deconvolved",
    ]
    assert [int(data[0, 0, 0]) for data, _, _ in layers] == [1, 2]
