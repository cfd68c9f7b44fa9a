"""Tiles in a session of the window: small cells are looked at closely."""

from dataclasses import replace

import numpy as np
import pytest
from tests.batch.trees import tree
from tests.engine.engine_steps import Table, click, done_frames, movie_input, of_kind

from napari_sam2.engine import Hovered, Request, SessionRead
from napari_sam2.engine.events import MasksFound, Said
from napari_sam2.errors import InputError
from napari_sam2.prompts import BoxPrompt, FramePrompt
from napari_sam2.session.planning.plan import Direction
from napari_sam2.synthetic import MovieConfig, SimulatedMovie
from napari_sam2.synthetic.clicks import clicks_inside
from napari_sam2.tracking.automatic.mask_options import MaskOptions

FRAMES = 6
SIDE = 64
"""Pixels across the input of the toy network."""
NEAR, FAR = (20, 20), (80, 95)
"""In the first and in the last of the four tiles."""


@pytest.fixture
def make(request_for, stack):
    def table(folder="masklets.zarr", tiles="native"):
        request = replace(request_for(folder, array=stack[:FRAMES]), tiles=tiles)
        return Table(request, FRAMES)

    return table


def all_labels(table):
    return np.stack([table.labels(frame) for frame in range(FRAMES)])


def beside(labels, window):
    y, x, height, width = window
    rest = np.array(labels)
    rest[..., y : y + height, x : x + width] = 0
    return rest


def test_clicks_are_answered_and_shown_before_in_the_tile_around_them(make):
    table = make()
    table.say(click(1, 0, NEAR), click(2, 0, FAR))
    store = table.store
    assert store.provenance.tracker.tiles == SIDE
    first, last = 0, len(store.layout) - 1
    assert [anchor.tile for anchor in store.read_anchors()] == [first, last]
    labels = table.labels(0)
    for object_id, window in enumerate(store.layout.windows([first, last]), 1):
        assert (labels == object_id).any()
        assert not beside(labels == object_id, window).any()
    hover = table.engine.hover(
        table.request, table.book.state, click(3, 1, FAR), lambda: True
    )
    (seen,) = of_kind(Hovered, hover)
    assert seen.mask.any()
    assert not beside(seen.mask, store.layout.windows([last])[0]).any()


def test_what_was_seen_comes_back_in_its_tile_when_a_correction_is_taken_back(make):
    table = make()
    table.say(click(2, 0, FAR))
    table.track()
    before = all_labels(table)
    assert before[3].any()
    table.say(click(2, 3, (70, 100)))
    table.follow(table.book.clear_prompt(2, 3))
    np.testing.assert_array_equal(table.labels(3), before[3])


def test_objects_in_different_tiles_become_one(make):
    table = make()
    table.say(click(1, 0, NEAR), click(2, 0, FAR))
    table.track()
    before = all_labels(table)
    edit = table.book.merge(1, 2)
    list(table.engine.merge(table.request, edit, (1, 2), 0))
    labels = all_labels(table)
    assert not (labels == 2).any()
    one = labels[1:] == 1
    # Between the two, what is interpolated may come to light.
    assert (one & (before[1:] > 0)).sum() > 0.9 * one.sum() > 0
    for object_id in (1, 2):
        assert (one & (before[1:] == object_id)).any()


def test_both_ways_through_a_gap_are_compared_in_tiles(make):
    table = make()
    table.say(click(2, 0, FAR), click(2, 5, FAR))
    list(table.engine.compare(table.request, table.book.state, 2, 3))
    edit = table.book.keep_direction(2, table.book.state[2].stale, Direction.FORWARD)
    list(table.engine.keep_direction(table.request, edit, Direction.FORWARD))
    window = table.store.layout.windows([3])[0]
    assert table.labels(3).any()
    assert not beside(table.labels(3), window).any()


def test_a_session_in_tiles_comes_back_and_goes_on(make):
    table = make()
    table.say(click(1, 0, NEAR), click(2, 0, FAR))
    table.track()
    whole, request = all_labels(table), table.request
    table.engine.close()
    again = Table(request, FRAMES)
    (read,) = of_kind(SessionRead, again.engine.read_session(request.folder))
    assert read.document.model.tiles == SIDE
    again.book.replace(table.book.state)
    list(again.engine.adopt(request, again.book.state))
    again.say(click(2, 4, FAR))
    assert done_frames(again.track(is_repair=True))
    assert again.store.provenance.tracker.tiles == SIDE
    again.turn(again.engine.undo)
    again.turn(again.engine.undo)
    np.testing.assert_array_equal(all_labels(again), whole)


