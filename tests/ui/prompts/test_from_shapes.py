import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from napari.layers import Image, Shapes

from napari_sam2.engine.movie.axes import box_between, corners_of, lay_out_layer
from napari_sam2.errors import InputError
from napari_sam2.io.prompts.files import write_prompts
from napari_sam2.io.prompts.outlines import MOST_POINTS, points_along
from napari_sam2.prompts import (
    BoxPrompt,
    FramePrompt,
    MaskPrompt,
    PointPrompt,
    PromptedObject,
)
from napari_sam2.session.book.intake import free_ids, new_ids
from napari_sam2.session.book.prompt_book import PromptBook
from napari_sam2.session.book.state import BookState, FrameFlag
from napari_sam2.session.planning.frame_set import FrameSet
from napari_sam2.ui.prompts.from_files import SavedPrompts, file_to_prompts, prompts_of
from napari_sam2.ui.prompts.from_shapes import (
    Outline,
    area_of,
    read_outlines,
    shapes_to_prompts,
)

SHAPE = (5, 40, 60)
AXES = lay_out_layer(SHAPE, ("t", "y", "x"), 0, {})


def outline(kind, *corners, frame=2, label=None, positive=True):
    vertices = np.array([(frame, *one) for one in corners], float)
    return Outline(kind, vertices, label, positive)


def square(kind="rectangle", at=10, side=4, **options):
    low, high = at - 0.5, at + side - 0.5
    corners = ((low, low), (low, high), (high, high), (high, low))
    return outline(kind, *corners, **options)


def taken_in(*outlines, taken=()):
    return shapes_to_prompts(outlines, AXES, source="shapes of test", taken=taken)


def test_rectangles_are_boxes_and_areas_are_masks():
    intake = taken_in(square(), square("polygon"), square("ellipse"), taken={1, 2})
    assert [one.object_id for one in intake.objects] == [3, 4, 5]
    box, lasso, ellipse = intake.prompts
    assert box.box == BoxPrompt(10, 10, 13, 13)
    assert box.frame_index == 2
    expected = np.zeros(SHAPE[1:], bool)
    expected[10:14, 10:14] = True
    np.testing.assert_array_equal(lasso.mask.mask, expected)
    # Without the four corners; the box of the pixels is the same.
    assert ellipse.mask.mask.sum() == 12
    assert not (ellipse.mask.mask & ~expected).any()
    assert intake.sentence == "3 objects on frame 2 from shapes of test."


def test_labels_say_which_object_a_shape_is():
    intake = taken_in(
        square("polygon", label=7),
        square("polygon", at=20, label=7),
        square(label=float("nan")),
        square(frame=3, label=7),
        square("rectangle", at=30, side=2, label=7),
        taken={7},
    )
    assert [one.object_id for one in intake.objects] == [7, 8]
    union, box = intake.objects[0].prompts
    assert union.mask.mask.sum() == 32
    assert box.frame_index == 3
    assert "1 on which the object has another shape" in intake.sentence


def test_what_cannot_be_used_is_left_out_and_counted():
    across = Outline("polygon", np.array([(0, 1, 1), (1, 9, 1), (1, 9, 9)], float))
    intake = taken_in(
        square(),
        outline("path", (-9, 3), (-4, 3)),
        outline("line", (3, 3), (9, 9), positive=False),
        across,
        square(frame=5),
        square(at=100),
        square("polygon", at=10, side=0.3),
        square(label="cell"),
    )
    assert len(intake.objects) == 1
    said = ("2 on another plane", "3 outside", "1 whose label", "1 of lines that say")
    for part in said:
        assert part in intake.sentence
    with pytest.raises(InputError, match="Draw rectangles"):
        taken_in(square("path", frame=5))


