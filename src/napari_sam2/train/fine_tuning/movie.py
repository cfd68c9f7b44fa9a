"""What a person's masklets teach: a movie with labels that are right where it matters.

A label is taken as true only on the frames on which its masklet is trusted. Everything
else on a frame may be an object or not, and teaches nothing.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from napari_sam2.errors import InputError
from napari_sam2.session.planning.frame_set import FrameSet
from napari_sam2.train.data.examples import Example, prepare

LONGEST_EXAMPLE = 16
"""Frames of an example: crops are placed where objects are on its first frame."""

HELD_OUT_PART = 4
"""The last of so many parts of the frames is never trained on."""

FEWEST_MASKLETS, FEWEST_FRAMES, FEWEST_OBJECT_FRAMES = 2, 8, 12
SMALLEST_AREA = 12


@dataclass(frozen=True, slots=True, eq=False)
class TaughtMovie:
    """Frames of a movie in memory, with the masklets that a person vouches for.

    Attributes
    ----------
    name
        Of the session.
    numbers
        ``(T,)`` ascending: which frames of the movie these are.
    frames
        ``(T, Y, X, C)`` uint8 as the model sees them, C is 1 (grey) or 3.
    labels
        ``(T, Y, X)`` int32; object ids.
    trusted
        By object id: frames, by their place in these arrays, on which its label is
        true. An object without pixels on such a frame is absent there.
    """

    name: str
    numbers: np.ndarray
    frames: np.ndarray
    labels: np.ndarray
    trusted: Mapping[int, FrameSet]

    def part(self, first: int, stop: int) -> TaughtMovie:
        """Return the frames at the places ``first`` to ``stop`` − 1."""
        kept = FrameSet.between(first, stop - 1)
        trusted = {
            object_id: FrameSet.of(frame - first for frame in frames & kept)
            for object_id, frames in self.trusted.items()
        }
        return TaughtMovie(
            self.name,
            self.numbers[first:stop],
            self.frames[first:stop],
            self.labels[first:stop],
            {object_id: frames for object_id, frames in trusted.items() if frames},
        )

    def masks(self, place: int) -> dict[int, np.ndarray]:
        """Return ``(Y, X)`` bool by id, of trusted objects that are seen on a frame."""
        labels = self.labels[place]
        found = {
            object_id: labels == object_id
            for object_id, frames in self.trusted.items()
            if place in frames
        }
        return {object_id: mask for object_id, mask in found.items() if mask.any()}

    @property
    def object_frames(self) -> int:
        """How often a trusted object is seen on a frame."""
        return sum(len(self.masks(place)) for place in range(len(self.frames)))

    @property
    def diameter(self) -> float:
        """Median diameter of what is seen, in parts of the frame's sides."""
        areas = [
            mask.mean()
            for place in range(len(self.frames))
            for mask in self.masks(place).values()
        ]
        return float(2.0 * np.sqrt(np.median(areas) / np.pi)) if areas else 0.0


def parted(movie: TaughtMovie) -> tuple[TaughtMovie, TaughtMovie]:
    """Return what is trained on, and the last quarter, which is held out."""
    count = len(movie.frames)
    cut = count - max(1, count // HELD_OUT_PART)
    return movie.part(0, cut), movie.part(cut, count)


def check_enough(movies: Sequence[TaughtMovie]) -> None:
    """Refuse masklets from which nothing can be learned, or nothing measured.

    Raises
    ------
    InputError
        Saying what is missing.
    """
    seen = {
        (number, object_id)
        for number, movie in enumerate(movies)
        for place in range(len(movie.frames))
        for object_id in movie.masks(place)
    }
    frames = sum(len(movie.frames) for movie in movies)
    object_frames = sum(movie.object_frames for movie in movies)
    remedy = "lock or review more of them, or choose more objects"
    if len(seen) < FEWEST_MASKLETS:
        raise InputError(
            f"{len(seen)} masklet is too little to learn from: at least "
            f"{FEWEST_MASKLETS} are needed; {remedy}"
        )
    if frames < FEWEST_FRAMES or object_frames < FEWEST_OBJECT_FRAMES:
        raise InputError(
            f"masklets on {frames} frames, {object_frames} masks in all, are too "
            f"little to learn from: at least {FEWEST_FRAMES} frames and "
            f"{FEWEST_OBJECT_FRAMES} masks are needed; {remedy}"
        )
    parts = [parted(movie) for movie in movies]
    if not any(held.object_frames for _, held in parts):
        raise InputError(
            "no chosen masklet is seen on the last quarter of the frames, on which the "
            f"result is to be measured: {remedy}"
        )
    if not any(examples_of(train) for train, _ in parts):
        raise InputError(
            "no chosen masklet is seen on the first three quarters of the frames, or "
            f"all are smaller than {SMALLEST_AREA} pixels: {remedy}"
        )


def examples_of(movie: TaughtMovie) -> list[Example]:
    """Return examples in which an object is labelled on all frames or on none.

    Otherwise a frame on which a masklet is not trusted would teach that it is absent.
    """
    alike: dict[FrameSet, list[int]] = {}
    for object_id, frames in movie.trusted.items():
        alike.setdefault(frames, []).append(object_id)
    found = []
    for frames, ids in alike.items():
        for first, stop in _stretches(frames, movie.numbers):
            labels = movie.labels[first:stop]
            kept = np.where(np.isin(labels, ids), labels, 0).astype(np.int32)
            name = f"{movie.name} {movie.numbers[first]}-{movie.numbers[stop - 1]}"
            shown = replace(movie.part(first, stop), name=name, labels=kept)
            example = prepare(shown, is_complete=False)
            if len(example.objects):
                found.append(example)
    return found


def _stretches(frames: FrameSet, numbers: np.ndarray) -> list[tuple[int, int]]:
    """Return ``(first, stop)`` of places whose frames are neighbours in the movie."""
    found = []
    for begin, end in frames.runs:
        jumps = np.flatnonzero(np.diff(numbers[begin:end]) > 1) + begin + 1
        edges = [begin, *jumps.tolist(), end]
        for first, stop in itertools.pairwise(edges):
            found += [
                (at, min(at + LONGEST_EXAMPLE, stop))
                for at in range(first, stop, LONGEST_EXAMPLE)
            ]
    return found
