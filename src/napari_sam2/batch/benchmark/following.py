"""Who follows objects through a video: the network, or a baseline."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from napari_sam2.batch.benchmark.rules import Rules
from napari_sam2.errors import InputError
from napari_sam2.io.training.mask_videos import Masks, MaskVideo, masks_of
from napari_sam2.metrics.clicks import bounding_box, next_click
from napari_sam2.model.sam2 import Sam2
from napari_sam2.prompts import BoxPrompt, FramePrompt, MaskPrompt, PointPrompt
from napari_sam2.tiles import TileLayout
from napari_sam2.tracking.embedding_cache import EmbeddingCache
from napari_sam2.tracking.postprocess import label_image
from napari_sam2.tracking.precision import choose_device
from napari_sam2.tracking.predictor import StreamingPredictor
from napari_sam2.tracking.step_result import StepResult

PROMPTS = ("mask", "box", "1 click", "3 clicks", "5 clicks")

Follow = Callable[[MaskVideo, Rules], Iterator[Masks]]
"""A video → the masks of each of its frames."""


@dataclass(frozen=True, slots=True)
class Tracker:
    """A network, and how it is run.

    Attributes
    ----------
    device
        As for `StreamingPredictor`.
    image_size
        Side of its input; None as it was trained.
    official
        Whether everything in which our tracker differs from the official one is off:
        all anchors take part in attention, holes are filled on CUDA alone, masks have
        parts.
    """

    model: Sam2
    device: str = "auto"
    image_size: int | None = None
    official: bool = False

    def predictor(
        self, video: MaskVideo, embeddings: EmbeddingCache | None = None
    ) -> StreamingPredictor:
        """Return a predictor that has seen nothing but, perhaps, embeddings."""
        leaves_holes = self.official and choose_device(self.device).type != "cuda"
        return StreamingPredictor(
            self.model,
            frame_shape=video.frame_shape,
            frame_count=video.frame_count,
            device=self.device,
            image_size=self.image_size,
            embeddings=embeddings,
            max_anchors=None if self.official else 2,
            fill_holes=0 if leaves_holes else 8,
            one_component=False if self.official else None,
        )

    def overlaps(self, rules: Rules) -> bool:
        """Return whether masks may overlap."""
        return rules.overlap or self.official


def follow(
    tracker: Tracker, prompt: str, video: MaskVideo, rules: Rules
) -> Iterator[Masks]:
    """Follow every object from its own first true mask, all objects together.

    Parameters
    ----------
    prompt
        One of `PROMPTS`: what is said of an object on its first annotated frame. Each
        click mends the answer to those before it.
    video, rules
        What is followed, and whether masks may overlap.
    """
    predictor = tracker.predictor(video)
    starts = first_masks(video, rules)
    for index in range(video.frame_count):
        frame = video.read_frame(index)
        begun = starts.get(index, {})
        prompts = _prompts(predictor, prompt, index, frame, begun) if begun else ()
        step = predictor.step(index, frame, prompts)
        yield masks_in(step, predictor.layout, overlap=tracker.overlaps(rules))


def first_masks(video: MaskVideo, rules: Rules) -> dict[int, dict[int, np.ndarray]]:
    """Return, by frame, the masks of the objects that are first annotated there."""
    found: dict[int, dict[int, np.ndarray]] = {}
    known: set[int] = set()
    annotated = (
        video.annotated[:1] if rules.begins == "first frame" else video.annotated
    )
    for index in annotated:
        masks = video.read_masks(index)
        new = {one: mask for one, mask in masks.items() if one not in known}
        if new:
            found[index] = new
            known |= set(new)
    if not found:
        raise InputError(f"{video.name}: no object is annotated")
    return found


def masks_in(step: StepResult, layout: TileLayout, *, overlap: bool) -> Masks:
    """Return the masks of a step at the video's resolution."""
    shape, windows = layout.frame_shape, layout.windows(step.tiles)
    if overlap:
        rows = zip(step.object_ids, step.logits, windows, strict=True)
        return {
            one: label_image((1,), logits[None], shape, np.uint8, [window]) == 1
            for one, logits, window in rows
        }
    labels = label_image(step.object_ids, step.logits, shape, np.uint32, windows)
    return {one: labels == one for one in step.object_ids}


def _prompts(
    predictor: StreamingPredictor,
    prompt: str,
    index: int,
    frame: np.ndarray,
    masks: Masks,
) -> Sequence[FramePrompt]:
    if prompt == "mask":
        return [FramePrompt(one, index, mask=MaskPrompt(m)) for one, m in masks.items()]
    if prompt == "box":
        return [
            FramePrompt(one, index, box=BoxPrompt(*map(float, bounding_box(mask))))
            for one, mask in masks.items()
        ]
    points: dict[int, tuple[PointPrompt, ...]] = dict.fromkeys(masks, ())
    guess: Masks = {}
    for number in range(int(prompt.split()[0])):
        if number:
            clicked = _clicked(index, points)
            guess = masks_in(
                predictor.preview(index, frame, clicked), predictor.layout, overlap=True
            )
        for one, mask in masks.items():
            points[one] += clicks_on(mask, guess.get(one))
    return _clicked(index, points)


def clicks_on(truth: np.ndarray, guess: np.ndarray | None) -> tuple[PointPrompt, ...]:
    """Return the next click as a prompt; nothing where nothing is wrong."""
    click = next_click(truth, guess)
    if click is None:
        return ()
    return (PointPrompt(float(click.y), float(click.x), click.positive),)


def _clicked(
    index: int, points: dict[int, tuple[PointPrompt, ...]]
) -> list[FramePrompt]:
    return [FramePrompt(one, index, points=said) for one, said in points.items()]


# --- Baselines: from true masks, whatever the prompt


def hold(video: MaskVideo, rules: Rules) -> Iterator[Masks]:
    """Leave each object where it was first seen."""
    starts = first_masks(video, rules)
    held: dict[int, np.ndarray] = {}
    for index in range(video.frame_count):
        held |= starts.get(index, {})
        yield dict(held)


def otsu_linked(video: MaskVideo, rules: Rules) -> Iterator[Masks]:
    """Threshold each frame (Otsu), and link by the largest overlap.

    The smaller side of the threshold counts as cells. An object that overlaps no
    component is gone for good; of two that overlap the same one, the later id has it.
    """
    starts = first_masks(video, rules)
    current = np.zeros(video.frame_shape, np.int64)
    for index in range(video.frame_count):
        if current.any():
            current = _linked(current, _cells(video.read_frame(index)))
        for one, mask in starts.get(index, {}).items():
            current[mask] = one
        yield masks_of(current)


def _linked(current: np.ndarray, cells: np.ndarray) -> np.ndarray:
    components, _ = ndimage.label(cells)
    linked = np.zeros_like(current)
    for one, mask in masks_of(current).items():
        below = components[mask]
        counts = np.bincount(below[below > 0], minlength=1)
        if counts.any():
            linked[components == int(np.argmax(counts))] = one
    return linked


BASELINES: dict[str, Follow] = {"first-mask": hold, "otsu": otsu_linked}


def _cells(frame: np.ndarray) -> np.ndarray:
    from skimage.filters import gaussian, threshold_otsu

    smooth = gaussian(frame[..., 0].astype(float), 1.0)  # type: ignore[no-untyped-call]
    bright = smooth > threshold_otsu(smooth)  # type: ignore[no-untyped-call]
    cells: np.ndarray = bright if bright.mean() <= 0.5 else ~bright
    return cells
