"""napari's Shapes files: rectangles are boxes, other areas masks, lines refused."""

import numpy as np
import pytest

from napari_sam2.errors import InputError
from napari_sam2.io.prompts.files import read_prompts
from napari_sam2.prompts import BoxPrompt

MOVIE = {"frame_shape": (64, 80), "frame_count": 6}
SQUARE = [(30, 30), (30, 50), (50, 50), (50, 30)]


def shapes_csv(
    path, *shapes, head="index,shape-type,vertex-index,axis-0,axis-1,axis-2"
):
    """Write shapes, each ``(kind, corners, …)``, as napari's writer does."""
    rows = [head]
    for index, (kind, corners) in enumerate(shapes):
        for vertex, corner in enumerate(corners):
            rows.append(f"{index},{kind},{vertex},{','.join(map(str, corner))}")
    path.write_text("\n".join(rows) + "\n")
    return path


def test_a_rectangle_is_one_box_of_one_object(tmp_path):
    corners = [(2.0, *corner) for corner in SQUARE]
    path = shapes_csv(tmp_path / "s.csv", ("rectangle", corners))
    (item,) = read_prompts(path, **MOVIE)
    (prompt,) = item.prompts
    assert (item.object_id, prompt.frame_index) == (1, 2)
    assert prompt.box == BoxPrompt(30, 30, 50, 50)
    assert prompt.points == ()


def test_shapes_without_a_frame_are_on_the_frame_given(tmp_path):
    path = shapes_csv(
        tmp_path / "s.csv",
        ("rectangle", SQUARE),
        ("ellipse", SQUARE),
        head="index,shape-type,vertex-index,axis-0,axis-1",
    )
    box, ellipse = read_prompts(path, frame=4, **MOVIE)
    assert [box.object_id, ellipse.object_id] == [1, 2]
    (prompt,) = ellipse.prompts
    assert prompt.frame_index == 4
    inside = prompt.mask.mask
    assert inside[40, 40]
    assert not inside[31, 31]
    assert inside.sum() == pytest.approx(np.pi * 100, rel=0.05)


def test_polygons_of_one_label_are_one_mask(tmp_path):
    head = "index,shape-type,vertex-index,axis-0,axis-1,axis-2,label"
    one = [(0, 10, 10, 7), (0, 10, 20, 7), (0, 20, 10, 7)]
    other = [(0, 40, 40, 7), (0, 40, 60, 7), (0, 60, 40, 7)]
    path = shapes_csv(
        tmp_path / "s.csv", ("polygon", one), ("polygon", other), head=head
    )
    (item,) = read_prompts(path, **MOVIE)
    assert item.object_id == 7
    mask = item.prompts[0].mask.mask
    assert [mask[12, 12], mask[45, 45], mask[30, 30]] == [True, True, False]


def test_what_reaches_out_is_cut_at_the_frame(tmp_path):
    corners = [(0, -9, 70), (0, -9, 95), (0, 10, 95), (0, 10, 70)]
    path = shapes_csv(tmp_path / "s.csv", ("rectangle", corners))
    (item,) = read_prompts(path, **MOVIE)
    assert item.prompts[0].box == BoxPrompt(0, 70, 10, 79)


@pytest.mark.parametrize("kind", ["path", "line", "", "vector"])
def test_what_has_no_inside_is_told(tmp_path, kind):
    corners = [(0, *corner) for corner in SQUARE]
    path = shapes_csv(tmp_path / "s.csv", (kind, corners))
    with pytest.raises(InputError, match=r"line 2.*no inside"):
        read_prompts(path, **MOVIE)


def test_a_shape_outside_says_why_that_may_be(tmp_path):
    corners = [(0, y * 65.0, x * 65.0) for y, x in SQUARE]
    path = shapes_csv(tmp_path / "s.csv", ("rectangle", corners))
    with pytest.raises(InputError, match=r"outside the frame.*the layer's own units"):
        read_prompts(path, **MOVIE)


def test_a_shape_across_frames_is_told(tmp_path):
    corners = [(number, *corner) for number, corner in enumerate(SQUARE)]
    path = shapes_csv(tmp_path / "s.csv", ("polygon", corners))
    with pytest.raises(InputError, match="several frames"):
        read_prompts(path, **MOVIE)


def test_a_box_and_a_mask_of_one_object_are_told(tmp_path):
    head = "index,shape-type,vertex-index,axis-0,axis-1,axis-2,label"
    corners = [(0, *corner, 3) for corner in SQUARE]
    path = shapes_csv(
        tmp_path / "s.csv", ("rectangle", corners), ("ellipse", corners), head=head
    )
    with pytest.raises(InputError, match="another shape"):
        read_prompts(path, **MOVIE)


def test_corners_are_in_the_order_of_their_numbers(tmp_path):
    path = shapes_csv(tmp_path / "s.csv", ("polygon", [(2, *one) for one in SQUARE]))
    head, *rows = path.read_text().splitlines()
    path.write_text("\n".join([head, *sorted(rows, key=lambda row: row[-8:])]))
    (item,) = read_prompts(path, **MOVIE)
    assert item.prompts[0].mask.mask.sum() == 21 * 21


@pytest.mark.parametrize(
    ("kinds", "labels", "said"),
    [
        (["polygon"] * 4, (3, 3, 4, 3), "several values of label"),
        (["polygon"] * 3 + ["ellipse"], (3,) * 4, "several values of shape-type"),
    ],
)
def test_one_shape_is_of_one_kind_and_object(tmp_path, kinds, labels, said):
    """Two shapes of one index, as two tables put together have them, are no shape."""
    rows = ["index,shape-type,vertex-index,axis-0,axis-1,label"]
    for vertex, (kind, (y, x), label) in enumerate(
        zip(kinds, SQUARE, labels, strict=True)
    ):
        rows.append(f"0,{kind},{vertex},{y},{x},{label}")
    (tmp_path / "s.csv").write_text("\n".join(rows))
    with pytest.raises(InputError, match=said):
        read_prompts(tmp_path / "s.csv", **MOVIE)
