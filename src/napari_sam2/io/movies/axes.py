"""Which axis of an image is the frame, and what is held fixed.

An image file has up to seven axes that mean something here: T (time), Z (depth),
C (channel), P (stage position), Y, X and S (the samples of an RGB pixel). A
`FrameLayout` says how one 2D frame is cut out of it: frames run along T if there is
more than one time point, else along Z; everything else is fixed by choice, and where
there is a choice to be made it is asked for, never guessed. Nor is what an axis means:
only pages of which a file says nothing at all are taken as time points.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from napari_sam2.errors import InputError
from napari_sam2.io.axis_names import AXIS_NAMES, PLANES_OR_COLORS, UNSAID

IGNORED = "_"
"""Stands for an axis of length 1 that means nothing here."""

MAX_CHANNELS = 3

WIDEST = 1.8
"""A picture's longer side by its shorter one, up to which cameras make them."""
STRIP = 1.5
"""So many times longer than that of another reading, and frames are unlikely."""

_PLACES: Mapping[str, str] = {"T": "time point", "Z": "z plane", "P": "stage position"}
_SETTINGS: Mapping[str, str] = {"T": "t", "Z": "z", "P": "position"}
_WHERE: Mapping[str, str] = {"T": " in each frame", "Z": " in each frame", "P": ""}
AXES, CHANNELS = ("axes",), ("channels",)
"""Settings that errors name."""


@dataclass(frozen=True, slots=True)
class FrameSelection:
    """What a person chose to see of an image with many axes.

    Attributes
    ----------
    axes
        One letter of ``TZCPYXS`` for each dimension of the array; None to take the
        file's own.
    t, z, position
        The time point, plane or stage position to stay on, counted from 0. A ``t``
        makes Z the frame axis.
    channels
        One to three channels, counted from 0, shown as grey or as red, green, blue.
    most_channels
        How many there may be: one of labels, which nobody shows.
    """

    axes: str | None = None
    t: int | None = None
    z: int | None = None
    channels: tuple[int, ...] | None = None
    position: int | None = None
    most_channels: int = MAX_CHANNELS


@dataclass(frozen=True, slots=True)
class FrameLayout:
    """How 2D frames lie in an N-dimensional array.

    Attributes
    ----------
    axes
        One letter for each dimension, of ``TZCPYXS`` and `IGNORED`.
    frame_axis
        ``"T"``, ``"Z"``, or ``""`` for a single image.
    fixed
        Index on each axis that is held fixed.
    channels
        Indices shown, in the order red, green, blue; one is shown as grey.
    """

    axes: str
    shape: tuple[int, ...]
    frame_axis: str
    fixed: Mapping[str, int] = field(default_factory=dict)
    channels: tuple[int, ...] = (0,)

    @property
    def frame_count(self) -> int:
        """Number of frames."""
        return self.length(self.frame_axis)

    @property
    def summary(self) -> str:
        """What frames are and what is fixed, in a few words."""
        count = self.frame_count
        kind = _PLACES.get(self.frame_axis, "frame")
        said = [f"frames are {count} {kind}s" if count > 1 else "one frame"]
        for letter, index in self.fixed.items():
            if letter in _PLACES and self.length(letter) > 1:
                said.append(f"{_PLACES[letter]} {index} of {self.length(letter)}")
        if self.channel_axis == "C" and self.length("C") > 1:
            said.append(f"channel {_listed(self.channels)} of {self.length('C')}")
        return ", ".join(said)

    @property
    def frame_shape(self) -> tuple[int, int]:
        """``(Y, X)`` in pixels."""
        return self.length("Y"), self.length("X")

    @property
    def channel_axis(self) -> str:
        """The axis that `channels` counts on: ``"C"``, ``"S"`` or ``""``."""
        return next((letter for letter in "CS" if self._is_open(letter)), "")

    @property
    def is_color(self) -> bool:
        """True for RGB samples, whose balance an intensity mapping must keep."""
        return self.channel_axis == "S" and len(self.channels) > 1

    def index(self, start: int, stop: int) -> tuple[int | slice, ...]:
        """Return the array index of frames ``start`` to ``stop`` (exclusive).

        Only integers and slices, so that every kind of array can be asked.
        """
        picks: dict[str, int | slice] = {IGNORED: 0, **self.fixed}
        picks[self.frame_axis] = slice(start, stop)
        picks[self.channel_axis] = slice(min(self.channels), max(self.channels) + 1)
        return tuple(picks.get(letter, slice(None)) for letter in self.axes)

    def planes(self, block: np.ndarray) -> np.ndarray:
        """Arrange what `index` gave as ``(frames, channels, Y, X)``.

        Parameters
        ----------
        block
            The array indexed by `index`, its remaining axes in the order of `axes`.
        """
        letters = [
            letter
            for letter in self.axes
            if letter != IGNORED and letter not in self.fixed
        ]
        order = [
            letters.index(letter)
            for letter in (self.frame_axis, self.channel_axis, "Y", "X")
            if letter
        ]
        arranged = block.transpose(order)
        if not self.channel_axis:
            return arranged.reshape(-1, 1, *self.frame_shape)
        arranged = arranged.reshape(-1, *arranged.shape[-3:])
        first = min(self.channels)
        picked = [channel - first for channel in self.channels]
        if picked == list(range(arranged.shape[1])):
            return arranged
        return arranged[:, picked]

    def length(self, letter: str) -> int:
        """Return how long an axis is; 1 of none."""
        return self.shape[self.axes.index(letter)] if letter else 1

    def _is_open(self, letter: str) -> bool:
        return letter in self.axes and letter not in self.fixed


