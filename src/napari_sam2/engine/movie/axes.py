"""Where frames lie in an image layer: dimensions, positions, places in the movie.

Pure arithmetic on shapes, names and positions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from napari_sam2.errors import InputError
from napari_sam2.io.axis_names import axis_letter
from napari_sam2.prompts import BoxPrompt
from napari_sam2.tiles import Window

MAX_OTHER_AXES = 3

FEW = 3
"""Nameless dimensions of at most this length may well be channels."""


@dataclass(frozen=True, slots=True)
class LayerAxes:
    """How frames lie in an image layer.

    Attributes
    ----------
    shape
        Length of each dimension of the layer, without the samples of RGB.
    letters
        One of ``TZCYX`` for each dimension.
    frame_axis
        Dimension along which frames run; None for a single image.
    fixed
        ``(dimension, index)`` of each other dimension: where the movie stays.
    region
        The part of each frame that the model looks at, ``(y, x, height, width)`` in
        pixels; None for all of it.
    """

    shape: tuple[int, ...]
    letters: str
    frame_axis: int | None
    fixed: tuple[tuple[int, int], ...] = ()
    region: Window | None = None

    @property
    def frame_count(self) -> int:
        """Number of frames."""
        return 1 if self.frame_axis is None else self.shape[self.frame_axis]

    @property
    def frame_shape(self) -> tuple[int, int]:
        """``(Y, X)`` in pixels."""
        return self.shape[-2], self.shape[-1]

    @property
    def spread(self) -> tuple[int, ...]:
        """Dimensions along which masks are the same everywhere: channels."""
        return tuple(axis for axis, _ in self.fixed if self.letters[axis] == "C")

    @property
    def channel_axis(self) -> int | None:
        """Dimension along which channels lie; None if there is none."""
        at = self.letters.find("C")
        return None if at < 0 else at

    @property
    def has_stacks(self) -> bool:
        """Whether the layer has several time points of several planes each."""
        found = [self.letters.find(letter) for letter in "TZ"]
        return min(found) >= 0 and min(self.shape[axis] for axis in found) > 1

    def stack_axes(self) -> tuple[int, int]:
        """Return the dimensions of time and z.

        Raises
        ------
        InputError
            If the layer has no stacks over time.
        """
        if not self.has_stacks:
            raise InputError(
                "the layer has no stacks over time: say in Movie which of its "
                "dimensions is time; another one is z then"
            )
        return self.letters.index("T"), self.letters.index("Z")

    def on_plane(self, plane: int) -> LayerAxes:
        """Return how the frames of one plane lie in a layer of stacks over time.

        Raises
        ------
        InputError
            If the layer has no stacks over time.
        """
        along_t, along_z = self.stack_axes()
        others = {axis: at for axis, at in self.fixed if axis != along_t}
        fixed = sorted((others | {along_z: plane}).items())
        return replace(self, frame_axis=along_t, fixed=tuple(fixed), region=None)

    def frame_at(self, position: Sequence[float]) -> int:
        """Return the frame of a position in the layer, which may be out of range."""
        return 0 if self.frame_axis is None else round(position[self.frame_axis])

    def is_on_plane(self, position: Sequence[float]) -> bool:
        """Whether a position lies where the movie stays in all other dimensions."""
        return all(
            axis in self.spread or round(position[axis]) == index
            for axis, index in self.fixed
        )


def candidate_frame_axes(shape: Sequence[int]) -> list[int]:
    """Return the dimensions along which frames can run: all but the last two."""
    return [axis for axis, length in enumerate(shape[:-2]) if length > 1]


def guess_frame_axis(shape: Sequence[int], names: Sequence[str]) -> int | None:
    """Return the axis called time, else the first that is called depth or nothing.

    One without a name that is as short as channels are comes last. None if all are
    called something else, such as a stage position: which of these frames run along is
    for a person to say.

    Parameters
    ----------
    shape
        Length of each dimension, rows and columns last.
    names
        What the layer calls them; napari numbers those without a name.
    """
    candidates = candidate_frame_axes(shape)
    letters = {axis: axis_letter(names[axis]) for axis in candidates}
    for axis in candidates:
        if letters[axis] == "T":
            return axis
    few = unsure_axes(shape, names)
    for axis in sorted(candidates, key=few.__contains__):
        if letters[axis] == "Z" or is_nameless(names[axis]):
            return axis
    return None


def is_nameless(name: str) -> bool:
    """Whether a layer calls an axis nothing: napari then numbers it from the end."""
    return name.lstrip("-").isdigit()


def unsure_axes(shape: Sequence[int], names: Sequence[str]) -> list[int]:
    """Return the nameless dimensions that are as short as channels are.

    None where another one is called channel.
    """
    candidates = candidate_frame_axes(shape)
    if any(axis_letter(names[axis]) == "C" for axis in candidates):
        return []
    return [
        axis for axis in candidates if shape[axis] <= FEW and is_nameless(names[axis])
    ]


def guess_channel_axis(
    shape: Sequence[int], names: Sequence[str], frame_axis: int | None
) -> int | None:
    """Return the axis called channel; None if none is, or frames run along it."""
    for axis in candidate_frame_axes(shape):
        if axis != frame_axis and axis_letter(names[axis]) == "C":
            return axis
    return None


def lay_out_layer(
    shape: Sequence[int],
    names: Sequence[str],
    frame_axis: int | None,
    stay_at: Mapping[int, int],
    channel_axis: int | None = None,
) -> LayerAxes:
    """Say how frames lie in a layer.

    Parameters
    ----------
    shape, names
        Length and name of each dimension, rows and columns last.
    frame_axis
        Dimension along which frames run; None for a single image.
    stay_at
        Index on every other dimension; 0 where it is left out.
    channel_axis
        Dimension along which channels lie; None for the one that is called so, if any.

    Raises
    ------
    InputError
        If the layer has fewer than two dimensions, or more than time, depth and
        channel besides rows and columns.
    """
    if len(shape) < 2:
        raise InputError(f"the layer has {len(shape)} dimension(s); choose an image")
    others = range(len(shape) - 2)
    if len(others) > MAX_OTHER_AXES:
        raise InputError(
            f"the layer has {len(shape)} dimensions; besides rows and columns there "
            "may be time, depth and channel: take the others out of the layer first"
        )
    letters: dict[int, str] = {} if channel_axis is None else {channel_axis: "C"}
    order = sorted(others, key=lambda axis: axis != frame_axis)
    for axis in order:
        if axis in letters:
            continue
        free = [letter for letter in "TZC" if letter not in letters.values()]
        named = axis_letter(names[axis])
        if axis == frame_axis and named == "C":
            named = "T"
        letters[axis] = named if named in free else _next_letter(free, axis, frame_axis)
    return LayerAxes(
        shape=tuple(shape),
        letters="".join(letters[axis] for axis in others) + "YX",
        frame_axis=frame_axis,
        fixed=tuple(
            (axis, stay_at.get(axis, 0)) for axis in others if axis != frame_axis
        ),
    )


def reading_of(axes: LayerAxes, names: Sequence[str]) -> str:
    """Say in a few words what a layer's dimensions are taken for, and why.

    Parameters
    ----------
    names
        What the layer calls its dimensions.
    """
    others = range(len(axes.shape) - 2)
    nameless = [axis for axis in others if is_nameless(names[axis])]
    chosen = [
        axis
        for axis in others
        if axis not in nameless and axis_letter(names[axis]) != axes.letters[axis]
    ]
    reasons = []
    if len(nameless) + len(chosen) < len(others):
        reasons.append("the layer calls its axes so")
    for which, reason in ((nameless, "without a name"), (chosen, "chosen so")):
        if which:
            said = " and ".join(axes.letters[axis].lower() for axis in which)
            reasons.append(f"{said} {'are' if which[1:] else 'is'} {reason}")
    read = f"read as {', '.join(axes.letters.lower())}"
    return f"{read} because {', '.join(reasons)}" if reasons else read


def _next_letter(free: Sequence[str], axis: int, frame_axis: int | None) -> str:
    """Return the letter of a nameless axis: time for frames, else depth, channel."""
    preferred = "T" if axis == frame_axis else "ZCT"
    return next(letter for letter in preferred if letter in free)


@dataclass(frozen=True, slots=True)
class Spot:
    """A place in the movie: frame, row and column, in pixels of the frame."""

    frame_index: int
    y: float
    x: float


def spot_at(position: Sequence[float], axes: LayerAxes) -> Spot | None:
    """Return the place at a position of the layer; None where no click is possible.

    That is outside the frame, or of what is looked at in it, or on another plane.

    Parameters
    ----------
    position
        One number for each dimension of the layer, in its pixels.
    """
    *_, y, x = (float(part) for part in position)
    top, left, height, width = axes.region or (0, 0, *axes.frame_shape)
    is_inside = -0.5 <= y - top <= height - 0.5 and -0.5 <= x - left <= width - 0.5
    if not is_inside or not is_on_frame(position, axes):
        return None
    return Spot(axes.frame_at(position), y, x)


def is_on_frame(position: Sequence[float], axes: LayerAxes) -> bool:
    """Whether a position lies on a frame of the movie, inside or beside the picture."""
    return 0 <= axes.frame_at(position) < axes.frame_count and axes.is_on_plane(
        position
    )


def position_of(spot: Spot, axes: LayerAxes) -> list[float]:
    """Return where a place lies in the layer."""
    position = [0.0] * len(axes.shape)
    for axis, index in axes.fixed:
        position[axis] = float(index)
    if axes.frame_axis is not None:
        position[axes.frame_axis] = float(spot.frame_index)
    position[-2:] = [spot.y, spot.x]
    return position


def box_between(
    first: Sequence[float], last: Sequence[float], frame_shape: tuple[int, int]
) -> BoxPrompt | None:
    """Return the box of the pixels between two corners; None if there are none.

    A pixel reaches half a step to each side of its centre, and a corner lies between
    pixels, while a box names the centres of its first and last row and column.

    Parameters
    ----------
    first, last
        ``(y, x)`` of two opposite corners, which may lie outside the picture.
    frame_shape
        ``(Y, X)``, to which the box is cut.
    """
    sides = []
    for one, other, length in zip(first, last, frame_shape, strict=True):
        low, high = sorted((float(one), float(other)))
        low, high = max(low, -0.5) + 0.5, min(high, length - 0.5) - 0.5
        if high < low:
            return None
        sides.append((low, high))
    (y0, y1), (x0, x1) = sides
    return BoxPrompt(y0, x0, y1, x1)


def corners_of(box: BoxPrompt) -> list[tuple[float, float]]:
    """Return the four ``(y, x)`` corners around the pixels of a box, in turn."""
    top, bottom = box.y0 - 0.5, box.y1 + 0.5
    left, right = box.x0 - 0.5, box.x1 + 0.5
    return [(top, left), (top, right), (bottom, right), (bottom, left)]
