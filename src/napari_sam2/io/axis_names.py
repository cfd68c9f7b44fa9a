"""What an axis is called, by every program: the one list of words for axes.

A word that is not known stays as it is. It is no time: whoever lays out frames asks
what it means (`napari_sam2.io.movies.axes`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

AXIS_NAMES: Mapping[str, str] = {
    "T": "time",
    "Z": "depth",
    "C": "channel",
    "P": "stage position",
    "Y": "row",
    "X": "column",
    "S": "sample of an RGB pixel",
}

UNSAID = "Q"
"""Stands for pages in a row of which the file does not say what they are."""

PLANES_OR_COLORS = "z planes, channels or colours"
"""Stands for three or four planes in each frame of which nothing more is said."""

OF_TYPE = " of type "
"""Stands between name and type of an axis that contradict each other."""

_WORDS: Mapping[str, tuple[str, ...]] = {
    "T": ("t", "time", "times", "timepoint", "timepoints", "frame", "frames"),
    "Z": ("z", "depth", "plane", "planes", "slice", "slices", "zslice", "focus"),
    "C": ("c", "ch", "channel", "channels", "wavelength", "lambda", "color", "colour"),
    "P": (
        *("p", "r", "position", "positions", "pos", "stage", "stageposition"),
        *("multipoint", "xy", "field", "fov", "site", "scene", "series", "well"),
    ),
    "Y": ("y", "row", "rows", "height"),
    "X": ("x", "column", "columns", "col", "width"),
    "S": ("s", "sample", "samples", "rgb", "rgba"),
}
_LETTERS = {word: letter for letter, words in _WORDS.items() for word in words}
_KINDS = {"time": "T", "channel": "C", "position": "P"}


def axis_letter(name: str | None, kind: str | None = None) -> str:
    """Return the letter of an axis; an unknown one keeps its name, in small letters.

    Parameters
    ----------
    name
        What a file or a viewer calls it.
    kind
        OME-Zarr's type of axis, which counts more than the name: one called ``t`` of
        type ``space`` or ``angle`` is no time.

    Examples
    --------
    >>> axis_letter("Timepoint"), axis_letter("phi"), axis_letter("roi", "time")
    ('T', 'phi', 'T')
    """
    kind = (kind or "").lower()
    if kind in _KINDS:
        return _KINDS[kind]
    word = (name or "").strip().lower()
    letter = _LETTERS.get(word.replace("_", "").replace("-", ""), word or "?")
    if not kind or letter not in AXIS_NAMES or (kind == "space" and letter in "ZYX"):
        return letter
    return f"{word}{OF_TYPE}{kind}"


def axis_letters(
    names: Sequence[str | None], kinds: Sequence[str | None] | None = None
) -> tuple[str, ...]:
    """Return the letter of each axis, as `axis_letter`.

    Axes of space that have no known name are depth, row and column in this order, as
    OME-Zarr wants them. What is called ``s`` or ``sample`` are colours only if it comes
    last; elsewhere it may be anybody's sample.
    """
    kinds = kinds or [None] * len(names)
    letters = [axis_letter(name, kind) for name, kind in zip(names, kinds, strict=True)]
    for at, name in enumerate(names[:-1]):
        if letters[at] == "S" and name and not name.lower().startswith("rgb"):
            letters[at] = name.lower()
    free = [letter for letter in "ZYX" if letter not in letters]
    for at in reversed(range(len(letters))):
        is_unknown = letters[at] not in AXIS_NAMES and OF_TYPE not in letters[at]
        if is_unknown and kinds[at] == "space" and free:
            letters[at] = free.pop()
    return tuple(letters)