def lay_out_frames(
    shape: Sequence[int],
    *,
    known_axes: Sequence[str] | None = None,
    selection: FrameSelection | None = None,
    name: str = "image",
) -> FrameLayout:
    """Decide which axis is the frame and what is fixed.

    Parameters
    ----------
    known_axes
        The file's own axes, one letter a dimension, or the file's word for what has no
        letter. Pages of which it does not say what they are (``Q``, ``I``) become
        time if there is one such axis and no other time.
    name
        How errors call the image.

    Raises
    ------
    InputError
        If the image is empty, the axes are unknown, ambiguous or do not fit, or
        there is more than one plane or channel and none was chosen.
    """
    selection = selection or FrameSelection()
    shape = tuple(int(length) for length in shape)
    if len(shape) < 2 or min(shape) < 1:
        raise InputError(f"{name} is empty or no image: its shape is {shape}")
    if selection.axes is not None:
        axes = _check_given_axes(selection.axes, shape, known_axes, name)
    elif known_axes is not None:
        axes = _interpret_known_axes(known_axes, shape, name)
    else:
        axes = _guess_axes(shape, name)
    sizes = dict(zip(axes, shape, strict=True))
    frame_axis, fixed = _choose_frame_axis(sizes, selection, name)
    channels, fixed_channel = _choose_channels(sizes, selection, name)
    return FrameLayout(axes, shape, frame_axis, fixed | fixed_channel, channels)


def _check_given_axes(
    axes: str, shape: tuple[int, ...], known_axes: Sequence[str] | None, name: str
) -> str:
    letters = axes.upper()
    for letter in letters:
        if letter not in AXIS_NAMES:
            known = ", ".join(f"{key} ({word})" for key, word in AXIS_NAMES.items())
            raise InputError(
                f"axes {axes}: unknown axis {letter!r}; use {known}", settings=AXES
            )
    if len(set(letters)) != len(letters):
        raise InputError(f"axes {axes}: an axis is named twice", settings=AXES)
    if not {"Y", "X"} <= set(letters):
        raise InputError(f"axes {axes}: Y and X must be among them", settings=AXES)
    if len(letters) != len(shape):
        stored = f", stored as {_joined(known_axes)}" if known_axes else ""
        raise InputError(
            f"axes {axes}: that is {len(letters)} axes, but {name} has {len(shape)}: "
            f"shape {shape}{stored}",
            settings=AXES,
        )
    return letters


