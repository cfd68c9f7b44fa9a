"""Ways to follow objects through a short movie in memory: the model, and baselines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from napari_sam2.batch.benchmark import following
from napari_sam2.batch.benchmark.rules import OTHERS
from napari_sam2.io.training.mask_videos import MaskVideo
from napari_sam2.metrics.clicks import bounding_box, deepest_pixel
from napari_sam2.model.sam2 import Sam2
from napari_sam2.prompts import BoxPrompt, FramePrompt, MaskPrompt, PointPrompt
from napari_sam2.tracking.postprocess import label_image
from napari_sam2.tracking.predictor import StreamingPredictor

KINDS = ("click", "box", "mask")
Masks = Mapping[int, np.ndarray]
"""By object id: ``(Y, X)`` bool on frame 0."""


@dataclass(frozen=True, slots=True)
class Tracked:
    """A frame of a tracked movie.

    Attributes
    ----------
    labels
        ``(Y, X)`` uint16.
    said_present
        By object id: whether its presence score is above 0.
    """

    labels: np.ndarray
    said_present: Mapping[int, bool]


def prompt(object_id: int, mask: np.ndarray, kind: str) -> FramePrompt:
    """Return a prompt for a true mask of frame 0: what a careful person would give."""
    if kind == "mask":
        return FramePrompt(object_id, 0, mask=MaskPrompt(mask))
    if kind == "box":
        return FramePrompt(object_id, 0, box=BoxPrompt(*map(float, bounding_box(mask))))
    point = PointPrompt(*map(float, deepest_pixel(mask)))
    return FramePrompt(object_id, 0, points=(point,))


def track(
    model: Sam2,
    frames: Sequence[np.ndarray],
    masks: Masks,
    kind: str,
    image_size: int | None = None,
    **options: object,
) -> Iterator[Tracked]:
    """Follow objects forward from frame 0, all together; options of the predictor."""
    predictor = StreamingPredictor(
        model,
        frame_shape=frames[0].shape[:2],
        frame_count=len(frames),
        device="cpu",
        image_size=image_size,
        **options,
    )
    prompts = [prompt(object_id, mask, kind) for object_id, mask in masks.items()]
    for index, frame in enumerate(frames):
        result = predictor.step(index, frame, prompts if index == 0 else ())
        labels = label_image(
            result.object_ids, result.logits, frame.shape[:2], np.dtype(np.uint16)
        )
        said = zip(result.object_ids, result.object_score > 0, strict=True)
        yield Tracked(labels, {object_id: bool(here) for object_id, here in said})


def hold(frames: Sequence[np.ndarray], masks: Masks) -> Iterator[Tracked]:
    """Baseline: the first mask stays where it is."""
    return _baseline(following.hold, frames, masks)


def otsu_linked(frames: Sequence[np.ndarray], masks: Masks) -> Iterator[Tracked]:
    """Baseline: Otsu's threshold in every frame, linked by the largest overlap."""
    return _baseline(following.otsu_linked, frames, masks)


def _baseline(
    follow: following.Follow, frames: Sequence[np.ndarray], masks: Masks
) -> Iterator[Tracked]:
    shape = frames[0].shape[:2]
    video = MaskVideo("", len(frames), shape, (0,), frames.__getitem__, lambda _: masks)
    for found in follow(video, OTHERS):
        yield Tracked(painted(found, shape), {one: one in found for one in masks})


def painted(masks: Masks, shape: tuple[int, int]) -> np.ndarray:
    """Return ``(Y, X)`` uint16 labels of masks; later ones lie on top."""
    labels = np.zeros(shape, np.uint16)
    for object_id, mask in masks.items():
        labels[mask] = object_id
    return labels
