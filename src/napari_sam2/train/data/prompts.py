"""Prompts as a person would give them, drawn from true masks, grouped by kind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy import ndimage

from napari_sam2.metrics.clicks import bounding_box, inner_distance
from napari_sam2.model.config import LOGIT_STRIDE
from napari_sam2.model.prompt_encoder import PointLabel, PromptTensors
from napari_sam2.train.recipe.config import PromptMix

BOX_JITTER = 0.1
"""Standard deviation of a simulated box's corners, in parts of its sides."""

GAP = 3
"""Pixels between an object and a click beside it, at least."""

KINDS = ("click", "clicks", "box", "coarse", "mask")


def click_inside(mask: np.ndarray, random: np.random.Generator) -> tuple[int, int]:
    """Return ``(y, x)`` of a click on an object: its middle, or well inside it."""
    y0, x0, depth = inner_distance(mask)
    deepest = float(depth.max())
    if random.random() < 0.5:
        choice = int(np.argmax(depth))
    else:
        choice = int(random.choice(np.flatnonzero(depth >= 0.45 * deepest)))
    y, x = np.unravel_index(choice, depth.shape)
    return y0 + int(y), x0 + int(x)


def click_outside(
    labels: np.ndarray, random: np.random.Generator, *, distance: float = 4.0
) -> tuple[int, int] | None:
    """Return ``(y, x)`` on background away from every object, or None."""
    far = ndimage.distance_transform_edt(labels == 0) >= distance
    candidates = np.flatnonzero(far)
    if not len(candidates):
        return None
    y, x = np.unravel_index(int(random.choice(candidates)), labels.shape)
    return int(y), int(x)


