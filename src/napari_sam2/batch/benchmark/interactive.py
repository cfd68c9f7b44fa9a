"""Interactive segmentation, offline and online: what a few rounds of clicks are worth.

Each object is alone. A round is three clicks on one frame, each on what is worst then.
*Offline*, the whole video is seen anew after each round, and the frame of lowest IoU is
clicked on next. *Online*, the video is watched once: it pauses where IoU falls below
0.75, and what was shown before is never revised.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np

from napari_sam2.batch.benchmark.following import Tracker, clicks_on, masks_in
from napari_sam2.interfaces import StoredAnchor
from napari_sam2.io.training.mask_videos import MaskVideo
from napari_sam2.metrics import boundary_similarity, region_similarity
from napari_sam2.prompts import FramePrompt, PointPrompt
from napari_sam2.tracking.embedding_cache import EmbeddingCache
from napari_sam2.tracking.predictor import StreamingPredictor

Mode = Literal["offline", "online"]

ROUNDS = 8
CLICKS = 3
PAUSE_BELOW = 0.75
"""IoU below which the online person stops the video."""

SECONDS_TO_FIND, SECONDS_A_CLICK = 1.0, 1.5
SECONDS_TO_WATCH = 30.0 / 300.0
"""A frame takes so long to look through."""

OBJECT = 1
CACHE_BYTES = 2**30

Scores = Mapping[int, tuple[float, float]]
"""Annotated frame → J and F."""


@dataclass(frozen=True, slots=True)
class Round:
    """What was reached with so many prompted frames.

    Attributes
    ----------
    region, boundary
        Mean J and F over the annotated frames from the object's first one on.
    clicks
        So far.
    seconds
        Of a person, so far: finding, clicking, and looking through the video, which
        offline happens in each round.
    """

    region: float
    boundary: float
    clicks: int
    seconds: float

    @property
    def region_and_boundary(self) -> float:
        """J&F."""
        return (self.region + self.boundary) / 2


class ObjectOfVideo:
    """One object of a video, as a tracker and its truth see it.

    Parameters
    ----------
    embeddings
        Those of the video's frames, which every pass shows again; made here if None.
    """

    def __init__(
        self,
        tracker: Tracker,
        video: MaskVideo,
        object_id: int,
        embeddings: EmbeddingCache | None = None,
    ) -> None:
        self._tracker, self._video = tracker, video
        self._embeddings = embeddings or EmbeddingCache(max_bytes=CACHE_BYTES)
        nothing = np.zeros(video.frame_shape, bool)
        masks = {at: video.read_masks(at).get(object_id) for at in video.annotated}
        self.first = min(at for at, mask in masks.items() if mask is not None)
        self.truth = {
            at: nothing if mask is None else mask
            for at, mask in masks.items()
            if at >= self.first
        }

    @property
    def frames_to_watch(self) -> int:
        """Frames from the object's first on."""
        return self._video.frame_count - self.first

    def begin(self, anchors: list[StoredAnchor]) -> StreamingPredictor:
        """Return a predictor that knows some anchors and nothing else."""
        predictor = self._tracker.predictor(self._video, self._embeddings)
        for anchor in anchors:
            at = anchor.frame_index
            predictor.replay(at, self._video.read_frame(at), anchor)
        return predictor

    def step(
        self,
        predictor: StreamingPredictor,
        at: int,
        points: tuple[PointPrompt, ...] = (),
    ) -> np.ndarray:
        """Go on to a frame, or click on it; return the mask there."""
        frame = self._video.read_frame(at)
        self._embeddings.get(at, frame, partial(predictor.network.embed, at, frame))
        said = [FramePrompt(OBJECT, at, points=points)] if points else []
        step = predictor.step(at, frame, said)
        nothing = np.zeros(self._video.frame_shape, bool)
        return masks_in(step, predictor.layout, overlap=True).get(OBJECT, nothing)

    def click(
        self, predictor: StreamingPredictor, at: int, guess: np.ndarray | None
    ) -> tuple[np.ndarray, int]:
        """Click on a frame, each time on the worst; return the mask, and how often."""
        points: tuple[PointPrompt, ...] = ()
        for _ in range(CLICKS):
            found = clicks_on(self.truth[at], guess)
            if not found:
                break
            points += found
            guess = self.step(predictor, at, points)
        nothing = np.zeros(self._video.frame_shape, bool)
        return nothing if guess is None else guess, len(points)

    def scores(self, masks: Mapping[int, np.ndarray]) -> Scores:
        """Return J and F of the annotated frames."""
        return {
            at: (
                region_similarity(truth, masks[at]),
                boundary_similarity(truth, masks[at]),
            )
            for at, truth in self.truth.items()
        }


