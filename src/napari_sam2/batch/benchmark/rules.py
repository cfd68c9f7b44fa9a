"""How benchmarks count: which frames and objects of a video are scored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from napari_sam2.io.training.mask_videos import Masks, MaskVideo
from napari_sam2.metrics import ObjectScore, boundary_similarity, region_similarity


@dataclass(frozen=True, slots=True)
class Rules:
    """What a benchmark counts.

    Attributes
    ----------
    begins
        From when on an object is scored. ``"first frame"``: it must be on the first
        annotated frame, others are left out. ``"own mask"``: the annotated frame after
        its first true mask. ``"appearance"``: its first appearance, in truth or
        prediction.
    drops_ends
        Whether the first and the last annotated frame are not scored.
    overlap
        Whether masks may overlap: each is what the network said of it. If not, a pixel
        belongs to one object.
    """

    begins: Literal["first frame", "own mask", "appearance"] = "own mask"
    drops_ends: bool = False
    overlap: bool = False


OTHERS = Rules()
RULES = {
    "sav": Rules("appearance", drops_ends=True, overlap=True),
    "sav-test": Rules("appearance", drops_ends=True, overlap=True),
    "davis": Rules("first frame", drops_ends=True),
}
"""By layout; all others, YouTube-VOS and LVOS among them, count as `OTHERS`."""


class VideoScorer:
    """Collects J and F of the objects of one video, frame by frame.

    Parameters
    ----------
    video
        Whose ``annotated`` frames are scored.
    """

    def __init__(self, rules: Rules, video: MaskVideo) -> None:
        self._rules, self._shape = rules, video.frame_shape
        self._first = video.annotated[0]
        self._dropped = {video.annotated[0], video.annotated[-1]}
        self._scores: dict[int, list[tuple[int, bool, float, float]]] = {}

    def add(self, frame_index: int, truth: Masks, guess: Masks) -> None:
        """Score an annotated frame; they come in ascending order."""
        new = self._new(frame_index, truth, guess)
        counted = set(self._scores)
        self._scores.update({object_id: [] for object_id in new})
        if self._rules.begins == "appearance":
            counted |= new
        if self._rules.drops_ends and frame_index in self._dropped:
            return
        nothing = np.zeros(self._shape, bool)
        for object_id in counted:
            masks = truth.get(object_id, nothing), guess.get(object_id, nothing)
            values = region_similarity(*masks), boundary_similarity(*masks)
            seen = frame_index, object_id in truth, *values
            self._scores[object_id].append(seen)

    def _new(self, frame_index: int, truth: Masks, guess: Masks) -> set[int]:
        """Return the objects that begin on a frame."""
        found = {object_id for object_id, mask in truth.items() if mask.any()}
        if self._rules.begins == "first frame" and frame_index != self._first:
            return set()
        if self._rules.begins == "appearance":
            found |= {object_id for object_id, mask in guess.items() if mask.any()}
        return found - set(self._scores)

    def result(self) -> list[ObjectScore]:
        """Return the scores of all objects that have a scored frame."""
        found = []
        for object_id, rows in sorted(self._scores.items()):
            if rows:
                frames, present, regions, boundaries = zip(*rows, strict=True)
                found.append(
                    ObjectScore(
                        object_id, object_id, frames, present, regions, boundaries
                    )
                )
        return found
