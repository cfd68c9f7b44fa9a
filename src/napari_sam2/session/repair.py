"""What a repair needs to know: which frames are owed, which anchors still hold."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from napari_sam2.interfaces import StoredAnchor
from napari_sam2.prompts import FramePrompt
from napari_sam2.session.frame_set import FrameSet
from napari_sam2.session.resolution import Place
from napari_sam2.session.staleness import is_same_prompt
from napari_sam2.session.state import BookState


def frames_to_repair(
    state: BookState, anchors: Iterable[StoredAnchor]
) -> Mapping[int, FrameSet]:
    """Return what `Plan.only` of a repair is: by object, the frames that are owed.

    Stale frames, and frames of prompts that nobody has answered yet.

    Parameters
    ----------
    state
        The book.
    anchors
        Anchors that hold.
    """
    answered = {(one.object_id, one.frame_index) for one in anchors}
    owed = {}
    for thing in state.objects:
        unanswered = FrameSet.of(
            frame for frame in thing.anchors if (thing.object_id, frame) not in answered
        )
        frames = thing.stale | (unanswered - thing.locked)
        if frames:
            owed[thing.object_id] = frames
    return owed


def valid_anchors(
    anchors: Iterable[StoredAnchor],
    state: BookState,
    answered: Mapping[Place, FramePrompt],
) -> list[StoredAnchor]:
    """Return the stored anchors that show what the book says now.

    Parameters
    ----------
    anchors
        Such as `LabelStore.read_anchors` returns.
    state
        The book.
    answered
        By object and frame: the prompt that each of them was made of.
    """
    said = {
        (prompt.object_id, prompt.frame_index): prompt
        for thing in state.objects
        for prompt in thing.prompts
    }
    places = {(one.object_id, one.frame_index): one for one in anchors}
    return [
        anchor
        for place, anchor in places.items()
        if place in said and is_same_prompt(said[place], answered.get(place))
    ]
