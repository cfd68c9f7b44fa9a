"""Example pictures of a validation: prompt, true outline and predicted outline."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from scipy import ndimage

from napari_sam2.model.mask_decoder import upsample_logits
from napari_sam2.model.sam2 import Sam2
from napari_sam2.train.data.appearance import IMAGE_MEAN, IMAGE_STD
from napari_sam2.train.data.batches import collate, make_batch
from napari_sam2.train.data.clips import make_clip
from napari_sam2.train.data.examples import Corpus
from napari_sam2.train.data.motion import CropStyle
from napari_sam2.train.data.prompts import PromptGroup, draw_group
from napari_sam2.train.passes.passes import run_batch
from napari_sam2.train.recipe.config import PromptMix, Stage
from napari_sam2.train.recipe.loss_weights import PRESETS

CROPS = 6
"""Crops side by side, and the most frames of a clip that are shown."""

SEED = 30_000
SMALLEST_SIDE = 192
"""Crops are enlarged by a whole factor to at least this."""

TRUE, PREDICTED, PROMPT = (0, 220, 60), (255, 60, 200), (255, 230, 0)
"""Green, pink, yellow."""

GAP = 4


@torch.no_grad()
def example_picture(model: Sam2, corpus: Corpus, stage: Stage) -> np.ndarray:
    """Show what a model answers on crops that are the same every time.

    Parameters
    ----------
    model
        Set to evaluate.
    corpus
        Examples that were not trained on.

    Returns
    -------
    numpy.ndarray
        ``(Y, X, 3)`` uint8. First row: an object in each of some crops from a click;
        second row: the same from a box; third, in stages of clips: frames of a clip
        from a mask on the first. The prompt is yellow, the true outline green, the
        predicted one pink, above it where both are equal.
    """
    model.eval()
    rows = _still_rows(model, corpus, stage)
    if stage.frames > 1:
        rows.append(_clip_row(model, corpus, stage))
    return _joined([_joined(row, axis=1) for row in rows], axis=0)


def write_picture(picture: np.ndarray, path: Path) -> None:
    """Write ``(Y, X, 3)`` uint8 as PNG; its folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture).save(path)


def _still_rows(model: Sam2, corpus: Corpus, stage: Stage) -> list[list[np.ndarray]]:
    random = np.random.default_rng(SEED)
    style = CropStyle(1, stage.size, stage.diameter, 0.0)
    clips = [make_clip(corpus, style, 1, random) for _ in range(CROPS)]
    batch = collate(clips, PromptMix(click=1, box=0, coarse=0, nothing=0), random)
    seen = model.embed(batch.frames[0]).select(batch.clip_of_row)
    truth = batch.masks[0]
    rows = []
    for kind in ("click", "box"):
        group = draw_group(kind, truth, np.arange(CROPS), random)
        if group.prompts is None:
            raise TypeError("clicks and boxes are prompts")
        logits = model.decode(model.condition(seen, None), seen, group.prompts).logits
        guesses = (upsample_logits(logits, stage.size) > 0).numpy()
        rows.append(
            [
                outlined(
                    batch.frames[0, row],
                    truth[row].numpy(),
                    guesses[row],
                    prompt_mask(group, row, stage.size),
                )
                for row in range(CROPS)
            ]
        )
    return rows


def _clip_row(model: Sam2, corpus: Corpus, stage: Stage) -> list[np.ndarray]:
    mix = PromptMix(click=0, box=0, coarse=0, mask=1, nothing=0)
    plain = replace(
        stage, crops=1, objects=1, prompts=mix, anchors=1, corrections=0, division=0.0
    )
    batch = make_batch(corpus, plain, np.random.default_rng(SEED), still=False)
    logits = run_batch(model, batch, PRESETS["nano"]).logits[:, 0]
    guesses = (upsample_logits(logits, stage.size) > 0).numpy()
    shown = np.unique(np.linspace(0, len(guesses) - 1, CROPS).round().astype(int))
    return [
        outlined(batch.frames[frame, 0], batch.masks[frame, 0].numpy(), guesses[frame])
        for frame in shown.tolist()
    ]


def prompt_mask(group: PromptGroup, row: int, side: int) -> np.ndarray:
    """Return ``(S, S)`` bool: a cross for a click, four lines for a box."""
    drawn = np.zeros((side, side), bool)
    if group.prompts is None:
        return drawn
    points = group.prompts.points[row].round().long().clamp(0, side - 1).tolist()
    if group.kind == "box":
        (x0, y0), (x1, y1) = points
        drawn[[y0, y1], x0 : x1 + 1] = True
        drawn[y0 : y1 + 1, [x0, x1]] = True
        return drawn
    for x, y in points:
        drawn[max(y - 2, 0) : y + 3, x] = True
        drawn[y, max(x - 2, 0) : x + 3] = True
    return drawn


def outlined(
    frame: torch.Tensor,
    truth: np.ndarray,
    guess: np.ndarray,
    prompt: np.ndarray | None = None,
) -> np.ndarray:
    """Draw outlines and a prompt on a frame.

    Parameters
    ----------
    frame
        ``(3, S, S)``, normalised.
    truth, guess, prompt
        ``(S, S)`` bool.

    Returns
    -------
    numpy.ndarray
        ``(n·S, n·S, 3)`` uint8; n is a whole factor.
    """
    side = truth.shape[0]
    factor = -(-SMALLEST_SIDE // side)
    colour = frame.permute(1, 2, 0).numpy() * np.array(IMAGE_STD) + np.array(IMAGE_MEAN)
    picture: np.ndarray = np.repeat(
        np.repeat((colour * 255).clip(0, 255).astype(np.uint8), factor, 0), factor, 1
    )
    if prompt is not None:
        picture[np.kron(prompt, np.ones((factor, factor), bool))] = PROMPT
    for mask, line in ((truth, TRUE), (guess, PREDICTED)):
        large = np.kron(mask, np.ones((factor, factor), bool))
        picture[large & ~ndimage.binary_erosion(large)] = line
    return picture


def _joined(parts: list[np.ndarray], axis: int) -> np.ndarray:
    """Lay pictures side by side (axis 1) or below each other (0) on white."""
    other = 1 - axis
    longest = max(part.shape[other] for part in parts)
    padded = []
    for part in parts:
        margin = [(0, 0), (0, 0), (0, 0)]
        margin[axis] = (0, GAP)
        margin[other] = (0, longest - part.shape[other])
        padded.append(np.pad(part, margin, constant_values=255))
    return np.concatenate(padded, axis=axis)