def offline(seen: ObjectOfVideo, rounds: int = ROUNDS) -> Iterator[Round]:
    """Yield what each round reaches; all frames are tracked anew after it."""
    anchors: list[StoredAnchor] = []
    at, clicks, last = seen.first, 0, None
    for number in range(1, rounds + 1):
        predictor, guess = seen.begin(anchors), None
        for before in range(seen.first, at + 1 if anchors else at):
            guess = seen.step(predictor, before)
        _, given = seen.click(predictor, at, guess)
        if not given and last is not None:  # nothing is wrong anywhere
            yield last
            continue
        clicks += given
        anchors = predictor.anchors()
        scores = _watched(seen, anchors)
        watched = SECONDS_TO_WATCH * seen.frames_to_watch
        seconds = number * (watched + SECONDS_TO_FIND) + SECONDS_A_CLICK * clicks
        last = _round(scores, clicks, seconds)
        yield last
        prompted = {anchor.frame_index for anchor in anchors}
        left = {place: j for place, (j, _) in scores.items() if place not in prompted}
        at = min(left, key=left.__getitem__, default=at)


def _watched(seen: ObjectOfVideo, anchors: list[StoredAnchor]) -> Scores:
    """Track the whole video from anchors."""
    predictor, masks = seen.begin(anchors), {}
    for at in range(seen.first, max(seen.truth) + 1):
        masks[at] = seen.step(predictor, at)
    return seen.scores(masks)


def online(seen: ObjectOfVideo, rounds: int = ROUNDS) -> Iterator[Round]:
    """Yield what a person reaches who clicks on at most 1, 2, … frames.

    Each is a pass of its own; where the video is over with fewer pauses than allowed,
    the passes that would allow more are the same.
    """
    last = None
    for allowed in range(1, rounds + 1):
        if last is None or last[1] == allowed - 1:
            last = _pass(seen, allowed)
        yield last[0]


def _pass(seen: ObjectOfVideo, allowed: int) -> tuple[Round, int]:
    """Watch once; return what was reached, and how many frames were clicked on."""
    predictor, masks = seen.begin([]), {}
    clicks = prompted = 0
    for at in range(seen.first, max(seen.truth) + 1):
        guess = seen.step(predictor, at) if prompted else None
        if prompted < allowed and _is_poor(seen, at, guess):
            guess, given = seen.click(predictor, at, guess)
            clicks, prompted = clicks + given, prompted + 1
        if guess is not None:
            masks[at] = guess
    seconds = (
        SECONDS_TO_WATCH * seen.frames_to_watch
        + SECONDS_TO_FIND * prompted
        + SECONDS_A_CLICK * clicks
    )
    return _round(seen.scores(masks), clicks, seconds), prompted


def _is_poor(seen: ObjectOfVideo, at: int, guess: np.ndarray | None) -> bool:
    if at not in seen.truth:
        return False
    return guess is None or region_similarity(seen.truth[at], guess) < PAUSE_BELOW


def _round(scores: Scores, clicks: int, seconds: float) -> Round:
    region, boundary = np.mean(list(scores.values()), axis=0)
    return Round(float(region), float(boundary), clicks, seconds)
