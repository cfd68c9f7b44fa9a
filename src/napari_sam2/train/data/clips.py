"""Training clips: a crop of a labelled picture, set in motion, with its true masks."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch

from napari_sam2.errors import InputError
from napari_sam2.train.data.absence import SMALLEST_SIGHT, Scene, make_absent
from napari_sam2.train.data.appearance import normalise, vary
from napari_sam2.train.data.division import divide
from napari_sam2.train.data.examples import UNKNOWN, Corpus, Example, named
from napari_sam2.train.data.motion import (
    CropStyle,
    sample_frames,
    sample_labels,
    sampling_grid,
)

SMALLEST_AREA = 20
"""Crop pixels that an object must show in frame 0 to be prompted."""

LARGEST_PART = 0.6
"""Part of the crop that an object may cover to be prompted."""

BORDER_WEIGHT = 0.3

TOUCHING_GAP = 3
"""Crop pixels between objects that count as touching."""

ABSENCE = 0.3
"""Usual probability that an object vanishes or is covered on some frames."""

SLOWEST = 0.15
"""Part of the wanted motion that the slowest clips have."""

ATTEMPTS = 1000
"""Views that are drawn in vain before a corpus counts as unusable."""

OTHER_PLACES = 20
"""Pictures that are drawn to find one of another movie."""


@dataclass(frozen=True, slots=True, eq=False)
class Clip:
    """Frames and the masks of the chosen objects.

    Attributes
    ----------
    frames
        ``(T, 3, S, S)`` float32, normalised.
    labels
        ``(T, S, S)`` int32 of all objects, chosen or not; `UNKNOWN` where nothing is
        known.
    masks
        ``(T, N, S, S)`` bool of the chosen objects; all False where one is absent or
        fewer than `SMALLEST_SIGHT` pixels of it are in view.
    """

    frames: torch.Tensor
    labels: np.ndarray
    masks: torch.Tensor


def make_clip(
    corpus: Corpus, style: CropStyle, objects: int, random: np.random.Generator
) -> Clip:
    """Draw a clip in which ``objects`` objects are visible in frame 0.

    With fewer in view some are chosen twice (they get different prompts).

    Raises
    ------
    InputError
        If the corpus gives no such clip.
    """
    # Slow clips teach to keep a mask exactly, fast ones to follow it.
    style = replace(style, motion=style.motion * random.uniform(SLOWEST, 1.0))
    example, view, ids = draw_view(corpus, style, objects, random)
    frames, labels = view.frames, view.labels
    if style.frames > 1 and style.division > 0:
        scene = Scene(frames, labels).copy()
        _divide_some(scene, ids, style.division, random)
        frames, labels = scene.frames, scene.labels
    if style.frames > 1 and style.absence > 0:
        scene = Scene(frames, labels)
        elsewhere = _elsewhere(corpus, example, ids, style.size, random)
        scene = make_absent(scene, ids, elsewhere, style.absence, random)
        frames, labels = scene.frames, scene.labels
    frames = normalise(vary(frames, random, invert=example.invert))
    if not example.is_complete:
        labels = np.where(labels == 0, UNKNOWN, labels)
    return Clip(frames, labels, visible_masks(labels, ids))


def draw_view(
    corpus: Corpus, style: CropStyle, objects: int, random: np.random.Generator
) -> tuple[Example, Scene, np.ndarray]:
    """Draw a moving crop that shows an object in frame 0.

    Returns
    -------
    tuple
        The example, the crop, and ``objects`` ids as `choose_objects` returns them.

    Raises
    ------
    InputError
        If none of `ATTEMPTS` crops does.
    """
    tried: list[Example] = []
    while len(tried) < ATTEMPTS:
        example = corpus.pick(random)
        frames, labels = animate(example, style, random)
        if random.random() < style.reverse:
            frames, labels = frames.flip(0), np.ascontiguousarray(labels[::-1])
        together = style.touching > 0 and random.random() < style.touching
        choose = choose_touching if together else choose_objects
        ids = choose(labels[0], objects, random)
        if len(ids):
            return example, Scene(frames, labels), ids
        tried.append(example)
    raise InputError(
        f"{named(tried)}: no crop of {style.size} pixels and {style.frames} frames "
        f"shows, in its first frame, an object of {SMALLEST_AREA} pixels or more that "
        f"covers less than {LARGEST_PART:.0%} of it; label objects on earlier frames, "
        "let clips run backwards (reverse), or change diameter, size or frames"
    )


def _divide_some(
    scene: Scene, ids: np.ndarray, division: float, random: np.random.Generator
) -> None:
    """Let some objects divide, in place, after the frame where they are prompted."""
    for object_id in np.unique(ids):
        if random.random() < division:
            first = int(random.integers(1, len(scene.labels)))
            divide(scene, int(object_id), first, random)


def disturb(
    frames: torch.Tensor,
    labels: np.ndarray,
    corpus: Corpus,
    random: np.random.Generator,
    *,
    absence: float = ABSENCE,
    example: Example | None = None,
) -> tuple[torch.Tensor, np.ndarray]:
    """Return a clip some of whose objects are not there on some frames but the first.

    Objects that come into view from another place have ids of their own, above
    `napari_sam2.train.data.absence.FOREIGN`.

    Parameters
    ----------
    frames, labels
        The clip, as `animate` returns it.
    corpus
        Where scenes are cut to.
    absence
        Probability that an object vanishes or is covered.
    example
        What the clip shows: no scene is cut to the same movie, where followed objects
        might be seen. None if it is no part of the corpus.
    """
    ids = np.setdiff1d(labels[0], [0])
    elsewhere = _another_picture(corpus, example, labels.shape[1], random)
    scene = make_absent(Scene(frames, labels), ids, elsewhere, absence, random)
    return scene.frames, scene.labels


def visible_masks(labels: np.ndarray, ids: np.ndarray) -> torch.Tensor:
    """Return ``(T, N, S, S)`` bool masks of some objects, empty where hardly seen."""
    masks = torch.from_numpy(labels[:, None] == ids[None, :, None, None])
    area = masks.flatten(2).sum(dim=2)
    seen: torch.Tensor = masks & (area >= SMALLEST_SIGHT)[..., None, None]
    return seen


def _elsewhere(
    corpus: Corpus,
    example: Example,
    ids: np.ndarray,
    size: int,
    random: np.random.Generator,
) -> Scene | None:
    """Return one frame of the same picture without the objects, or of another one.

    None if neither is found.
    """
    if random.random() < 0.5:
        frames, labels = animate(example, _still(size), random)
        if not np.isin(labels, ids).any():
            return Scene(frames, labels)
    return _another_picture(corpus, example, size, random)


def _another_picture(
    corpus: Corpus, example: Example | None, size: int, random: np.random.Generator
) -> Scene | None:
    """Return one frame of another movie than the example's, or None if all are of it.

    Of another frame of the same movie nobody knows whether it shows the objects.
    """
    for _ in range(OTHER_PLACES):
        other = corpus.pick(random)
        if example is None or other.movie != example.movie:
            frames, labels = animate(other, _still(size), random)
            if not other.is_complete:
                labels = np.where(labels == 0, UNKNOWN, labels)
            return Scene(frames, labels)
    return None


def _still(size: int) -> CropStyle:
    return CropStyle(1, size, (0.1 * size, 0.45 * size), 0.0)


def animate(
    example: Example, style: CropStyle, random: np.random.Generator
) -> tuple[torch.Tensor, np.ndarray]:
    """Return ``(T, 3, S, S)`` frames in 0…1 and ``(T, S, S)`` labels of a moving crop.

    Frames and labels are read through the same grid: masks move with the picture. A
    movie shows consecutive frames, sometimes every second one, under a gentler grid.
    """
    available = len(example.labels)
    grid = sampling_grid(example, style, random)
    if available == 1:
        return sample_frames(example, grid), sample_labels(example.labels, grid)
    step = 2 if available >= 2 * style.frames and random.random() < 0.4 else 1
    first = int(random.integers(max(1, available - step * (style.frames - 1))))
    chosen = np.minimum(first + step * np.arange(style.frames), available - 1)
    part = replace(
        example,
        levels=tuple(np.ascontiguousarray(level[chosen]) for level in example.levels),
        labels=np.ascontiguousarray(example.labels[chosen]),
    )
    still = np.repeat(grid[:1], style.frames, axis=0) * 0.5 + grid * 0.5
    return sample_frames(part, still), sample_labels(part.labels, still)


def choose_objects(
    labels: np.ndarray, count: int, random: np.random.Generator
) -> np.ndarray:
    """Return ``count`` ids visible in a label image, or an empty array if none is.

    All are different where there are enough. Objects cut by the crop's border are
    chosen less often: little of them is seen.
    """
    found, areas = np.unique(labels, return_counts=True)
    fits = (
        (found != 0) & (areas >= SMALLEST_AREA) & (areas < LARGEST_PART * labels.size)
    )
    ids: np.ndarray = found[fits]
    if not len(ids):
        return ids
    border = np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])
    weights = np.where(np.isin(ids, border), BORDER_WEIGHT, 1.0)
    weights /= weights.sum()
    chosen: np.ndarray = random.choice(
        ids, min(count, len(ids)), replace=False, p=weights
    )
    again = random.choice(ids, count - len(chosen), replace=True, p=weights)
    return np.concatenate([chosen, again])


def choose_touching(
    labels: np.ndarray, count: int, random: np.random.Generator
) -> np.ndarray:
    """Return ids as `choose_objects` does: one that touches others, these, and more.

    Where no object touches another it is `choose_objects`.
    """
    near = _touching_pairs(labels)
    drawn = choose_objects(labels, max(count, np.unique(labels).size), random)
    order = list(dict.fromkeys(drawn.tolist()))
    first = next((one for one in order if near.get(one, set()) & set(order)), None)
    if first is None:
        return drawn[:count]
    order.sort(key=lambda one: (one != first, one not in near[first]))
    return np.resize(np.array(order[:count], dtype=drawn.dtype), count)


def _touching_pairs(labels: np.ndarray) -> dict[int, set[int]]:
    """Return object → those less than `TOUCHING_GAP` pixels away along an axis."""
    near: dict[int, set[int]] = {}
    for far in range(1, TOUCHING_GAP + 1):
        shifts = (labels[far:], labels[:-far]), (labels[:, far:], labels[:, :-far])
        for one, two in shifts:
            meet = (one != two) & (one > 0) & (two > 0)
            for a, b in set(zip(one[meet].tolist(), two[meet].tolist(), strict=True)):
                near.setdefault(a, set()).add(b)
                near.setdefault(b, set()).add(a)
    return near
