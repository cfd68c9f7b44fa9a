"""What the network sees where somebody clicks who knows nothing of what is followed."""

from __future__ import annotations

import numpy as np

from napari_sam2.prompts import MAX_OBJECT_ID, FramePrompt, PointPrompt
from napari_sam2.tracking.automatic.bodies.sisters import centre_of, share_place
from napari_sam2.tracking.postprocess import label_image
from napari_sam2.tracking.predictor import StreamingPredictor

FOREIGN = 0.3
"""Who lies in others with more than this share of the area is a part of them."""


def seen_at(
    predictor: StreamingPredictor,
    frame_index: int,
    frame: np.ndarray,
    place: tuple[float, float],
    denied: tuple[float, float] | None = None,
) -> np.ndarray:
    """Return the ``(Y, X)`` bool mask that answers a click, without any memory.

    What an object remembers is no answer to who else is there.

    Parameters
    ----------
    predictor
        Whose network is asked; what it follows stays as it is.
    frame_index, frame
        Where, and its pixels.
    place, denied
        ``(y, x)`` in pixels, of the click and of a negative one.
    """
    clicks = [PointPrompt(*place)]
    if denied is not None:
        clicks.append(PointPrompt(*denied, positive=False))
    asked = FramePrompt(MAX_OBJECT_ID, frame_index, tuple(clicks))
    step = predictor.preview(frame_index, frame, [asked])
    layout = predictor.layout
    windows = layout.windows(step.tiles)
    labels = label_image(
        step.object_ids, step.logits, layout.frame_shape, windows=windows
    )
    return labels > 0


def are_bodies(
    predictor: StreamingPredictor,
    frame_index: int,
    frame: np.ndarray,
    pair: tuple[np.ndarray, np.ndarray],
    others: np.ndarray,
    *,
    is_cleft: bool = False,
) -> bool:
    """Tell whether two masks are two bodies, and no parts of anything.

    A click into the centre of each tells: it is answered by a body of its own, neither
    by what answers the other one, as lobes of one body are, nor by somebody else, of
    whom the mask is only the rim.

    Parameters
    ----------
    predictor, frame_index, frame
        See `seen_at`.
    pair
        ``(Y, X)`` bool masks.
    others
        ``(Y, X)`` bool, where somebody else is followed.
    is_cleft
        The picture shows a gap between them that the network's pixels are too coarse
        for: each click denies the other one.
    """
    centres = [centre_of(mask) for mask in pair]
    seen = [
        seen_at(predictor, frame_index, frame, place, denied if is_cleft else None)
        for place, denied in zip(centres, reversed(centres), strict=True)
    ]
    return not share_place(*seen) and all(
        mask.any()
        and np.count_nonzero(mask & others) <= FOREIGN * np.count_nonzero(mask)
        for mask in seen
    )
