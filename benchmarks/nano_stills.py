"""IoU of single cells in held-out pictures, from one click, three clicks, a box."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from napari_sam2.io.training.images import LabelledImage
from napari_sam2.metrics.clicks import bounding_box, deepest_pixel
from napari_sam2.model.sam2 import Sam2
from napari_sam2.prompts import BoxPrompt, FramePrompt, PointPrompt
from napari_sam2.tracking.postprocess import label_image
from napari_sam2.tracking.predictor import StreamingPredictor

CELLS = 12
"""Cells of a picture that are scored, drawn at random with a fixed seed."""
SMALLEST, LARGEST = 40, 0.4
"""Least area in pixels, and largest part of the window."""


def still_scores(model: Sam2, images: Iterable[LabelledImage]) -> dict[str, float]:
    """Return mean IoU over cells by kind of prompt, at the picture's own resolution."""
    collected: dict[str, list[float]] = {}
    for number, image in enumerate(images):
        for pixels, truth in windows(image, model.config.image_size, number):
            for kind, value in scores_of(model, pixels, truth):
                collected.setdefault(kind, []).append(value)
    return {kind: float(np.mean(values)) for kind, values in collected.items()}


def windows(
    image: LabelledImage, side: int, seed: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield ``(side, side, 3)`` uint8 windows about cells, and the cell's mask there.

    Each is cut at full magnification with the cell near its middle, inside the picture
    where that is large enough; a smaller picture is seen whole.
    """
    labels = image.labels[0]
    pixels = np.broadcast_to(image.frames[0], (*labels.shape, 3))
    ids, areas = np.unique(labels, return_counts=True)
    large = ids[(ids > 0) & (areas >= SMALLEST)]
    random = np.random.default_rng(seed)
    for one in random.permutation(large)[:CELLS]:
        y, x = (int(middle) for middle in np.argwhere(labels == one).mean(axis=0))
        rows, columns = _span(y, labels.shape[0], side), _span(x, labels.shape[1], side)
        truth = labels[rows, columns] == one
        if SMALLEST <= truth.sum() <= LARGEST * truth.size:
            yield np.ascontiguousarray(pixels[rows, columns]), truth


def _span(middle: int, length: int, side: int) -> slice:
    first = int(np.clip(middle - side // 2, 0, max(0, length - side)))
    return slice(first, min(first + side, length))


def scores_of(
    model: Sam2, pixels: np.ndarray, truth: np.ndarray
) -> Iterator[tuple[str, float]]:
    """Yield the IoU of one cell by kind of prompt."""
    predictor = StreamingPredictor(
        model, frame_shape=truth.shape, frame_count=16, device="cpu"
    )

    def answer(prompt: FramePrompt) -> np.ndarray:
        step = predictor.preview(0, pixels, [prompt])
        return label_image((1,), step.logits, truth.shape, np.dtype(np.uint8)) == 1

    points = [_point(truth, positive=True)]
    guess = answer(FramePrompt(1, 0, points=tuple(points)))
    yield "1 click", _iou(guess, truth)
    for _ in range(2):
        missed, spilled = truth & ~guess, guess & ~truth
        if not (missed | spilled).any():
            break
        forgotten = missed.sum() >= spilled.sum()
        points.append(_point(missed if forgotten else spilled, positive=forgotten))
        guess = answer(FramePrompt(1, 0, points=tuple(points)))
    yield "3 clicks", _iou(guess, truth)
    box = BoxPrompt(*map(float, bounding_box(truth)))
    yield "box", _iou(answer(FramePrompt(1, 0, box=box)), truth)


def _point(mask: np.ndarray, *, positive: bool) -> PointPrompt:
    y, x = deepest_pixel(mask)
    return PointPrompt(float(y), float(x), positive)


def _iou(one: np.ndarray, two: np.ndarray) -> float:
    return float((one & two).sum() / max(1, (one | two).sum()))