def _interpret_known_axes(
    known_axes: Sequence[str], shape: tuple[int, ...], name: str
) -> str:
    """Turn a file's axes into ours; see `lay_out_frames` for those unsaid."""
    if len(known_axes) != len(shape):
        return _guess_axes(shape, name)
    letters = list(known_axes)
    unknown = [
        at
        for at, letter in enumerate(letters)
        if letter not in AXIS_NAMES or letter in letters[:at]
    ]
    for at in unknown:
        letters[at] = IGNORED
    long_ones = [at for at in unknown if shape[at] > 1]
    if long_ones:
        _ask_unless_pages(known_axes, long_ones, shape, letters, name)
        if "T" in letters:
            letters[letters.index("T")] = IGNORED
        letters[long_ones[0]] = "T"
        if "".join(letters).startswith("TYX"):
            _ask_where_frames_come_last(shape, name)
    if not {"Y", "X"} <= set(letters):
        raise InputError(
            f"{name}: its axes {_joined(known_axes)} lack Y or X; say what they are, "
            f"for example {_example_axes(len(shape))}",
            settings=AXES,
        )
    return "".join(letters)


def _ask_unless_pages(
    known_axes: Sequence[str],
    unknown: Sequence[int],
    shape: tuple[int, ...],
    letters: Sequence[str],
    name: str,
) -> None:
    """Refuse unknown axes, but for one of pages where there is no other time."""
    has_time = "T" in letters and shape[letters.index("T")] > 1
    said = [at for at in unknown if known_axes[at] not in (UNSAID, "I")]
    if not said and len(unknown) == 1 and not has_time:
        return
    at = (said or unknown)[0]
    word = known_axes[at]
    what = f"what its axis {at} of length {shape[at]} is"
    called = f" (the file calls it {word!r})" if at in said else ""
    if word == PLANES_OR_COLORS:
        called = f": {word} (S)"
    raise InputError(
        f"{name} does not say {what}{called}: of the axes {_joined(known_axes)} of "
        f"shape {shape} not all are known; say what they are, for example "
        f"{_example_axes(len(shape))}, with P for stage positions",
        settings=AXES,
    )


def _joined(axes: Sequence[str]) -> str:
    """Return axes as people write them: ``TZYX``, or words with commas."""
    axes = ["?" if axis in (UNSAID, PLANES_OR_COLORS) else axis for axis in axes]
    return ("" if all(len(axis) == 1 for axis in axes) else ",").join(axes)


def _guess_axes(shape: tuple[int, ...], name: str) -> str:
    """Guess the axes of an array that does not say them.

    2D is one image, 3D is a movie (or an RGB image, if the last axis has 3 or 4 and
    the others more), 4D is guessed only for movies of RGB images.
    """
    samples_last = shape[-1] in (3, 4) and min(shape[-3:-1], default=0) > 4
    guesses = {2: "YX", 3: "YXS" if samples_last else "TYX"}
    if samples_last:
        guesses[4] = "TYXS"
    if len(shape) not in guesses:
        raise InputError(
            f"{name} does not say what its {len(shape)} axes of shape {shape} are; "
            f"say it, for example {_example_axes(len(shape))}",
            settings=AXES,
        )
    if guesses[len(shape)].startswith("TYX"):
        _ask_where_frames_come_last(shape, name)
    return guesses[len(shape)]


def _ask_where_frames_come_last(shape: tuple[int, ...], name: str) -> None:
    """Refuse to take as frames what would be strips, and pictures the other way round.

    As 512 × 512 × 40, of which nobody says that they are 40 frames.
    """
    first, second, last = shape[:3]
    if last >= min(first, second):
        return
    length, other = second / last, max(first, second) / min(first, second)
    if other <= WIDEST and length > STRIP * other:
        raise InputError(
            f"{name} does not say what its axes of shape {shape} are, and {first} "
            f"frames of {second} × {last} pixels are unlikely; say it: YXT if the "
            "frames come last, YXC if the channels do, TYX if that is what they are",
            settings=AXES,
        )


def _example_axes(dimensions: int) -> str:
    examples = {2: "YX", 3: "TYX", 4: "TZYX or TCYX", 5: "TZCYX"}
    return examples.get(dimensions, "TZCYXS")


