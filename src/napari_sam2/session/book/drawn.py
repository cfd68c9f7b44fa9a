"""From a frame that somebody drew on to prompts. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from napari_sam2.prompts import FramePrompt, MaskPrompt
from napari_sam2.session.book.state import BookState


@dataclass(frozen=True, slots=True, eq=False)
class Drawn:
    """What a stroke says.

    Attributes
    ----------
    prompts
        Drawn masks. An empty one says that an object, prompted elsewhere, is absent.
    erased
        Objects that were wholly erased on the only frame on which anything was said
        about them: nothing is said about them any more.
    """

    prompts: tuple[FramePrompt, ...]
    erased: tuple[int, ...]

    def text(self, frame_index: int) -> str:
        """Return what the undo menu calls it."""
        ids = [prompt.object_id for prompt in self.prompts] + list(self.erased)
        which = f"object {ids[0]}" if len(ids) == 1 else f"{len(ids)} objects"
        return f"stroke on {which}, frame {frame_index}"


def drawn_prompts(
    frame_index: int, before: np.ndarray, after: np.ndarray, book: BookState
) -> Drawn:
    """Return what follows from a stroke: each object that changed is as it was drawn.

    Parameters
    ----------
    before, after
        ``(Y, X)`` labels. Ids that the book lacks are new objects.
    """
    changed = before != after
    ids = np.union1d(np.unique(before[changed]), np.unique(after[changed]))
    prompts, erased = [], []
    for object_id in ids[ids > 0].tolist():
        mask = after == object_id
        if mask.any() or _is_prompted_elsewhere(book, object_id, frame_index):
            prompts.append(FramePrompt(object_id, frame_index, mask=MaskPrompt(mask)))
        elif object_id in book and book[object_id].prompt_at(frame_index) is not None:
            erased.append(object_id)
    return Drawn(tuple(prompts), tuple(erased))


def _is_prompted_elsewhere(book: BookState, object_id: int, frame_index: int) -> bool:
    return object_id in book and any(
        frame != frame_index for frame in book[object_id].anchors
    )