def test_a_run_that_was_stopped_goes_on_in_tiles(make):
    whole, stopped = make("whole.zarr"), make("stopped.zarr")
    for table in (whole, stopped):
        table.say(click(1, 0, NEAR), click(2, 0, FAR))
    whole.track()
    run = stopped.run()
    for event in run:
        if done_frames([event]) == [2]:
            break
    run.close()
    assert done_frames(stopped.track()) == [3, 4, 5]
    np.testing.assert_array_equal(all_labels(stopped), all_labels(whole))


def test_where_one_tile_covers_the_frame_all_is_as_without(make):
    plain, tiled = make("plain.zarr", tiles=None), make("tiled.zarr", tiles=128)
    for table in (plain, tiled):
        table.say(click(1, 0, NEAR), click(2, 0, FAR))
        table.track()
        table.say(click(1, 3, NEAR))
        table.track(is_repair=True)
        table.engine.close()
    ours, theirs = (tree(table.request.folder) for table in (tiled, plain))
    differing = {name for name in ours | theirs if ours.get(name) != theirs.get(name)}
    # The plan's key, and when a step was made, are others in any other session.
    assert not [name for name in differing if "/c/" in name]
    assert tiled.store.provenance == plain.store.provenance


def test_everything_on_a_frame_is_looked_for_in_tiles(make):
    table = make()
    table.say(click(1, 0, NEAR))
    options = MaskOptions(points_per_side=4, minimum_area=1)
    events = list(table.engine.search.masks(table.request, 0, options))
    (found,) = of_kind(MasksFound, events)
    assert found.labels.shape == table.store.frame_shape
    tiles = len(table.store.layout)
    told = [event.text for event in of_kind(Said, events) if "tile" in event.text]
    assert len(told) == tiles - 1 > 0


def test_tiles_of_a_region_see_what_those_of_a_movie_cut_out_see(
    make, request_for, stack
):
    """Cells near the border of the region are cut off there, as where a movie ends."""
    y, x, height, width = region = 7, 11, 80, 84
    request = make().request
    axes = replace(request.image.axes, region=region)
    tiled = Table(replace(request, image=replace(request.image, axes=axes)), FRAMES)
    cut = stack[:FRAMES, y : y + height, x : x + width].copy()
    alone = Table(
        replace(request_for("cut.zarr", array=cut), tiles="native"), FRAMES
    )  # fmt: skip
    for table, (down, right) in ((tiled, (0, 0)), (alone, (y, x))):
        for number, (row, column) in enumerate((NEAR, (80, 88)), 1):
            table.say(click(number, 0, (row - down, column - right)))
        table.track()
        table.say(click(2, 3, (70 - down, 85 - right)))
        table.track(is_repair=True)
    assert len(tiled.store.layout) == len(alone.store.layout) > 1
    labels = all_labels(tiled)
    np.testing.assert_array_equal(
        labels[:, y : y + height, x : x + width], all_labels(alone)
    )
    assert not beside(labels, region).any()
    assert set(np.unique(labels)) == {0, 1, 2}
    tracker = tiled.store.provenance.tracker
    assert (tracker.tiles, tracker.region) == (SIDE, region)
    with pytest.raises(InputError, match="not lie in the region"):
        tiled.say(click(3, 0, (3, 50)))


# --- How large


def table_of(size, model, tmp_path):
    """A frame of 512 × 512 with cells of a size, and somebody who looks closely."""
    config = MovieConfig(
        frame_count=1, frame_shape=(512, 512), cell_count=6, cell_size=size,
        division_rate=0, overlap=0, open_border=False, seed=2,
    )  # fmt: skip
    movie = SimulatedMovie(config)
    image = movie_input(movie.frame(0)[None], (90.0, 2500.0))
    request = Request(image, model, tmp_path / f"{size}.zarr", tiles="auto")
    return movie, Table(request, 1)


def test_boxes_tell_how_large_tiles_are(make):
    table = make(tiles="auto")
    table.say(FramePrompt(1, 0, box=BoxPrompt(18, 18, 25, 25)))
    assert table.store.provenance.tracker.tiles == SIDE


@pytest.mark.parametrize(("size", "tiles"), [(13, 320), (60, None)])
def test_automatic_tiles_follow_what_was_clicked_and_are_shown_before(
    size, tiles, trained, tmp_path
):
    movie, table = table_of(size, trained, tmp_path)
    truth = movie.labels(0)
    cell, place = next(iter(clicks_inside(truth).items()))
    list(table.engine.prepare(table.request))
    prompt = click(1, 0, place)
    shown = table.engine.hover(table.request, table.book.state, prompt, lambda: True)
    (seen,) = of_kind(Hovered, shown)
    table.say(prompt)
    assert table.store.provenance.tracker.tiles == tiles
    mask, there = table.labels(0) == 1, truth == cell
    np.testing.assert_array_equal(seen.mask, mask)
    assert (mask & there).sum() > 0.5 * (mask | there).sum()
