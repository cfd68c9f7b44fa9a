"""A region of interest: the model looks at a part of the frames, labels are whole."""

from dataclasses import replace

import numpy as np
import pytest
from tests.engine.engine_steps import Table, click, done_frames, of_kind

from napari_sam2.engine import Hovered, Pictured, SessionRead
from napari_sam2.engine.events import MasksFound, ObjectsFound
from napari_sam2.errors import InputError
from napari_sam2.session.planning.plan import Direction
from napari_sam2.tracking.automatic.mask_options import MaskOptions
from napari_sam2.tracking.automatic.masklet_options import MaskletOptions

REGION = 10, 30, 64, 48
INSIDE = (40, 50)
FRAMES = 12


def within(request, region=REGION):
    image = request.image
    return replace(
        request, image=replace(image, axes=replace(image.axes, region=region))
    )


@pytest.fixture
def table(request_for):
    return Table(within(request_for()), FRAMES)


def outside(labels):
    y, x, height, width = REGION
    beside = np.array(labels)
    beside[y : y + height, x : x + width] = 0
    return beside


def cut(array):
    y, x, height, width = REGION
    return np.ascontiguousarray(array[..., y : y + height, x : x + width])


def test_a_region_is_tracked_as_a_movie_that_was_cut_out(table, request_for, stack):
    y, x, *_ = REGION
    table.say(click(1, 0, INSIDE))
    table.track()
    cropped = Table(request_for("cropped.zarr", array=cut(stack)), FRAMES)
    cropped.say(click(1, 0, (INSIDE[0] - y, INSIDE[1] - x)))
    cropped.track()
    for frame in range(FRAMES):
        labels = table.labels(frame)
        assert labels.shape == stack.shape[1:]
        assert not outside(labels).any()
        np.testing.assert_array_equal(cut(labels), cropped.labels(frame))
    assert table.store.layout.region == REGION
    assert table.store.provenance.settings["region"] == list(REGION)


def test_a_region_comes_back_with_its_session(table):
    table.say(click(1, 0, INSIDE))
    table.track()
    request = table.request
    whole = np.stack([table.labels(frame) for frame in range(FRAMES)])
    table.engine.close()
    again = Table(request, FRAMES)
    (read,) = of_kind(SessionRead, again.engine.read_session(request.folder))
    assert read.region == REGION
    again.book.replace(table.book.state)
    list(again.engine.adopt(request, again.book.state))
    again.say(click(1, 6, (50, 60)))
    assert done_frames(again.track(is_repair=True))
    for frame in range(FRAMES):
        assert not outside(again.labels(frame)).any()
    again.turn(again.engine.undo)
    again.turn(again.engine.undo)
    for frame in range(FRAMES):
        np.testing.assert_array_equal(again.labels(frame), whole[frame])


def test_the_picture_is_what_the_model_looks_at(table):
    (seen,) = of_kind(Pictured, table.engine.picture(table.request, 0))
    assert seen.picture.shape == (*REGION[2:], 3)


def test_previews_lie_where_the_region_is(table):
    table.say(click(1, 0, INSIDE))
    prompt = click(2, 1, INSIDE)
    (seen,) = of_kind(
        Hovered,
        table.engine.hover(table.request, table.book.state, prompt, lambda: True),
    )
    assert seen.mask.any()
    assert not outside(seen.mask).any()


def test_both_ways_through_a_gap_are_compared_in_a_region(table):
    table.say(click(1, 0, INSIDE), click(1, 6, (50, 60)))
    list(table.engine.compare(table.request, table.book.state, 1, 3))
    edit = table.book.keep_direction(1, table.book.state[1].stale, Direction.FORWARD)
    list(table.engine.keep_direction(table.request, edit, Direction.FORWARD))
    assert table.labels(3).any()
    assert not outside(table.labels(3)).any()


def test_what_lies_beside_the_region_is_refused(table):
    with pytest.raises(InputError, match="not lie in the region"):
        table.say(click(1, 0, (90, 100)))


def test_everything_on_a_frame_is_what_is_there_on_the_frame_cut_out(
    request_for, stack, trained
):
    options = MaskOptions(points_per_side=8, minimum_stability=0.5)
    table = Table(within(request_for(model=trained)), FRAMES)
    alone = request_for("cropped.zarr", array=cut(stack), model=trained)
    cropped = Table(alone, FRAMES)
    inside, alone = (
        of_kind(MasksFound, one.engine.search.masks(one.request, 0, options))[0]
        for one in (table, cropped)
    )
    assert inside.labels.any()
    assert not outside(inside.labels).any()
    np.testing.assert_array_equal(cut(inside.labels), alone.labels)


def test_everything_in_the_movie_is_what_is_there_in_the_movie_cut_out(
    request_for, stack, trained
):
    """It was refused in a region of interest."""
    masks = MaskOptions(points_per_side=8, minimum_stability=0.5)
    options = MaskletOptions(masks=masks)
    table = Table(within(request_for(model=trained)), FRAMES)
    alone = request_for("cropped.zarr", array=cut(stack), model=trained)
    inside, alone = (
        of_kind(ObjectsFound, one.engine.search.objects(one.request, options))[0]
        for one in (table, Table(alone, FRAMES))
    )
    assert inside.objects
    for here, there in zip(inside.objects, alone.objects, strict=True):
        for prompt, other in zip(here.prompts, there.prompts, strict=True):
            assert prompt.frame_index == other.frame_index
            assert not outside(prompt.mask.mask).any()
            np.testing.assert_array_equal(cut(prompt.mask.mask), other.mask.mask)


@pytest.mark.parametrize("region", [(0, 0, 200, 40), (90, 0, 10, 40), (0, 0, 8, 8)])
def test_a_region_that_does_not_suit_the_frames_is_refused(request_for, region):
    with pytest.raises(InputError, match="choose one that lies in the frame"):
        Table(within(request_for(), region), FRAMES).say(click(1, 0, (4, 4)))