def click_beside(mask: np.ndarray, random: np.random.Generator) -> tuple[int, int]:
    """Return ``(y, x)`` near an object but more than `GAP` pixels off, if it can be.

    "Near" is its bounding box, made larger by half its size on every side.
    """
    y0, x0, y1, x1 = bounding_box(mask)
    height, width = y1 - y0 + 1, x1 - x0 + 1
    top, left = max(0, y0 - height // 2 - GAP - 1), max(0, x0 - width // 2 - GAP - 1)
    window = mask[top : y1 + height // 2 + GAP + 2, left : x1 + width // 2 + GAP + 2]
    outside = ~ndimage.binary_dilation(window, iterations=GAP)
    if not outside.any():  # the object fills the picture: any pixel but its own
        outside = ~window if not window.all() else np.ones_like(window)
    y, x = np.unravel_index(int(random.choice(np.flatnonzero(outside))), outside.shape)
    return top + int(y), left + int(x)


def jittered_box(
    mask: np.ndarray, random: np.random.Generator
) -> tuple[float, float, float, float]:
    """Return ``(y0, x0, y1, x1)`` around an object, drawn a little wrongly."""
    y0, x0, y1, x1 = bounding_box(mask)
    height, width = y1 - y0 + 1, x1 - x0 + 1
    scale = np.array([height, width, height, width])
    corners = np.array([y0, x0, y1, x1]) + BOX_JITTER * scale * random.normal(size=4)
    limit = np.array([mask.shape[0], mask.shape[1]] * 2) - 1
    corners = np.clip(corners, 0, limit)
    low, high = (
        np.minimum(corners[:2], corners[2:]),
        np.maximum(corners[:2], corners[2:]),
    )
    return float(low[0]), float(low[1]), float(high[0]), float(high[1])


def coarse_logits(box: tuple[float, float, float, float], size: int) -> np.ndarray:
    """Return ``(S/4, S/4)`` float32: +10 in the filled box, −10 elsewhere."""
    y0, x0, y1, x1 = box
    half = LOGIT_STRIDE / 2
    middle = (np.arange(size // LOGIT_STRIDE) + 0.5) * LOGIT_STRIDE - 0.5
    rows = (middle >= y0 - half) & (middle <= y1 + half)
    columns = (middle >= x0 - half) & (middle <= x1 + half)
    inside = rows[:, None] & columns[None, :]
    return np.where(inside, 10.0, -10.0).astype(np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class PromptGroup:
    """Objects of a batch that are prompted in the same way on a frame.

    Attributes
    ----------
    kind
        One of `KINDS`; clicks on nothing are in the group ``"click"``.
    rows
        ``(objects,)`` rows of the batch.
    prompts
        Their prompts; None for ``"mask"``, where the true mask is given.
    """

    kind: str
    rows: torch.Tensor
    prompts: PromptTensors | None

    def to(self, device: torch.device) -> PromptGroup:
        """Return the group with its tensors on a device."""
        prompts = self.prompts
        if prompts is not None:
            logits = prompts.mask_logits
            prompts = PromptTensors(
                prompts.points.to(device),
                prompts.labels.to(device),
                None if logits is None else logits.to(device),
            )
        return PromptGroup(self.kind, self.rows.to(device), prompts)


def draw_groups(
    masks: torch.Tensor,
    rows: np.ndarray,
    mix: PromptMix,
    random: np.random.Generator,
    nowhere: Mapping[int, tuple[int, int]] | None = None,
) -> tuple[PromptGroup, ...]:
    """Simulate a prompt for each of some objects on one frame.

    Parameters
    ----------
    masks
        ``(objects, S, S)`` bool of all objects.
    rows
        The objects to prompt; they are seen.
    mix
        How often each kind is drawn, coarse and given masks as they are.
    nowhere
        Further rows with a click at ``(y, x)`` on nothing.
    """
    weights = np.array([mix.click, mix.clicks, mix.box, mix.coarse, mix.mask])
    kinds = random.choice(KINDS, size=len(rows), p=weights / weights.sum())
    entries: dict[str, list[tuple[int, np.ndarray]]] = {}
    for row, kind in zip(rows.tolist(), kinds.tolist(), strict=True):
        entry = _simulate(kind, masks[row].numpy(), random)
        entries.setdefault(kind, []).append((row, entry))
    for row, place in (nowhere or {}).items():
        entry = np.array([place[::-1]], np.float32)
        entries.setdefault("click", []).append((row, entry))
    return tuple(_group(kind, listed) for kind, listed in sorted(entries.items()))


def draw_group(
    kind: str, masks: torch.Tensor, rows: np.ndarray, random: np.random.Generator
) -> PromptGroup:
    """Simulate prompts of one kind for some of ``(objects, S, S)`` masks."""
    drawn = [(int(row), _simulate(kind, masks[row].numpy(), random)) for row in rows]
    return _group(kind, drawn)


def _simulate(kind: str, mask: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Return points ``(n, 2)`` as x, y, or ``(S/4, S/4)`` logits, or nothing.

    Two clicks are ``(2, 3)``: x, y and the kind of point.
    """
    if kind == "click":
        return np.array([click_inside(mask, random)[::-1]], np.float32)
    if kind == "clicks":
        first = *click_inside(mask, random)[::-1], PointLabel.POSITIVE
        return np.array([first, _second_click(mask, random)], np.float32)
    if kind == "mask":
        return np.zeros((0, 2), np.float32)
    y0, x0, y1, x1 = jittered_box(mask, random)
    if kind == "box":
        return np.array([[x0, y0], [x1, y1]], np.float32)
    return coarse_logits((y0, x0, y1, x1), mask.shape[0])


def _second_click(
    mask: np.ndarray, random: np.random.Generator
) -> tuple[int, int, PointLabel]:
    """Return x, y and kind of a click elsewhere on an object, or close beside it."""
    y, x = click_beside(mask, random)
    if random.random() < 0.5:
        y, x = click_inside(mask, random)
        return x, y, PointLabel.POSITIVE
    return x, y, PointLabel.NEGATIVE


def _group(kind: str, entries: Sequence[tuple[int, np.ndarray]]) -> PromptGroup:
    rows = torch.tensor([row for row, _ in entries])
    values = torch.from_numpy(np.stack([value for _, value in entries]))
    if kind == "mask":
        return PromptGroup(kind, rows, None)
    if kind == "coarse":
        empty = PromptTensors.empty(len(rows), values.device)
        prompts = PromptTensors(empty.points, empty.labels, values[:, None])
        return PromptGroup(kind, rows, prompts)
    if kind == "clicks":
        prompts = PromptTensors(values[..., :2], values[..., 2].long())
        return PromptGroup(kind, rows, prompts)
    names = {
        "click": [PointLabel.POSITIVE],
        "box": [PointLabel.BOX_FIRST, PointLabel.BOX_LAST],
    }[kind]
    labels = torch.tensor([[int(name) for name in names]]).expand(len(rows), -1)
    return PromptGroup(kind, rows, PromptTensors(values, labels))
