"""Driven the same way, the stream gives the official video predictor's masks.

The oracle reads the movie from files, is prompted on one frame per object, and is
corrected right after the stream reached the frame. Its corrections become conditioning
frames, as Meta's own products configure it; the tests at the end say where we differ
from its defaults, and why.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

pytest.importorskip("sam2", reason="the reference implementation is not installed")

from tests.model.official import Scene, make_scene
from tests.model.official_stream import Masks, OfficialStream, drifting_movie

from napari_sam2.prompts import BoxPrompt, FramePrompt, MaskPrompt, PointPrompt
from napari_sam2.tracking.postprocess import fill_holes, label_image
from napari_sam2.tracking.predictor import StreamingPredictor
from napari_sam2.tracking.preprocess import FrameGeometry
from napari_sam2.tracking.step_result import StepResult

Record = Callable[[str, float], None]

TOLERANCE = 1e-4
SHAPE = (200, 240)
SIZE = 256
FRAMES = 24
MIDDLE = 11
SEED = 3


@pytest.fixture(scope="module")
def movie() -> list[np.ndarray]:
    return drifting_movie(FRAMES, SHAPE, SEED)


@pytest.fixture(scope="module")
def scene(movie: list[np.ndarray]) -> Iterator[Scene]:
    geometry = FrameGeometry(SHAPE, SIZE)
    images = [geometry.frame_tensor(movie[i]) for i in (0, MIDDLE, FRAMES - 1)]
    with torch.inference_mode():
        yield make_scene("sam2.1_tiny", torch.cat(images), SEED, tracked=True)


def first_prompts(frame: int) -> list[FramePrompt]:
    """One object clicked, one boxed and clicked, one given as a mask."""
    mask = np.zeros(SHAPE, dtype=bool)
    mask[40:170, 60:210] = True
    return [
        FramePrompt(1, frame, points=(PointPrompt(80, 100),)),
        FramePrompt(
            2,
            frame,
            points=(PointPrompt(90, 70), PointPrompt(20, 200, positive=False)),
            box=BoxPrompt(40, 30, 150, 120),
        ),
        FramePrompt(3, frame, mask=MaskPrompt(mask)),
    ]


CORRECTION = FramePrompt(
    1, MIDDLE, points=(PointPrompt(150, 60), PointPrompt(30.5, 180.25, positive=False))
)


class OurStream:
    """Our predictor, as exact as can be, and once in a while as fast as can be.

    The official predictor computes one object at a time. So does ours here: then equal
    sums are rounded equally, and every difference is a fault. What batches of objects
    change is measured apart, from the same memory, or it would add up over frames:
    random weights make a chaotic tracker.
    """

    def __init__(
        self, scene: Scene, movie: list[np.ndarray], comparison: Comparison
    ) -> None:
        self.movie, self.comparison = movie, comparison
        self.alone = our_predictor(scene, movie, object_batch=1)
        self.together = our_predictor(scene, movie)
        self.together.network.embeddings = self.alone.network.embeddings

    def step(
        self,
        frame: int,
        official: Masks,
        prompts: Sequence[FramePrompt] = (),
        *,
        reverse: bool = False,
    ) -> StepResult:
        shown = (frame, self.movie[frame], prompts)
        if frame % 6 == 3:
            self.together.restore(self.alone.snapshot())
            self.comparison.batched(
                self.together.step(*shown, reverse=reverse), official
            )
        result = self.alone.step(*shown, reverse=reverse)
        self.comparison(result, official)
        return result


def our_predictor(
    scene: Scene, movie: list[np.ndarray], object_batch: int | None = None
) -> StreamingPredictor:
    return StreamingPredictor(
        scene.ours,
        frame_shape=SHAPE,
        frame_count=len(movie),
        device="cpu",
        precision="fp32",
        max_anchors=None,
        fill_holes=0,
        object_batch=object_batch,
        image_size=SIZE,
    )


class Comparison:
    """Compares frame by frame; says the largest difference of all at the end."""

    def __init__(self, record_number: Record) -> None:
        self.record_number = record_number
        self.largest: dict[str, float] = {}
        self.covered: list[float] = []
        self.present: list[bool] = []
        self.frames = 0

    def __call__(self, ours: StepResult, official: Masks) -> None:
        self.frames += 1
        for name in ("logits", "object_score", "pointers"):
            self._differ(name, getattr(ours, name), getattr(official, name))
        assert np.array_equal(ours.logits > 0, official.logits > 0)  # identical masks
        labels = label_image(ours.object_ids, ours.logits, SHAPE)
        self._same_labels(labels, official)
        is_present = official.object_score > 0
        self.present += is_present.tolist()
        self.covered += [(x > 0).mean() for x in official.logits[is_present]]

    def batched(self, ours: StepResult, official: Masks) -> None:
        for name in ("logits", "object_score", "pointers"):
            values = getattr(ours, name), getattr(official, name)
            self._differ(f"{name} in batches", *values)

    def _same_labels(self, labels: np.ndarray, official: Masks) -> None:
        """Labels are equal, but for rare pixels on which two objects tie."""
        differs = labels != official_labels(official)
        background = np.zeros((1, *labels.shape), np.float32)
        rivals = np.sort(np.concatenate([official.movie_logits, background]), axis=0)
        assert differs.mean() <= RAREST
        assert np.all((rivals[-1] - rivals[-2])[differs] < TIE)

    def _differ(self, name: str, ours: np.ndarray, official: np.ndarray) -> None:
        assert ours.shape == official.shape
        difference = float(np.abs(ours - official).max())
        self.largest[name] = max(self.largest.get(name, 0.0), difference)
        assert difference <= TOLERANCE

    def finish(self, *, frames: int) -> None:
        """Check that the comparison proved something, and write its numbers."""
        assert self.frames == frames
        for name, value in self.largest.items():
            self.record_number(f"max |Δ| {name}", value)
        self.record_number("least share of the frame in a mask", min(self.covered))
        self.record_number("most", max(self.covered))
        self.record_number("share of masks present", float(np.mean(self.present)))
        assert min(self.covered) >= 0.2
        assert max(self.covered) <= 0.8
        assert 0.1 <= np.mean(self.present) <= 0.95


TIE = 1e-5
"""Two logits at the movie's size whose order the rounding of a processor decides."""
RAREST = 1e-4
"""Share of the pixels of a frame on which such a tie may be decided otherwise."""


