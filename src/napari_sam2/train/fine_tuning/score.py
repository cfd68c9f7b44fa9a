"""How well a network follows masklets that it was not trained on."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from napari_sam2.metrics.clicks import deepest_pixel
from napari_sam2.metrics.masks import region_similarity
from napari_sam2.model.sam2 import Sam2
from napari_sam2.prompts import FramePrompt, MaskPrompt, PointPrompt
from napari_sam2.session.planning.frame_set import FrameSet
from napari_sam2.tracking.postprocess import label_image
from napari_sam2.tracking.predictor import StreamingPredictor
from napari_sam2.tracking.step_result import StepResult
from napari_sam2.train.data.examples import Example
from napari_sam2.train.fine_tuning.movie import TaughtMovie

CLICKED_FRAMES, TRACKED_FRAMES = 6, 12
MOST_OBJECTS = 12
SHORTEST_MOVIE = 16
"""The tracker is told at least this length, which scales the distance in time."""


def held_out_score(
    model: Sam2, movies: Sequence[TaughtMovie], device: str = "cpu"
) -> float:
    """Return J of masks from one click, and of masks tracked from a true one.

    Every frame (of many, `CLICKED_FRAMES`) is answered from one click in the middle of
    each object; the longest run of neighbouring frames is tracked from the true masks
    of its first. Each kind counts half; without a run the clicks alone.

    Parameters
    ----------
    model
        The network; it is set to evaluate.
    movies
        Frames that it was not trained on.
    """
    clicked = [j for movie in movies for j in _clicked(model, movie, device)]
    tracked = [j for movie in movies for j in _tracked(model, movie, device)]
    means = [float(np.mean(values)) for values in (clicked, tracked) if values]
    return float(np.mean(means)) if means else 0.0


def as_taught(example: Example, frames: int) -> TaughtMovie:
    """Return the first frames of a complete example, all of its objects trusted."""
    count = min(frames, len(example.labels))
    labels = example.labels[:count]
    ids = np.unique(labels[labels > 0]).tolist()
    return TaughtMovie(
        example.name,
        np.arange(count),
        example.levels[0][:count],
        labels,
        dict.fromkeys(ids, FrameSet.between(0, count - 1)),
    )


def _clicked(model: Sam2, movie: TaughtMovie, device: str) -> list[float]:
    count = len(movie.frames)
    places = np.linspace(0, count - 1, min(count, CLICKED_FRAMES)).round().astype(int)
    predictor = _predictor(model, movie, device)
    found = []
    for place in map(int, places):
        masks = _largest(movie.masks(place))
        prompts = [_click(object_id, place, mask) for object_id, mask in masks.items()]
        if not prompts:
            continue
        step = predictor.preview(place, _rgb(movie, place), prompts)
        labels = _labels(predictor, step)
        found += [
            region_similarity(m, labels == object_id) for object_id, m in masks.items()
        ]
    return found


def _tracked(model: Sam2, movie: TaughtMovie, device: str) -> list[float]:
    first, stop = _longest_run(movie.numbers)
    stop = min(stop, first + TRACKED_FRAMES)
    masks = _largest(movie.masks(first)) if stop - first > 1 else {}
    if not masks:
        return []
    predictor = _predictor(model, movie, device)
    prompts = [
        FramePrompt(object_id, first, mask=MaskPrompt(mask))
        for object_id, mask in masks.items()
    ]
    found = []
    for place in range(first, stop):
        step = predictor.step(
            place, _rgb(movie, place), prompts if place == first else ()
        )
        labels = _labels(predictor, step)
        found += [
            region_similarity(movie.labels[place] == object_id, labels == object_id)
            for object_id in masks
            if place > first and place in movie.trusted[object_id]
        ]
    return found


def _labels(predictor: StreamingPredictor, step: StepResult) -> np.ndarray:
    layout = predictor.layout
    return label_image(
        step.object_ids,
        step.logits,
        layout.frame_shape,
        windows=layout.windows(step.tiles),
    )


def _predictor(model: Sam2, movie: TaughtMovie, device: str) -> StreamingPredictor:
    return StreamingPredictor(
        model,
        frame_shape=movie.labels.shape[1:],
        frame_count=max(SHORTEST_MOVIE, len(movie.frames)),
        device=device,
    )


def _largest(masks: dict[int, np.ndarray]) -> dict[int, np.ndarray]:
    """Return the `MOST_OBJECTS` largest masks, by id."""
    by_area = sorted(masks, key=lambda object_id: -int(masks[object_id].sum()))[
        :MOST_OBJECTS
    ]
    return {object_id: masks[object_id] for object_id in sorted(by_area)}


def _click(object_id: int, place: int, mask: np.ndarray) -> FramePrompt:
    y, x = deepest_pixel(mask)
    return FramePrompt(object_id, place, points=(PointPrompt(float(y), float(x)),))


def _rgb(movie: TaughtMovie, place: int) -> np.ndarray:
    frame = movie.frames[place]
    return np.ascontiguousarray(np.broadcast_to(frame, (*frame.shape[:2], 3)))


def _longest_run(numbers: np.ndarray) -> tuple[int, int]:
    edges = [0, *(np.flatnonzero(np.diff(numbers) > 1) + 1).tolist(), len(numbers)]
    runs = list(itertools.pairwise(edges))
    return max(runs, key=lambda run: run[1] - run[0])
