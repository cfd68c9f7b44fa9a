"""Answers to prompts: the masks of one frame, before and between propagations.

Runs in the worker. An object that is prompted for the first time is answered from the
prompt alone. Where it has anchors on other frames, a prompt is a correction: it starts
from the mask that the person sees there, and from the memory of the two anchors that
bound the frame.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_sam2.interfaces import FrameSource, StoredAnchor
from napari_sam2.prompts import FramePrompt, MaskPrompt, Place
from napari_sam2.tracking.memory.slots import ROW_BLOCK

if TYPE_CHECKING:
    from napari_sam2.tracking.predictor import StreamingPredictor
    from napari_sam2.tracking.step_result import StepResult


@dataclass(frozen=True, slots=True, eq=False)
class SeenMask:
    """A mask that a person sees, and may correct.

    Attributes
    ----------
    logits
        ``(h, w)`` float32.
    tile
        Which tile of the frame they cover.
    """

    logits: np.ndarray
    tile: int = 0


class Answers:
    """Answers prompts on any frame, in any order.

    Of at most `ROW_BLOCK` objects anchors are remembered between answers, or of as many
    as are asked about at once: what is in the movie does not matter to the memory.

    Parameters
    ----------
    predictor
        Kept between answers, with its embeddings.

    Attributes
    ----------
    tile
        The one of the last answer: where the next one is likely to be wanted.
    """

    def __init__(self, predictor: StreamingPredictor) -> None:
        self.predictor, self.tile = predictor, 0
        self._remembered: dict[Place, StoredAnchor] = {}

    def answer(
        self,
        source: FrameSource,
        prompts: Sequence[FramePrompt],
        anchors: Mapping[Place, StoredAnchor],
        seen: Mapping[int, SeenMask],
    ) -> StepResult:
        """Return the masks of the prompted objects of a frame; remember nothing.

        Parameters
        ----------
        prompts
            All of one frame, one per object.
        anchors
            Of these objects, on any frame.
        seen
            By object: the mask that is corrected.
        """
        frame_index = prompts[0].frame_index
        frame = source.read(frame_index)
        self._make_room({prompt.object_id for prompt in prompts})
        corrected = [
            prompt.object_id
            for prompt in prompts
            if prompt.mask is None
            and self._recall(source, prompt.object_id, frame_index, anchors)
            and self._can_be_corrected(prompt.object_id, frame_index, anchors, seen)
        ]
        try:
            self._predict(frame_index, frame, corrected, seen)
            said = [_as_shown(prompt, corrected, frame) for prompt in prompts]
            result = self.predictor.preview(frame_index, frame, said)
            self.tile = int(result.tiles[0])
            return result
        finally:
            if corrected:
                self.predictor.forget_recent(corrected)

    def forget(self, places: Iterable[Place]) -> None:
        """Forget anchors that are no longer there, or not the same."""
        for place in places:
            if self._remembered.pop(place, None) is not None:
                self.predictor.remove_anchor(*place)

    def forget_all(self) -> None:
        """Forget all anchors; embeddings stay."""
        self.forget(tuple(self._remembered))

    def _make_room(self, asked: Collection[int]) -> None:
        """Forget other objects where the rows of a block do not hold all."""
        known = {object_id for object_id, _ in self._remembered}
        if len(known.union(asked)) <= ROW_BLOCK:
            return
        for object_id in known.difference(asked):
            self.predictor.remove(object_id)
        self._remembered = {
            place: anchor
            for place, anchor in self._remembered.items()
            if place[0] in asked
        }

    def _recall(
        self,
        source: FrameSource,
        object_id: int,
        frame_index: int,
        anchors: Mapping[Place, StoredAnchor],
    ) -> bool:
        """Bring the anchors that bound a frame into memory; say if there are any."""
        frames = [frame for owner, frame in anchors if owner == object_id]
        bounds = [
            *sorted(frame for frame in frames if frame < frame_index)[-1:],
            *sorted(frame for frame in frames if frame > frame_index)[:1],
        ]
        for bound in bounds:
            place = (object_id, bound)
            if self._remembered.get(place) is not anchors[place]:
                self.predictor.replay(bound, source.read(bound), anchors[place])
                self._remembered[place] = anchors[place]
        return bool(bounds)

    def _can_be_corrected(
        self,
        object_id: int,
        frame_index: int,
        anchors: Mapping[Place, StoredAnchor],
        seen: Mapping[int, SeenMask],
    ) -> bool:
        """Whether there is a mask to correct, or one can be tracked to the frame.

        Where the person sees nothing, there is nothing to be corrected.
        """
        if object_id in seen:
            return bool((seen[object_id].logits > 0).any())
        return any(owner == object_id and at < frame_index for owner, at in anchors)

    def _predict(
        self,
        frame_index: int,
        frame: np.ndarray,
        corrected: Sequence[int],
        seen: Mapping[int, SeenMask],
    ) -> None:
        """Let the predictor take what the person sees for what it tracked."""
        unseen = [object_id for object_id in corrected if object_id not in seen]
        if unseen:
            self.predictor.step(frame_index, frame, objects=unseen)
        for object_id in set(corrected) - set(unseen):
            from napari_sam2.tracking.memory.bank import LastTracked

            mask = seen[object_id]
            last = LastTracked(frame_index, reverse=False, tile=mask.tile)
            logits = mask.logits[None].astype(np.float32)
            self.predictor.bank.assume_tracked([object_id], last, logits)


def _as_shown(
    prompt: FramePrompt, corrected: Sequence[int], frame: np.ndarray
) -> FramePrompt:
    """Return an absence for negative clicks where there is no mask to correct.

    From them alone the network would take what is refused for the object.
    """
    if not prompt.only_refuses or prompt.object_id in corrected:
        return prompt
    nothing = MaskPrompt(np.zeros(frame.shape[:2], bool))
    return FramePrompt(prompt.object_id, prompt.frame_index, mask=nothing)
