"""The names of image files taken apart: texts, numbers, and what the numbers count.

Programs write what a file is into its name: ``exp_w1GFP_s2_t10.TIF`` is channel 1 of
stage position 2 at time 10. A name is texts with numbers between them; the letters
before a number say what it counts.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import PurePath

UNKNOWN = "?"
"""Stands for a number of which the name does not say what it counts."""

_COUNTED = {
    "T": ("t", "time", "times", "timepoint", "tp", "frame", "frames", "fr", "sk"),
    "Z": ("z", "slice", "plane", "zslice", "depth", "focus", "zpos"),
    "C": (
        *("c", "ch", "chan", "channel", "w", "wv", "wave", "wavelength", "lambda"),
        *("color", "colour"),
    ),
    "P": (
        *("s", "p", "m", "pos", "position", "xy", "site", "fov", "field", "stage"),
        *("series", "well", "scene", "tile", "view", "point", "row", "col", "column"),
    ),
}
_KIND_OF = {word: kind for kind, words in _COUNTED.items() for word in words}

CHANNEL_WORDS = frozenset(
    (
        *("dapi", "hoechst", "gfp", "egfp", "yfp", "eyfp", "cfp", "ecfp", "rfp", "bfp"),
        *("mcherry", "cherry", "tritc", "fitc", "cy3", "cy5", "cy7", "texasred"),
        *("bf", "brightfield", "phase", "phasecontrast", "ph", "pc", "dic", "trans"),
        *("tl", "fluo", "fluorescence", "red", "green", "blue", "nuclei", "nucleus"),
        *("membrane", "membranes", "actin", "dna"),
    )
)

_MASK_ENDING = re.compile(
    r"[ _.-](cp[_-])?(masks?|seg|segmentation|labels?|outlines?|flows?|probabilities)$",
    re.IGNORECASE,
)
_DATE = re.compile(r"(19|20)[0-9]{2}[-_.]?[0-1][0-9][-_.]?[0-3][0-9]")
_WELL_ROW = re.compile(r"(^|[^a-z])[a-hj-p]$")
"""The letter before a well's column; ``f`` and ``i`` mean frames and images too."""

_OPERA = re.compile(r"r[0-9]+c[0-9]+f[0-9]+p[0-9]+-ch[0-9]+sk[0-9]+", re.IGNORECASE)
_MICRO_MANAGER = re.compile(r"img_[0-9]{9}_[^0-9]*_[0-9]{3}", re.IGNORECASE)
_OPERA_KINDS = ("P", "P", "P", "Z", "C", "T")


@dataclass(frozen=True, slots=True)
class FileName:
    """A name taken apart.

    Attributes
    ----------
    name
        The whole.
    texts
        What stands before, between and after the numbers, in small letters, one more
        than numbers.
    numbers
        Each run of digits as it is written.
    """

    name: str
    texts: tuple[str, ...]
    numbers: tuple[str, ...]

    @property
    def pattern(self) -> str:
        """The name with a star for each number."""
        return "*".join(self.texts)


def take_apart(name: str) -> FileName:
    """Take a name apart; suffixes that mean the same count as one."""
    path = PurePath(name)
    suffix = {".tiff": ".tif", ".jpeg": ".jpg"}.get(
        path.suffix.lower(), path.suffix.lower()
    )
    parts = re.split(r"([0-9]+)", path.stem)
    texts = [part.casefold() for part in parts[::2]]
    texts[-1] += suffix
    return FileName(name, tuple(texts), tuple(parts[1::2]))


def is_mask(name: str) -> bool:
    """Tell whether a file calls itself a mask of another: ``cells_cp_masks.png``."""
    return _MASK_ENDING.search(PurePath(name).stem) is not None


def kinds_of_numbers(names: Sequence[FileName]) -> list[str]:
    """Return what each number counts: one of ``TZCP``, or `UNKNOWN`.

    Parameters
    ----------
    names
        Names that differ in their numbers.
    """
    stem = PurePath(names[0].name).stem
    pairs = list(zip(names[0].texts, names[0].numbers, strict=False))
    kinds = [_kind_of(text, number) for text, number in pairs]
    if _OPERA.match(stem):
        kinds[: len(_OPERA_KINDS)] = _OPERA_KINDS
    elif _MICRO_MANAGER.fullmatch(stem):
        kinds[0], kinds[-1] = "T", "Z"
    return kinds


def _kind_of(text: str, number: str) -> str:
    """Return what a number counts that follows a text."""
    last_word = re.search(r"([^\W\d_]+)[\W_]*$", text)
    word = last_word.group(1) if last_word else ""
    if word not in _KIND_OF and len(number) == 2 and _WELL_ROW.search(text):
        return "P"
    return _KIND_OF.get(word, UNKNOWN)


def holds_date(name: str) -> bool:
    """Tell whether a name holds a date: other numbers are then the time of day."""
    return _DATE.search(name) is not None


def are_channels(words: Sequence[str]) -> bool:
    """Tell whether words that differ are those of channels."""
    bare = [re.sub(r"[\W_]", "", word) for word in words]
    return all(word in CHANNEL_WORDS for word in bare)


def without_descriptions(names: Sequence[FileName]) -> list[FileName]:
    """Drop words that only describe the number before them.

    In ``w1GFP_t1`` and ``w2DAPI_t1`` the word after ``w`` follows from its number.
    """
    texts = [list(name.texts) for name in names]
    for at in range(1, len(texts[0])):
        of_number: dict[str, set[str]] = {}
        for name in names:
            of_number.setdefault(name.numbers[at - 1], set()).add(name.texts[at])
        words = {name.texts[at] for name in names}
        if len(words) > 1 and all(len(found) == 1 for found in of_number.values()):
            tail = _common_end(sorted(words))
            for row in texts:
                row[at] = tail
    return [
        replace(name, texts=tuple(row)) for name, row in zip(names, texts, strict=True)
    ]


def differing_words(names: Sequence[FileName]) -> tuple[int, list[str]] | None:
    """Return where texts differ, if in one place only, and the words there."""
    places = [
        at
        for at in range(len(names[0].texts))
        if len({name.texts[at] for name in names}) > 1
    ]
    if len(places) != 1:
        return None
    words = [name.texts[places[0]] for name in names]
    start, end = _common_start(words), _common_end(words)
    # A whole word: what is common may share letters with what differs.
    start = re.sub(r"[^\W\d_]+$", "", start)
    end = re.sub(r"^[^\W\d_]+", "", end)
    return places[0], [word[len(start) : len(word) - len(end)] for word in words]


def _common_start(words: Sequence[str]) -> str:
    shortest, longest = min(words), max(words)
    for at, letter in enumerate(shortest):
        if longest[at : at + 1] != letter:
            return shortest[:at]
    return shortest


def _common_end(words: Sequence[str]) -> str:
    return _common_start([word[::-1] for word in words])[::-1]