def official_labels(masks: Masks) -> np.ndarray:
    """Give each pixel to the highest positive logit, as the label image does."""
    best = masks.movie_logits.argmax(axis=0)
    inside = masks.movie_logits.max(axis=0) > 0
    return np.where(inside, best + 1, 0).astype(np.uint16)


def test_forward_with_a_correction_in_the_middle(
    scene: Scene, movie: list[np.ndarray], tmp_path: Path, record_number: Record
) -> None:
    official = OfficialStream(scene.official, movie, tmp_path)
    comparison = Comparison(record_number)
    stream = OurStream(scene, movie, comparison)
    for prompt in first_prompts(0):
        official.prompt(prompt)
    for frame, masks in official.run(0, more=MIDDLE):
        tracked = stream.step(frame, masks, first_prompts(0) if frame == 0 else ())

    official.prompt(CORRECTION)
    for frame, masks in official.run(MIDDLE, more=0):
        corrected = stream.step(frame, masks, [CORRECTION])
    difference = corrected.logits[0] - tracked.logits[0]
    assert np.abs(difference).mean() > 0.1  # the correction changed something

    for frame, masks in official.run(MIDDLE + 1):
        stream.step(frame, masks)
    comparison.finish(frames=FRAMES + 1)


def test_reverse_from_a_fresh_state(
    scene: Scene, movie: list[np.ndarray], tmp_path: Path, record_number: Record
) -> None:
    official = OfficialStream(scene.official, movie, tmp_path)
    comparison = Comparison(record_number)
    stream = OurStream(scene, movie, comparison)
    last = FRAMES - 1
    for prompt in first_prompts(last):
        official.prompt(prompt)
    for frame, masks in official.run(last, reverse=True):
        prompts = first_prompts(last) if frame == last else ()
        stream.step(frame, masks, prompts, reverse=True)
    comparison.finish(frames=FRAMES)


