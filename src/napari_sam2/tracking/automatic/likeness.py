"""How much masks that nobody follows are like an object: what they are, and how large.

SAM 2 says in an object pointer what a mask shows. Pointers of given masks are made
alike for all of them, so that they can be compared.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from napari_sam2.prompts import MAX_OBJECT_ID, FramePrompt, MaskPrompt
from napari_sam2.tracking.predictor import StreamingPredictor

AT_ONCE = 64
"""Masks of whole frames that are held at a time."""


def likeness(
    own: tuple[np.ndarray, int], pointers: np.ndarray, areas: Sequence[int]
) -> np.ndarray:
    """Return ``(masks,)`` in 0…1: 1 for the same pointer and the same area.

    Parameters
    ----------
    own
        Pointer ``(C,)`` and area of the object.
    pointers, areas
        ``(masks, C)`` and as many pixels.
    """
    pointer, area = own
    lengths = np.linalg.norm(pointers, axis=1) * np.linalg.norm(pointer)
    cosine = (pointers @ pointer) / np.maximum(lengths, np.finfo(np.float32).tiny)
    sizes = np.asarray(areas, np.float64)
    share = np.minimum(sizes, area) / np.maximum(np.maximum(sizes, area), 1)
    alike: np.ndarray = (1 + cosine) / 2 * share
    return alike


def pointers_of(
    predictor: StreamingPredictor,
    frame_index: int,
    frame: np.ndarray,
    masks: Iterator[np.ndarray],
) -> np.ndarray:
    """Return ``(masks, C)`` float32 pointers of given masks; nothing is remembered.

    Parameters
    ----------
    frame_index, frame
        Where the masks are: ``(Y, X, 3)`` uint8.
    masks
        ``(Y, X)`` bool, none empty.
    """
    found = []
    while True:
        # Ids that no object has are answered from the masks alone.
        prompts = [
            FramePrompt(MAX_OBJECT_ID - number, frame_index, mask=MaskPrompt(mask))
            for number, mask in zip(range(AT_ONCE), masks, strict=False)
        ]
        if not prompts:
            break
        step = predictor.preview(frame_index, frame, prompts)
        found.append(step.pointers[::-1])  # rows are by id
    return np.concatenate(found) if found else np.zeros((0, 0), np.float32)
