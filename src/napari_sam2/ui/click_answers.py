"""Answers to clicks: the masks of one frame, before and between propagations.

Runs in the worker. An object's earliest prompt is answered from the prompt alone. On a
later frame it is a correction: the object is first tracked there from its earlier
anchors, and the clicks correct that mask.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from napari_sam2.interfaces import FrameSource, StoredAnchor
from napari_sam2.prompts import FramePrompt
from napari_sam2.ui.point_prompts import Place

if TYPE_CHECKING:
    from napari_sam2.tracking.predictor import StreamingPredictor
    from napari_sam2.tracking.step_result import StepResult


class ClickAnswers:
    """Answers clicks on any frame, in any order.

    Parameters
    ----------
    predictor
        Kept between clicks, with its embeddings; nobody else uses it.
    """

    def __init__(self, predictor: StreamingPredictor) -> None:
        self.predictor = predictor
        self._seen: dict[Place, StoredAnchor] = {}
        self._remembered: dict[Place, StoredAnchor] = {}

    def answer(
        self, source: FrameSource, frame_index: int, prompts: Sequence[FramePrompt]
    ) -> StepResult:
        """Return the masks of the prompted objects of a frame."""
        frame = source.read(frame_index)
        corrected = []
        for prompt in prompts:
            self._forget_memory((prompt.object_id, frame_index))
            if self._recall(source, prompt.object_id, frame_index):
                corrected.append(prompt.object_id)
        if corrected:
            self.predictor.step(frame_index, frame, objects=corrected)
        step = self.predictor.preview(frame_index, frame, prompts)
        if corrected:
            self.predictor.forget_recent(corrected)
        for anchor in step.anchors:
            self._seen[anchor.object_id, frame_index] = anchor
        return step

    def forget(self, object_id: int, frame_index: int | None = None) -> None:
        """Forget an object's anchor on a frame, or all of the object."""
        places = [
            (one, frame)
            for one, frame in self._seen
            if one == object_id and frame_index in (None, frame)
        ]
        for place in places:
            del self._seen[place]
            self._forget_memory(place)

    def _recall(self, source: FrameSource, object_id: int, frame_index: int) -> bool:
        """Bring an object's anchors on earlier frames into memory; say if there are."""
        earlier = [
            anchor
            for (one, frame), anchor in sorted(self._seen.items())
            if one == object_id and frame < frame_index
        ]
        for anchor in earlier:
            place = (object_id, anchor.frame_index)
            if self._remembered.get(place) is not anchor:
                frame = source.read(anchor.frame_index)
                self.predictor.replay(anchor.frame_index, frame, anchor)
                self._remembered[place] = anchor
        return bool(earlier)

    def _forget_memory(self, place: Place) -> None:
        if self._remembered.pop(place, None) is not None:
            self.predictor.remove_anchor(*place)