def _choose_frame_axis(
    sizes: Mapping[str, int], selection: FrameSelection, name: str
) -> tuple[str, dict[str, int]]:
    """Return the frame axis, and the index on those of T, Z and P that are fixed."""
    present = [letter for letter in "TZ" if letter in sizes]
    if selection.t is not None:
        frame_axis = "Z"
    elif selection.z is not None and "T" in sizes:
        frame_axis = "T"
    else:
        long_ones = [letter for letter in present if sizes[letter] > 1]
        frame_axis = (long_ones or present or [""])[0]
    chosen = {"T": selection.t, "Z": selection.z, "P": selection.position}
    for letter, index in chosen.items():
        if index is not None and letter not in sizes:
            raise InputError(
                f"{name} has no {letter} axis: choose no {_PLACES[letter]}",
                settings=(_SETTINGS[letter],),
            )
    if frame_axis == "Z" and selection.z is not None:
        raise InputError(
            f"{name}: its z planes are the frames, so choose no z plane; if they are "
            "time points, name the axis T",
            settings=("z", "axes"),
        )
    fixed = {
        letter: _fixed_index(letter, sizes[letter], chosen[letter], name)
        for letter in "TZP"
        if letter in sizes and letter != frame_axis
    }
    return frame_axis if frame_axis in sizes else "", fixed


def _fixed_index(letter: str, size: int, chosen: int | None, name: str) -> int:
    settings = (_SETTINGS[letter],)
    if chosen is None:
        if size == 1:
            return 0
        raise InputError(
            f"{name} has {size} {_PLACES[letter]}s{_WHERE[letter]}: choose one, 0 to "
            f"{size - 1}",
            settings=settings,
        )
    if not 0 <= chosen < size:
        raise InputError(
            f"{_PLACES[letter]} {chosen} is out of range: {name} has {size}, 0 to "
            f"{size - 1}",
            settings=settings,
        )
    return chosen


def _choose_channels(
    sizes: Mapping[str, int], selection: FrameSelection, name: str
) -> tuple[tuple[int, ...], dict[str, int]]:
    """Return the channels shown, and the index of C where S is shown instead."""
    samples, size = sizes.get("S", 1), sizes.get("C", 1)
    if "C" not in sizes or (size == 1 and samples > 1 and selection.channels is None):
        fixed = {"C": 0} if "C" in sizes else {}
        return _channels_in_range(
            selection, samples, _shown_samples(samples), name
        ), fixed
    if samples == 1:
        shown = _channels_in_range(selection, size, (0,) if size == 1 else None, name)
        return shown, {"S": 0} if "S" in sizes else {}
    chosen = _channels_in_range(selection, size, None, name)
    if len(chosen) > 1:
        raise InputError(
            f"{name} has RGB channels: choose one of them", settings=CHANNELS
        )
    return _shown_samples(samples) or (0,), {"C": chosen[0]}


def _shown_samples(samples: int) -> tuple[int, ...] | None:
    """Return the samples that show by themselves: grey or RGB without alpha."""
    return {1: (0,), 2: (0,), 3: (0, 1, 2), 4: (0, 1, 2)}.get(samples)


def _channels_in_range(
    selection: FrameSelection, size: int, default: tuple[int, ...] | None, name: str
) -> tuple[int, ...]:
    channels = selection.channels
    if channels is None:
        if default is None:
            colors = ", or up to three to show as red, green and blue"
            raise InputError(
                f"{name} has {size} channels: choose one, 0 to {size - 1}"
                + colors * (selection.most_channels > 1),
                settings=CHANNELS,
            )
        return default
    if not 1 <= len(channels) <= MAX_CHANNELS:
        raise InputError(
            f"channels {_listed(channels)}: give one to three", settings=CHANNELS
        )
    for channel in channels:
        if not 0 <= channel < size:
            raise InputError(
                f"channels {_listed(channels)}: {name} has {size} channels, 0 to "
                f"{size - 1}",
                settings=CHANNELS,
            )
    return channels


def _listed(channels: Sequence[int]) -> str:
    return ",".join(str(channel) for channel in channels)