def test_open_lines_are_clicks_along_them():
    intake = taken_in(
        outline("path", (10, 10), (10, 26), (26, 26), label=7),
        outline("line", (30, 30), (30, 34), label=7, positive=False),
        outline("path", (5, 5), (6, 5)),
        taken={7},
    )
    seven, short = intake.objects
    (prompt,) = seven.prompts
    inside = [(one.y, one.x) for one in prompt.points if one.positive]
    assert inside == [(10, 14), (10, 22), (14, 26), (22, 26)]
    assert [(p.y, p.x) for p in prompt.points if not p.positive] == [(30, 32)]
    assert short.object_id == 8
    assert short.prompts[0].points == (PointPrompt(5.5, 5),)


def test_long_lines_have_few_points_and_those_in_the_picture_only():
    intake = taken_in(outline("path", (20, -60), (20, 119)))
    (prompt,) = intake.prompts
    assert len(prompt.points) == 2  # of eight
    assert all(-0.5 <= one.x < 59.5 for one in prompt.points)


def test_lines_add_to_a_box_and_to_what_is_said_and_not_twice():
    book = PromptBook(5)
    book.set_prompt(FramePrompt(3, 2, (PointPrompt(1, 1),), BoxPrompt(0, 0, 9, 9)))
    line = outline("line", (30, 30), (30, 34), label=3, positive=False)
    with_box = taken_in(square(label=4), outline("line", (11, 11), (12, 12), label=4))
    assert with_box.prompts[0].box == BoxPrompt(10, 10, 13, 13)
    assert len(with_box.prompts[0].points) == 1
    for _ in range(2):
        intake = shapes_to_prompts(
            [line], AXES, source="lines", taken={3}, said=book.state
        )
        book.take_in(intake)
        (prompt,) = book.state[3].prompts
        assert prompt.box == BoxPrompt(0, 0, 9, 9)
        assert prompt.points == (PointPrompt(1, 1), PointPrompt(30, 32, False))


@given(
    st.lists(st.tuples(st.floats(-50, 90), st.floats(-50, 90)), min_size=2, max_size=9)
)
def test_points_along_lie_on_the_line_and_in_the_picture(vertices):
    line = np.array(vertices)
    points = points_along(line, SHAPE[1:], is_positive=False)
    assert len(points) <= MOST_POINTS
    for one in points:
        assert not one.positive
        assert -0.5 <= one.y < SHAPE[1] - 0.5
        assert -0.5 <= one.x < SHAPE[2] - 0.5
        assert _distance_to(line, (one.y, one.x)) < 1e-6


def _distance_to(line, place):
    starts, steps = line[:-1], np.diff(line, axis=0)
    lengths = np.maximum((steps**2).sum(axis=1), 1e-12)
    along = np.clip(((np.array(place) - starts) * steps).sum(axis=1) / lengths, 0, 1)
    return np.hypot(*(starts + along[:, None] * steps - place).T).min()


def test_a_shape_over_the_edge_is_cut():
    frame, box = area_of(square(at=-2, side=6), AXES)
    assert (frame, box) == (2, BoxPrompt(0, 0, 3, 3))
    _, mask = area_of(square("polygon", at=38, side=40), AXES)
    assert mask.mask.sum() == 2 * 22


@given(*(st.tuples(st.integers(-9, 50), st.integers(-9, 70)) for _ in range(2)))
def test_boxes_hold_exactly_the_pixels_between_corners(first, last):
    box = box_between(
        [one - 0.5 for one in first], [one - 0.5 for one in last], SHAPE[1:]
    )
    rows, columns = (
        [pixel for pixel in range(length) if min(pair) <= pixel < max(pair)]
        for *pair, length in zip(first, last, SHAPE[1:], strict=True)
    )
    if box is None:
        assert not rows or not columns
    else:
        assert (box.y0, box.y1, box.x0, box.x1) == (
            rows[0],
            rows[-1],
            columns[0],
            columns[-1],
        )
        corners = corners_of(box)
        assert box_between(corners[0], corners[2], SHAPE[1:]) == box


