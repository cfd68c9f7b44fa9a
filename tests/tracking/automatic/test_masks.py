"""Automatic masks: what is asked, what is kept, and the label image of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_sam2.errors import InputError
from napari_sam2.model.checkpoints.checkpoint import load_model
from napari_sam2.synthetic import MovieConfig, SimulatedMovie, preset
from napari_sam2.tracking.automatic.generator import MaskGenerator, chosen
from napari_sam2.tracking.automatic.grid import crops_of
from napari_sam2.tracking.automatic.mask_options import MaskOptions
from napari_sam2.tracking.automatic.masks import AutomaticMask, cleaned, label_masks
from napari_sam2.tracking.predictor import StreamingPredictor

EVERYTHING = MaskOptions(
    points_per_side=6,
    minimum_iou=0.0,
    minimum_stability=0.0,
    minimum_presence=-1024.0,
    minimum_area=1,
    maximum_share=1.0,
)


def piece(y0: int, x0: int, pixels: np.ndarray, quality: float = 1.0) -> AutomaticMask:
    return AutomaticMask(y0, x0, pixels.astype(bool), quality, 1.0, 1.0, (0.0, 0.0))


@given(
    st.tuples(st.integers(16, 400), st.integers(16, 400)),
    st.integers(0, 3),
    st.floats(0, 0.6),
)
def test_crops_cover_the_frame(
    shape: tuple[int, int], tiers: int, overlap: float
) -> None:
    for tier in range(tiers + 1):
        seen = np.zeros(shape, int)
        for crop in crops_of(shape, tiers, overlap):
            if crop.tier == tier:
                crop.of(seen)[:] += 1
        assert seen.all()


def test_the_better_mask_gets_the_pixel() -> None:
    ten = np.ones((10, 10))
    worse, better = piece(0, 0, ten, 0.5), piece(5, 0, ten, 0.9)
    labels, kept = label_masks([worse, better], (20, 20))
    assert [mask.area for mask in kept] == [100, 50]
    assert (labels[5:15, :10] == 1).all()
    assert (labels[:5, :10] == 2).all()
    assert np.count_nonzero(labels) == 150


def test_a_mask_that_is_hidden_is_left_out() -> None:
    ten = np.ones((10, 10))
    masks = [piece(0, 0, ten, 0.5), piece(4, 0, ten, 0.9)]
    labels, kept = label_masks(masks, (20, 20), minimum_visible=0.5)
    assert len(kept) == 1
    assert labels.max() == 1


def test_a_sliver_of_a_cell_is_no_cell_and_who_lies_alone_is_one() -> None:
    """At a stability of 0.7 half of a nucleus became an object beside the whole."""
    occupied = np.zeros((20, 20), bool)
    occupied[:4] = True
    alone, sliver = piece(10, 0, np.ones((10, 10))), piece(0, 0, np.ones((10, 10)))
    masks = [replace(one, stability=0.75) for one in (alone, sliver)]
    shares = {"minimum_visible": 0.5, "unsure_visible": 0.75}
    _, kept = label_masks(masks, (20, 20), occupied=occupied, **shares)
    assert [one.y0 for one in kept] == [10]
    masks[1] = replace(sliver, stability=0.8)
    _, kept = label_masks(masks, (20, 20), occupied=occupied, **shares)
    assert len(kept) == 2


def test_of_two_in_one_place_the_unsure_one_stands_back() -> None:
    ten = np.ones((10, 10))
    sure, unsure = piece(0, 0, ten, 0.7), piece(0, 1, ten, 0.9)
    both = [sure, replace(unsure, stability=0.75)]
    (kept,) = chosen(both, MaskOptions())
    assert kept.predicted_iou == 0.7
    (kept,) = chosen(both, MaskOptions(unsure_visible=0))  # as the official ones
    assert kept.predicted_iou == 0.9


def test_occupied_pixels_are_nobodys() -> None:
    occupied = np.zeros((20, 20), bool)
    occupied[:, 3:] = True
    labels, kept = label_masks(
        [piece(0, 0, np.ones((10, 10)))], (20, 20), occupied=occupied
    )
    assert kept[0].area == 30
    assert not labels[occupied].any()


def test_holes_are_filled_and_specks_removed() -> None:
    pixels = np.zeros((12, 12), bool)
    pixels[:8, :8] = True
    pixels[3, 3] = False
    pixels[11, 11] = True
    clean = cleaned(piece(0, 0, pixels), 5)
    assert clean is not None
    assert clean.area == 64
    assert cleaned(piece(0, 0, np.ones((2, 2))), 5) is None


def test_nobody_asks_where_something_is(
    make_predictor: Callable[..., StreamingPredictor], movie: list[np.ndarray]
) -> None:
    network = make_predictor().network
    generator = MaskGenerator(network, EVERYTHING)
    shape = movie[0].shape[:2]
    occupied = np.zeros(shape, bool)
    occupied[:, 30:] = True
    points = [mask.point for mask in generator.find(0, movie[0], occupied)]
    assert points
    assert not any(occupied[int(y), int(x)] for y, x in points)
    assert generator.find(0, movie[0], np.ones(shape, bool)) == []


def test_batches_do_not_change_what_is_found(
    make_predictor: Callable[..., StreamingPredictor],
    movie: list[np.ndarray],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    generator = MaskGenerator(make_predictor().network, EVERYTHING)
    whole = generator.find(0, movie[0])
    monkeypatch.setattr("napari_sam2.tracking.batching.CPU_BUDGET", 1)
    one_by_one = generator.find(0, movie[0])
    assert [mask.point for mask in one_by_one] == [mask.point for mask in whole]
    assert all(
        np.array_equal(a.piece, b.piece) for a, b in zip(one_by_one, whole, strict=True)
    )


def test_crops_find_what_is_small(
    make_predictor: Callable[..., StreamingPredictor], movie: list[np.ndarray]
) -> None:
    options = MaskOptions(
        **{name: getattr(EVERYTHING, name) for name in EVERYTHING.__slots__}
        | {"crop_tiers": 1, "box_overlap": 1.0}
    )
    network = make_predictor().network
    found = MaskGenerator(network, options).find(0, movie[0])
    alone = MaskGenerator(network, EVERYTHING).find(0, movie[0])
    assert len(found) > len(alone)
    shape = movie[0].shape[:2]
    assert all(mask.on(shape).any() for mask in found)


def test_a_number_out_of_range_is_refused() -> None:
    with pytest.raises(InputError, match=r"--minimum-iou 1.5: give 0 to 1"):
        MaskOptions(minimum_iou=1.5)


def test_nano_finds_simulated_nuclei() -> None:
    movie = SimulatedMovie(preset("nuclei", seed=101, frame_count=1))
    grey = movie.frame(0).astype(np.float64)
    low, high = np.percentile(grey, (0.1, 99.9))
    level = np.rint(np.clip((grey - low) / (high - low), 0, 1) * 255).astype(np.uint8)
    frame = np.repeat(level[..., None], 3, axis=-1)
    predictor = StreamingPredictor(
        load_model("nano"), frame_shape=frame.shape[:2], device="cpu"
    )
    options = MaskOptions(points_per_side=16)
    generator = MaskGenerator(predictor.network, options)
    _, kept = label_masks(
        generator.find(0, frame),
        frame.shape[:2],
        minimum_visible=options.minimum_visible,
        unsure_visible=options.unsure_visible,
    )
    truth = movie.labels(0)
    large = [one for one in np.unique(truth) if one and (truth == one).sum() >= 40]
    assert len(kept) == len(large)


def test_tiles_find_cells_that_whole_frames_lose() -> None:
    config = MovieConfig(
        frame_count=1, frame_shape=(384, 384), cell_count=8, cell_size=16,
        division_rate=0, overlap=0, open_border=False, seed=2,
    )  # fmt: skip
    movie = SimulatedMovie(config)
    level = np.clip((movie.frame(0).astype(np.float64) - 90) / 2400, 0, 1) * 255
    frame = np.repeat(level.astype(np.uint8)[..., None], 3, axis=-1)
    truth, model, hits = movie.labels(0), load_model("nano"), {}
    for tiles in (None, 160):
        predictor = StreamingPredictor(
            model, frame_shape=frame.shape[:2], device="cpu", tile_size=tiles
        )
        generator = MaskGenerator(predictor.network, MaskOptions(points_per_side=16))
        labels, _ = label_masks(generator.find(0, frame), frame.shape[:2])
        hits[tiles] = sum(
            _is_found(labels, truth == cell) for cell in np.unique(truth[truth > 0])
        )
    assert hits[160] > hits[None]


def _is_found(labels: np.ndarray, cell: np.ndarray) -> bool:
    guess = labels == np.bincount(labels[cell]).argmax()
    return bool(guess.any() and (guess & cell).sum() > 0.5 * (guess | cell).sum())