def test_between_two_anchors_of_a_short_movie(
    scene: Scene, movie: list[np.ndarray], tmp_path: Path, record_number: Record
) -> None:
    """Below 16 frames the movie's length counts; both anchors are attended to."""
    short = movie[:8]
    official = OfficialStream(scene.official, short, tmp_path)
    predictor = our_predictor(scene, short, object_batch=1)
    comparison = Comparison(record_number)
    prompts = {0: first_prompts(0)[0], 6: first_prompts(6)[2]}
    prompts[6] = replace(prompts[6], object_id=1)
    for frame, prompt in prompts.items():
        official.prompt(prompt)
        predictor.step(frame, movie[frame], [prompt])
    predictor.forget_recent()
    for frame, masks in official.run(0):
        comparison(predictor.step(frame, movie[frame]), masks)
    assert comparison.frames == len(short)
    for name, value in comparison.largest.items():
        record_number(f"max |Δ| {name}", value)


# --- Where we differ on purpose


def test_a_correction_lasts_unlike_by_official_default(
    scene: Scene, movie: list[np.ndarray], tmp_path: Path
) -> None:
    """By default the official predictor forgets it when it propagates again.

    Users report that as a fault (facebookresearch/sam2#719, #731). A correction that
    has no effect is of no use to anyone: ours always becomes an anchor.
    """
    short = movie[:3]
    official = OfficialStream(scene.official, short, tmp_path)
    correction = replace(CORRECTION, frame_index=2)
    scene.official.add_all_frames_to_correct_as_cond = False
    try:
        official.prompt(first_prompts(0)[0])
        before = dict(official.run(0))[2]
        official.prompt(correction)
        after = dict(official.run(2))[2]
    finally:
        scene.official.add_all_frames_to_correct_as_cond = True
    assert np.array_equal(after.logits, before.logits)

    predictor = our_predictor(scene, short)
    predictor.step(0, movie[0], first_prompts(0)[:1])
    for frame in (1, 2):
        tracked = predictor.step(frame, movie[frame])
    corrected = predictor.step(2, movie[2], [correction])
    again = predictor.step(2, movie[2])
    assert np.array_equal(again.logits, corrected.logits)
    assert not np.array_equal(again.logits, tracked.logits)


def test_a_future_anchor_alone_is_enough_unlike_officially(
    scene: Scene, movie: list[np.ndarray], tmp_path: Path
) -> None:
    """In float32 the official predictor stops: bfloat16 memory meets float32 weights.

    Without pointers of the past nothing turns its memory into float32. Ours is cast,
    and gives what the official one does once its memory is cast, too.
    """
    short = movie[:4]
    anchor = first_prompts(3)[0]
    official = OfficialStream(scene.official, short, tmp_path)
    official.prompt(anchor)
    with pytest.raises(RuntimeError, match="BFloat16"):
        next(official.run(1))
    kept = official.outputs(0, 3)
    kept["maskmem_features"] = kept["maskmem_features"].float()
    _, expected = next(official.run(1))

    predictor = our_predictor(scene, short)
    predictor.step(3, movie[3], [anchor])
    predictor.forget_recent()
    result = predictor.step(1, movie[1])
    assert np.abs(result.object_score - expected.object_score).max() <= TOLERANCE
    assert np.abs(result.logits - expected.logits).max() <= TOLERANCE
    assert np.array_equal(result.logits > 0, expected.logits > 0)


def test_holes_are_filled_everywhere_unlike_officially_without_cuda() -> None:
    """The official CUDA kernel is missing on other devices, and holes stay.

    A mask should not depend on the machine. Holes are counted as that kernel does:
    diagonal neighbours belong together, up to 8 pixels are filled with +0.1.
    """
    from sam2.utils.misc import fill_holes_in_mask_scores

    logits = np.full((1, 16, 16), 5, dtype=np.float32)
    small = [(1, 1), (2, 2), (3, 3), (3, 4), (2, 5), (1, 6), (1, 7), (2, 8)]
    large = [*((8, x) for x in range(8)), (9, 8)]
    for row, column in small + large:
        logits[0, row, column] = -3
    with pytest.warns(UserWarning, match="Skipping the post-processing step"):
        official = fill_holes_in_mask_scores(torch.from_numpy(logits)[None], 8)
    assert np.array_equal(official[0], logits)

    expected = logits.copy()
    for row, column in small:
        expected[0, row, column] = 0.1
    assert np.array_equal(fill_holes(logits, 8), expected)