def test_shapes_of_napari_lie_where_they_are_seen():
    """A layer without frames, of another scale, on a movie that was moved."""
    image = Image(np.zeros(SHAPE), scale=(3, 0.5, 0.5), translate=(0, 10, 20))
    corners = np.array([(10, 10), (10, 20), (20, 20), (20, 10)], float)
    shapes = Shapes([corners * 0.25 + (5, 10)], scale=(2, 2), ndim=2)
    (found,) = read_outlines(shapes, image, (6.0, 0, 0))
    np.testing.assert_allclose(found.vertices[:, 0], 2)
    np.testing.assert_allclose(found.vertices[:, 1:], corners)
    assert not found.is_labelled
    assert found.is_positive


@pytest.mark.parametrize("no", [False, "False", "no", 0, 0.0])
def test_a_feature_says_that_a_line_is_outside(no):
    image = Image(np.zeros(SHAPE))
    lines = [np.array([(2, 1, 1), (2, 9, 9)], float)] * 2
    shapes = Shapes(lines, shape_type="path", features={"positive": [no, True]})
    found = read_outlines(shapes, image, (0, 0, 0))
    assert [one.is_positive for one in found] == [False, True]


def test_prompts_of_a_file_get_new_ids_where_theirs_are_in_use(tmp_path):
    mother = PromptedObject(2, (FramePrompt(2, 0, (PointPrompt(1, 2),)),), "mother")
    daughter = PromptedObject(5, (FramePrompt(5, 3, box=BoxPrompt(1, 1, 5, 5)),), "", 2)
    write_prompts(tmp_path / "p.json", [mother, daughter])
    intake = file_to_prompts(tmp_path / "p.json", AXES, frame_index=0, taken={2, 9})
    assert [one.object_id for one in intake.objects] == [10, 5]
    assert intake.objects[0].name == "mother"
    assert intake.objects[1].parent == 10
    assert intake.renumbered == {2: 10}
    assert "2 is now 10" in intake.sentence
    kept = file_to_prompts(tmp_path / "p.json", AXES, frame_index=0, taken=())
    assert [one.object_id for one in kept.objects] == [2, 5]


def test_what_a_book_says_comes_back_from_its_file(tmp_path):
    """Absence, mothers without prompts of their own; locks are not prompts."""
    book = PromptBook(AXES.frame_count)
    book.add_object(name="mother")
    book.add_object(name="daughter", parent=1)
    book.add_object(name="nothing")
    mask = np.zeros(AXES.frame_shape, bool)
    said = [
        FramePrompt(2, 0, (PointPrompt(1.25, 2), PointPrompt(3, 4, positive=False))),
        FramePrompt(2, 1, (PointPrompt(1, 2),), BoxPrompt(0, 0.5, 4, 5)),
        FramePrompt(2, 2, mask=MaskPrompt(mask)),
        FramePrompt(4, 1, mask=MaskPrompt(mask | (np.indices(mask.shape)[0] > 2))),
    ]
    book.set_prompts(said, "all kinds")
    book.flag(FrameFlag.LOCKED, [2], FrameSet.between(0, 1))
    saved = SavedPrompts(prompts_of(book.state), tmp_path / "p.json")
    saved.write()
    assert [file.name for file in saved.masks.iterdir()] == ["4-1.png"]
    other = PromptBook(AXES.frame_count)
    intake = file_to_prompts(saved.path, AXES, frame_index=0, taken=())
    other.take_in(intake)
    assert [(o.object_id, o.name, o.parent) for o in other.state.objects] == [
        (1, "mother", None),
        (2, "daughter", 1),
        (4, "", None),
    ]
    for prompt in said:
        back = other.state[prompt.object_id].prompt_at(prompt.frame_index)
        assert (back.points, back.box) == (prompt.points, prompt.box)
        if prompt.mask is not None:
            np.testing.assert_array_equal(back.mask.mask, prompt.mask.mask)
    assert sum(len(one.prompts) for one in other.state.objects) == len(said)
    with pytest.raises(InputError, match="no prompts to save"):
        prompts_of(BookState())


def test_ids_run_out_after_the_gaps_are_filled():
    taken = set(range(1, 65536)) - {7}
    assert new_ids([8], taken) == {8: 7}
    with pytest.raises(InputError, match="no more object ids"):
        list(free_ids(taken))
