"""The official predictor over a movie, asked as `StreamingPredictor` is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from tests.model.official import smooth_images
from torch import Tensor

from napari_sam2.prompts import FramePrompt


@dataclass(frozen=True)
class Masks:
    """One frame's masks of all objects.

    Attributes
    ----------
    logits
        ``(objects, h, w)`` low-resolution logits.
    movie_logits
        ``(objects, Y, X)``, the same at the movie's resolution.
    object_score, pointers
        ``(objects,)`` and ``(objects, C)``.
    """

    logits: np.ndarray
    movie_logits: np.ndarray
    object_score: np.ndarray
    pointers: np.ndarray


class OfficialStream:
    """An inference state of the official predictor.

    Parameters
    ----------
    predictor
        The official ``SAM2VideoPredictor``.
    frames
        ``(Y, X, 3)`` uint8 each.
    folder
        Empty folder for the movie.
    """

    def __init__(
        self, predictor: Any, frames: Sequence[np.ndarray], folder: Path
    ) -> None:
        for index, frame in enumerate(frames):
            # Its loader wants this ending; the content decides how the file is read,
            # and JPEG would change the pixels.
            Image.fromarray(frame).save(folder / f"{index:05d}.jpg", format="PNG")
        self.predictor = predictor
        self.state = predictor.init_state(str(folder))

    def prompt(self, prompt: FramePrompt) -> None:
        """Give a prompt, in its order of coordinates: (x, y)."""
        where = (self.state, prompt.frame_index, prompt.object_id)
        if prompt.mask is not None:
            self.predictor.add_new_mask(*where, prompt.mask.mask)
            return
        box = prompt.box
        self.predictor.add_new_points_or_box(
            *where,
            points=[[point.x, point.y] for point in prompt.points] or None,
            labels=[int(point.positive) for point in prompt.points] or None,
            box=None if box is None else [box.x0, box.y0, box.x1, box.y1],
        )

    def run(
        self, start: int, *, reverse: bool = False, more: int | None = None
    ) -> Iterator[tuple[int, Masks]]:
        """Propagate from a frame, over ``more`` frames after it (all, if None)."""
        for frame, _, movie_logits in self.predictor.propagate_in_video(
            self.state, start, more, reverse=reverse
        ):
            yield frame, self._masks(frame, movie_logits)

    def outputs(self, object_row: int, frame: int) -> dict[str, Tensor]:
        """Return what the predictor keeps of an object on a frame."""
        kept = self.state["output_dict_per_obj"][object_row]
        is_anchor = frame in kept["cond_frame_outputs"]
        kind = "cond_frame_outputs" if is_anchor else "non_cond_frame_outputs"
        out: dict[str, Tensor] = kept[kind][frame]
        return out

    def _masks(self, frame: int, movie_logits: Tensor) -> Masks:
        rows = range(len(self.state["obj_ids"]))
        outputs = [self.outputs(row, frame) for row in rows]
        return Masks(
            torch.cat([out["pred_masks"][:, 0] for out in outputs]).numpy(),
            movie_logits[:, 0].numpy().copy(),
            torch.cat([out["object_score_logits"][:, 0] for out in outputs]).numpy(),
            torch.cat([out["obj_ptr"] for out in outputs]).numpy(),
        )


def drifting_movie(count: int, shape: tuple[int, int], seed: int) -> list[np.ndarray]:
    """Make uint8 RGB frames ``(Y, X, 3)`` of a pattern that moves to the upper left."""
    height, width = shape
    side = max(height + 3 * count, width + 5 * count)
    pattern = smooth_images(1, side, seed)[0].permute(1, 2, 0).numpy()
    grey = np.clip(128 + 50 * pattern, 0, 255).astype(np.uint8)
    return [
        np.ascontiguousarray(grey[3 * t : 3 * t + height, 5 * t : 5 * t + width])
        for t in range(count)
    ]
