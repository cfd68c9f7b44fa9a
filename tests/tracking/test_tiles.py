"""Objects are followed in tiles: as in a movie of the tile alone, from tile to tile."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from napari_sam2.errors import InputError
from napari_sam2.model.memory_attention import MemorySelection
from napari_sam2.prompts import BoxPrompt, FramePrompt, MaskPrompt, PointPrompt
from napari_sam2.tiles import TileLayout
from napari_sam2.tracking.memory.bank import LastTracked
from napari_sam2.tracking.memory.handover import moved, moved_memories, tile_shifts
from napari_sam2.tracking.postprocess import label_image
from napari_sam2.tracking.predictor import StreamingPredictor

SHAPE = (100, 160)
SIDE = 64
FIELDS = ("logits", "object_score", "predicted_iou", "stability", "pointers")


@pytest.fixture(scope="module")
def wide() -> list[np.ndarray]:
    """Six frames of noise and discs, larger than a tile."""
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    frames = []
    for number in range(6):
        noise = np.random.default_rng(number).integers(0, 80, (*SHAPE, 3))
        for row, column in ((20, 20), (70, 40), (30, 120), (80, 140)):
            noise[np.hypot(y - row, x - column - number) < 8] += 150
        frames.append(noise.astype(np.uint8))
    return frames


@pytest.fixture
def tiled(model):
    """Return a maker of predictors that follow objects in tiles, one at a time."""

    def make(**options: object) -> StreamingPredictor:
        return StreamingPredictor(
            model,
            frame_shape=SHAPE,
            device="cpu",
            **{"object_batch": 1, "tile_size": SIDE, **options},
        )

    return make


def clicks(*places: tuple[float, float]) -> list[FramePrompt]:
    return [
        FramePrompt(number, 0, (PointPrompt(y, x),))
        for number, (y, x) in enumerate(places, 1)
    ]


def test_one_tile_that_covers_the_frame_gives_the_same_numbers(
    make_predictor, movie, prompts
):
    plain, one = make_predictor(), make_predictor(tile_size=64)
    for frame_index in range(4):
        said = prompts if frame_index == 0 else ()
        expected = plain.step(frame_index, movie[frame_index], said)
        found = one.step(frame_index, movie[frame_index], said)
        for name in FIELDS:
            np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))
    assert plain.snapshot().keys() == one.snapshot().keys()


def test_a_tile_shows_what_a_movie_of_the_tile_alone_shows(model, tiled, wide):
    predictor = tiled()
    tile = predictor.layout.best((66, 36, 74, 44))
    y, x = predictor.layout.origin(tile)
    alone = StreamingPredictor(
        model, frame_shape=(SIDE, SIDE), device="cpu", object_batch=1
    )
    said = [FramePrompt(1, 0, (PointPrompt(70 - y, 40 - x),))]
    for frame_index, frame in enumerate(wide[:4]):
        crop = predictor.layout.crop(frame, tile)
        expected = alone.step(frame_index, crop, said if frame_index == 0 else ())
        found = predictor.step(
            frame_index, frame, clicks((70, 40)) if frame_index == 0 else ()
        )
        if found.tiles.tolist() != [tile]:
            pytest.fail("the object was handed over: choose another place")
        for name in FIELDS:
            np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))


def test_each_tile_is_embedded_once_a_frame_however_many_objects(
    model, tiled, wide, monkeypatch
):
    predictor = tiled()
    places = [(20, 20), (20, 24), (24, 20), (80, 140), (84, 140)]
    predictor.step(0, wide[0], clicks(*places))
    embedded = []
    embed = model.embed
    monkeypatch.setattr(
        model, "embed", lambda images: embedded.append(len(images)) or embed(images)
    )
    found = predictor.step(1, wide[1])
    assert len(embedded) == len(set(found.tiles.tolist())) < len(places)


def test_tiles_are_computed_side_by_side_with_the_same_bits(
    model, tiled, wide, monkeypatch
):
    places = [(20, 20), (20, 24), (24, 20), (80, 140), (84, 140), (70, 40), (30, 120)]
    before, told, embedded = torch.get_num_threads(), [], []
    embed = model.embed
    monkeypatch.setattr(
        model, "embed", lambda images: embedded.append(len(images)) or embed(images)
    )
    for count in (1, 2):
        torch.set_num_threads(count)
        try:
            predictor = tiled(object_batch=2)
            assert predictor.precision.lanes == count
            predictor.step(0, wide[0], clicks(*places))
            embedded.clear()
            told.append((predictor.step(1, wide[1]), predictor.snapshot()))
        finally:
            torch.set_num_threads(before)
        assert len(embedded) == len(set(told[-1][0].tiles.tolist())) > 2
    (alone, kept), (beside, also_kept) = told
    for name in FIELDS:
        np.testing.assert_array_equal(getattr(alone, name), getattr(beside, name))
    for name, array in kept.items():
        np.testing.assert_array_equal(array, also_kept[name], err_msg=name)


def test_an_object_is_handed_over_with_its_memory(tiled, wide):
    predictor = tiled()
    layout = predictor.layout
    predictor.step(0, wide[0], clicks((20, 20)))
    assert predictor.bank.anchors(1)[0].stored.tile == 0
    side = predictor.bank.tensors.logits.shape[-1]
    at_border = np.full((1, side, side), -10, np.float32)
    at_border[0, 4:6, -2:] = 5
    predictor.bank.assume_tracked([1], LastTracked(1, reverse=False), at_border)
    found = predictor.step(2, wide[2])
    assert found.tiles.tolist() == [1]
    assert np.isfinite(found.logits).all()
    shift = layout.shift(0, 1)
    assert shift[0] == 0 > shift[1]
    memory = predictor.bank.select([1], 3, reverse=False, tile=1)
    assert memory.known is not None
    tokens = memory.spatial.shape[-1]
    # The anchor was moved; the frame that was tracked here tells of all.
    assert memory.known[0, 0].sum() == tokens * (tokens + shift[1])
    assert memory.known[0, -1].all()


def test_an_object_that_is_not_seen_is_waited_for_where_it_was(tiled, wide):
    predictor = tiled()
    predictor.step(0, wide[0], clicks((80, 140)))
    tile = predictor.bank.anchors(1)[0].stored.tile
    side = predictor.bank.tensors.logits.shape[-1]
    nothing = np.full((1, side, side), -1024, np.float32)
    last = LastTracked(1, reverse=False, tile=tile)
    predictor.bank.assume_tracked([1], last, nothing)
    assert predictor.step(2, wide[2]).tiles.tolist() == [tile]


def test_a_restored_predictor_goes_on_bit_by_bit(tiled, wide):
    running, restored = tiled(), tiled()
    running.step(0, wide[0], clicks((20, 20), (80, 140)))
    running.step(1, wide[1])
    restored.restore(running.snapshot())
    for frame_index in (2, 3, 4):
        found = restored.step(frame_index, wide[frame_index])
        expected = running.step(frame_index, wide[frame_index])
        for name in (*FIELDS, "tiles"):
            np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))


def test_a_replayed_anchor_is_the_same_again(tiled, wide):
    predictor, again = tiled(), tiled()
    predictor.step(0, wide[0], clicks((20, 20), (80, 140)))
    again.replay(0, wide[0], *predictor.anchors())
    np.testing.assert_array_equal(
        predictor.step(1, wide[1]).logits, again.step(1, wide[1]).logits
    )


def test_masks_come_to_lie_where_they_were_drawn(tiled, wide):
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    masks = [np.hypot(y - row, x - 145) < 9 for row in (30, 92)]
    said = [
        FramePrompt(number, 0, mask=MaskPrompt(mask))
        for number, mask in enumerate(masks, 1)
    ]
    predictor = tiled(fill_holes=0)
    found = predictor.step(0, wide[0], said)
    windows = predictor.layout.windows(found.tiles)
    labels = label_image(found.object_ids, found.logits, SHAPE, windows=windows)
    for number, mask in enumerate(masks, 1):
        both = ((labels == number) & mask).sum() / ((labels == number) | mask).sum()
        assert both > 0.8


def test_what_is_larger_than_a_tile_is_refused_in_words(tiled, wide):
    said = [FramePrompt(7, 0, box=BoxPrompt(10, 10, 30, 100))]
    with pytest.raises(InputError, match=r"object 7, frame 0: .* tile of 64 pixels"):
        tiled().step(0, wide[0], said)


def test_negative_clicks_in_other_tiles_say_nothing_new(tiled, wide):
    far = PointPrompt(90, 150, positive=False)
    near = [FramePrompt(1, 0, (PointPrompt(20, 20),))]
    said = [FramePrompt(1, 0, (PointPrompt(20, 20), far))]
    np.testing.assert_array_equal(
        tiled().step(0, wide[0], said).logits, tiled().step(0, wide[0], near).logits
    )


def test_memories_are_moved_by_tokens_and_what_is_unknown_is_left_out():
    layout = TileLayout.of_side((64, 256), 64, 4)
    spatial = torch.arange(32.0).reshape(1, 2, 1, 4, 4)
    memory = MemorySelection(
        spatial=spatial,
        time_index=torch.zeros(1, 2, dtype=torch.int64),
        spatial_valid=torch.ones(1, 2, dtype=torch.bool),
        pointers=torch.zeros(1, 0, 4),
        pointer_distance=torch.zeros(1, 0),
        pointer_valid=torch.ones(1, 0, dtype=torch.bool),
    )

    def seen_in(tile, tiles, memory):
        return moved_memories(memory, tile_shifts(tile, np.asarray(tiles), layout))

    right = layout.shift(0, 1)[1]
    found = seen_in(1, [[0, 1]], memory)
    assert found.known is not None
    kept, before = 4 + right, spatial[0, 0, 0]
    torch.testing.assert_close(found.spatial[0, 0, 0, :, :kept], before[:, -right:])
    assert found.known[0, 0, :, :kept].all()
    assert not found.known[0, 0, :, kept:].any()
    torch.testing.assert_close(found.spatial[0, 1], spatial[0, 1])
    assert found.known[0, 1].all()
    # Nothing is near: better a memory in the wrong place than none.
    last = len(layout) - 1
    lost = seen_in(last, [[0, 0]], memory)
    assert lost.known is not None
    assert lost.known.all()
    assert seen_in(1, [[1, 1]], memory) is memory
    one = replace(memory, spatial_valid=torch.tensor([[True, False]]))
    assert seen_in(last, [[0, last]], one).known.all()


def test_logits_are_moved_by_pixels():
    logits = np.arange(16.0).reshape(4, 4)
    found = moved(logits, (1, -2), fill=-10)
    np.testing.assert_array_equal(found[1:, :2], logits[:3, 2:])
    assert (found[0] == -10).all()
    assert (found[:, 2:] == -10).all()
    assert (moved(logits, (5, 0), fill=-10) == -10).all()
