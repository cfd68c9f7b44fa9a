"""Labelled pictures as training sees them: a protocol, a pyramid, and a choice."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from napari_sam2.errors import InputError


class LabelledFrames(Protocol):
    """One image or movie with the instance labels of every frame, in memory."""

    @property
    def name(self) -> str:
        """File name or seed: what a split lists."""

    @property
    def frames(self) -> np.ndarray:
        """``(T, Y, X, C)`` uint8, C is 1 (grey) or 3 (RGB); T is 1 for an image."""

    @property
    def labels(self) -> np.ndarray:
        """``(T, Y, X)`` integers, 0 background; an id keeps its meaning over time."""


UNKNOWN = -1
"""Label, in a crop, of what may or may not be an object."""

SMALLEST_SIDE = 16
"""A level of the pyramid has at least so many rows and columns, or is the first."""

SMALLEST_OBJECT = 12
"""Pixels of the smallest object that a crop is centred on."""

FRAME_RANGE = re.compile(r" \d+-\d+( of \d+)?$")
"""What names end with of examples that show some frames, or objects, of a movie."""

NAMED = 3
"""Names that a message gives before it stops."""


@dataclass(frozen=True, slots=True, eq=False)
class Example:
    """A labelled image or movie prepared for cropping.

    Attributes
    ----------
    name
        As in `LabelledFrames`.
    levels
        ``(T, Y, X, C)`` uint8 at full, half, quarter … resolution.
    labels
        ``(T, Y, X)`` int32 at full resolution.
    objects
        ``(n, 3)`` float: y, x of the centroid and equivalent diameter, in pixels, of
        the objects of the first frame that has any.
    invert
        Probability that contrast is inverted.
    is_complete
        Whether every object is labelled; if not, nothing is known of the background.
    """

    name: str
    levels: tuple[np.ndarray, ...]
    labels: np.ndarray
    objects: np.ndarray
    invert: float
    is_complete: bool = True

    @property
    def movie(self) -> str:
        """Name of the movie: examples of other frames of it have the same."""
        return FRAME_RANGE.sub("", self.name)


def prepare(
    source: LabelledFrames, *, invert: float = 0.0, is_complete: bool = True
) -> Example:
    """Build the pyramid and the object table of an example."""
    pyramid = [np.ascontiguousarray(source.frames)]
    while min(pyramid[-1].shape[1:3]) >= 2 * SMALLEST_SIDE:
        pyramid.append(_halve(pyramid[-1]))
    labels = np.ascontiguousarray(source.labels, dtype=np.int32)
    shown = np.flatnonzero(labels.any(axis=(1, 2)))
    objects = object_table(labels[shown[0] if len(shown) else 0])
    return Example(source.name, tuple(pyramid), labels, objects, invert, is_complete)


def object_table(labels: np.ndarray) -> np.ndarray:
    """Return ``(n, 3)`` float: centroid y, x and equivalent diameter of each label."""
    ids, compact = np.unique(labels, return_inverse=True)
    compact = compact.ravel()
    area = np.bincount(compact, minlength=len(ids))
    row, column = np.divmod(np.arange(labels.size), labels.shape[1])
    y = np.bincount(compact, row, minlength=len(ids)) / area
    x = np.bincount(compact, column, minlength=len(ids)) / area
    table = np.stack([y, x, 2.0 * np.sqrt(area / np.pi)], axis=1)
    kept: np.ndarray = table[(ids != 0) & (area >= SMALLEST_OBJECT)]
    return kept


def _halve(frames: np.ndarray) -> np.ndarray:
    """Return the mean of 2 × 2 pixels, uint8; an odd last row or column is dropped."""
    count, height, width, channels = frames.shape
    even = frames[:, : height // 2 * 2, : width // 2 * 2]
    blocks = even.reshape(count, height // 2, 2, width // 2, 2, channels)
    total = blocks.sum(axis=(2, 4), dtype=np.uint16)
    halved: np.ndarray = ((total + 2) // 4).astype(np.uint8)
    return halved


@dataclass(frozen=True, slots=True, eq=False)
class Corpus:
    """Collections of examples with the share of crops that each supplies."""

    collections: tuple[Sequence[Example], ...]
    weights: tuple[float, ...]

    def pick(self, random: np.random.Generator) -> Example:
        """Draw a collection by weight, then one of its examples that has objects.

        Raises
        ------
        InputError
            If no example of the collection has any.
        """
        weights = np.asarray(self.weights) / np.sum(self.weights)
        collection = self.collections[int(random.choice(len(weights), p=weights))]
        while True:
            example = collection[int(random.integers(len(collection)))]
            if len(example.objects):
                return example
            if not any(len(example.objects) for example in collection):
                raise InputError(
                    f"{named(collection)}: no object of at least {SMALLEST_OBJECT} "
                    "pixels is labelled; label some, or leave the source out"
                )


def named(examples: Sequence[Example]) -> str:
    """Return the names of some examples for a message, the first few of many."""
    names = list(dict.fromkeys(example.name for example in examples))
    rest = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {rest} more" if rest > 0 else "")
