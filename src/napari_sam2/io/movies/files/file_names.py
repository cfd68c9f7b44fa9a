"""The names of image files taken apart: texts, numbers, and what the numbers count.

Programs write what a file is into its name: ``exp_w1GFP_s2_t10.TIF`` is channel 1 of
stage position 2 at time 10. A name is texts with numbers between them; the letters
before a number say what it counts.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import PurePath

UNKNOWN = "?"
"""Stands for a number of which the name does not say what it counts."""

OTHER = "!"
"""Stands for a number that counts something that no movie has, such as angles."""

NOTHING = ""
"""Stands for a number that follows from others, such as Yokogawa's actions."""

_COUNTED = {
    "T": (
        *("t", "time", "times", "timepoint", "tp", "tl", "tm", "frame", "frames", "fr"),
        *("sk", "day", "hour", "hr", "min", "minute", "sec", "second"),
    ),
    "Z": ("z", "slice", "plane", "zslice", "depth", "focus", "zpos", "section"),
    "C": (
        *("c", "ch", "chan", "channel", "w", "wv", "wave", "wavelength", "lambda"),
        *("color", "colour", "chn", "cy", "alexa", "alexafluor", "af", "atto", "fluor"),
        *("laser", "ex", "em", "conf", "csu", "filter", "dye", "marker"),
    ),
    "P": (
        *("s", "p", "m", "pos", "position", "xy", "site", "fov", "field", "stage"),
        *("series", "well", "scene", "tile", "view", "point", "row", "col", "column"),
        *("fld", "roi", "region", "embryo", "animal", "mouse", "dish", "chamber"),
        *("trap", "trench", "lane", "mosaic"),
    ),
    OTHER: (
        *("angle", "rotation", "illumination", "illum", "replicate", "rep", "trial"),
        *("ang", "deg", "pol", "polarization", "tau", "gate", "echo", "dose", "conc"),
        *("patient", "subject", "sample", "specimen", "donor", "tissue", "patch"),
        *("crop", "plate", "colony", "fish", "larva", "worm", "condition", "treatment"),
        *("cm", "slide", "batch", "exposure", "power", "gain"),
    ),
}
_KIND_OF = {word: kind for kind, words in _COUNTED.items() for word in words}

_FEW = {"cam", "camera", "run", "round", "cycle", "loop"}
"""What is numbered with one or two digits; more of them count pictures."""

CHANNEL_WORDS = frozenset(
    (
        *("dapi", "hoechst", "gfp", "egfp", "yfp", "eyfp", "cfp", "ecfp", "rfp", "bfp"),
        *("mcherry", "cherry", "tritc", "fitc", "cy3", "cy5", "cy7", "texasred"),
        *("bf", "brightfield", "phase", "phasecontrast", "ph", "pc", "dic", "trans"),
        *("tl", "fluo", "fluorescence", "red", "green", "blue", "nuclei", "nucleus"),
        *("membrane", "membranes", "actin", "dna"),
    )
)

LASER_LINES = frozenset(
    (
        *(355, 375, 403, 405, 408, 440, 442, 445, 458, 470, 473, 476, 477, 488, 491),
        *(505, 514, 532, 543, 546, 555, 561, 568, 594, 633, 635, 637, 638, 640, 642),
        *(647, 660, 730, 750, 785),
    )
)
"""Wavelengths in nanometres, as names of channels hold them: ``x_488.tif``."""

LASER_STEP = 20
"""Least distance of two of them that are used together."""

_MASK_ENDING = re.compile(
    r"[ _.-](cp[_-])?(masks?|seg|segmentation|label(s|l?ed)?|rois?|gt|instances?"
    r"|(object )?(predictions|identities)|(tracking|merger)[ -]result|stardist)$"
    r"|^LblImg_",  # TrackMate
    re.IGNORECASE,
)
_BY_PRODUCT_ENDING = re.compile(
    r"[ _.-](cp[_-])?(outlines?|flows?|probabilities|uncertainty|output|overlay)$",
    re.IGNORECASE,
)
"""What programs save beside masks, and is neither an image nor labels."""

_DATE = re.compile(
    r"(?<!\d)(19|20)\d{2}[-_.]?(0\d|1[0-2])[-_.]?([0-2]\d|3[01])", re.ASCII
)
_ELAPSED = re.compile(
    r"(?<![^\W_])t?(?:(\d+)y(\d+)m)?(?:(\d+)d_?)?(\d+)h(\d+)m(?:in)?(?:(\d+)s)?"
    r"(?![^\W_])",
    re.ASCII | re.IGNORECASE,
)
"""Time since the beginning, or a date, as Incucyte writes them: ``00d02h30m``,
``2020y03m01d_02h30m``."""

_GUID = re.compile(
    r"[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}", re.ASCII | re.IGNORECASE
)
"""What MetaXpress ends each name with; it says nothing."""

_UNITS = (
    (re.compile(r"nm(?![^\W\d_])"), "C"),
    (re.compile(r"([uµμm]m|[um]l|[umn]g|mw|hz|deg|°|x|%)(?![^\W\d_])"), OTHER),
)
"""What follows numbers that are wavelengths, or sizes, doses and magnifications."""

_WELL_ROW = re.compile(r"(^|[^a-z])[a-hj-p]$")
"""The letter before a well's column; ``f`` and ``i`` mean frames and images too."""

_PROGRAMS = tuple(
    (re.compile(pattern, re.ASCII | re.IGNORECASE), kinds)
    for pattern, kinds in (
        # Opera and Operetta
        (r"^r\d+c\d+f\d+p\d+-ch\d+sk\d+", (*"PPPZCT",)),
        # Micro-Manager 1.4; the channel is a word
        (r"^img_\d{9}_[^\d]*_\d{3}$", (*"TZ",)),
        # ArrayScan and EVOS: well, field, dye
        (r"(?<=[A-P])\d\df\d+d\d+$", (*"PPC",)),
        # Gen5 of BioTek: well, step of the protocol, two of the place, time
        (r"^[A-P]\d{1,2}_\d+_\d+_\d+_[^\d]+_\d{3}$", ("P", UNKNOWN, *"PPT")),
        # Scan^R: well, position
        (r"--W\d{5}--P\d{5}--Z\d{5}--T\d{5}(?!\d)", (*"PPZT",)),
        # Columbus: row and column, field, and one number of three things
        (r"^\d{6,9}-\d+-\d{9}$", (*"PP", OTHER)),
        # Yokogawa: time, field, time line, action, plane, channel
        (r"T\d+F\d+L\d+A\d+Z\d+C\d+$", (*"TPP", NOTHING, *"ZC")),
        (r"^W\d+F\d+T\d+Z\d+C\d+$", (*"PPTZC",)),
        # Leica's matrix screener: slide, well, job, field, …
        (
            r"--L\d+--S\d+--U\d+--V\d+--J\d+--X\d+--Y\d+--T\d+--Z\d+--C\d+",
            (*"PPPPPPPTZC",),
        ),
    )
)
"""Names of programs whose letters have a meaning of their own, number by number."""


@dataclass(frozen=True, slots=True)
class FileName:
    """A name taken apart.

    Attributes
    ----------
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
    parts = re.split(r"([0-9]+)", _GUID.sub("", path.stem))
    texts = [part.casefold() for part in parts[::2]]
    texts[-1] += suffix
    return FileName(name, tuple(texts), tuple(parts[1::2]))


def is_mask(name: str) -> bool:
    """Tell whether a file calls itself a mask of another: ``cells_cp_masks.png``."""
    return _MASK_ENDING.search(PurePath(name).stem) is not None


def is_by_product(name: str) -> bool:
    """Tell whether a file calls itself a picture of a mask: ``cells_flows.tif``."""
    return _BY_PRODUCT_ENDING.search(PurePath(name).stem) is not None


def kinds_of_numbers(names: Sequence[FileName]) -> list[str]:
    """Return what each number counts: one of ``TZCP``, or one of this module's words.

    Parameters
    ----------
    names
        Names that differ in their numbers.
    """
    stem = _GUID.sub("", PurePath(names[0].name).stem).removesuffix(".ome")
    pairs = list(zip(names[0].texts, names[0].numbers, strict=False))
    kinds = [
        _kind_of(text, number, after)
        for (text, number), after in zip(pairs, names[0].texts[1:], strict=True)
    ]
    words = [_last_word(text) for text, _ in pairs]
    if {"x", "y"} <= set(words):  # where a tile lies
        kinds = [
            "P" if word in ("x", "y") else kind
            for word, kind in zip(words, kinds, strict=True)
        ]
    elapsed = _ELAPSED.search(stem)
    known: list[tuple[re.Match[str] | None, Sequence[str]]] = [
        (pattern.search(stem), meant) for pattern, meant in _PROGRAMS
    ]
    known.append((elapsed, "T" * sum(map(bool, elapsed.groups())) if elapsed else ""))
    for found, meant in known:
        if found is not None:
            first = len(re.findall(r"[0-9]+", stem[: found.start()]))
            kinds[first : first + len(meant)] = meant
    return kinds


def _kind_of(text: str, number: str, after: str) -> str:
    """Return what a number counts that stands between two texts."""
    word = _last_word(text)
    if word not in _KIND_OF and len(number) == 2 and _WELL_ROW.search(text):
        return "P"
    if word in _FEW and len(number) <= 2:
        return OTHER
    by_unit = next((kind for unit, kind in _UNITS if unit.match(after)), UNKNOWN)
    return _KIND_OF.get(word, by_unit)


def kind_of_word(text: str) -> str:
    """Return what is counted behind a text that ends in a word, as for numbers."""
    return _KIND_OF.get(_last_word(text), UNKNOWN)


def _last_word(text: str) -> str:
    found = re.search(r"([^\W\d_]+)[\W_]*$", text)
    return found.group(1) if found else ""


def holds_date(name: str) -> bool:
    """Tell whether a name holds a date: other numbers are then the time of day."""
    return _DATE.search(name) is not None


def holds_elapsed_time(name: str) -> bool:
    """Tell whether a name holds a time of several numbers: ``00d02h30m``."""
    return _ELAPSED.search(PurePath(name).stem) is not None


def are_channels(words: Sequence[str]) -> bool:
    """Tell whether words that differ are those of channels."""
    return all(_is_channel(word) for word in words)


def are_wavelengths(numbers: Sequence[int]) -> bool:
    """Tell whether numbers that differ are wavelengths of lasers, and no counter."""
    known = sorted(set(numbers))
    steps = [after - before for before, after in itertools.pairwise(known)]
    return LASER_LINES.issuperset(known) and min(steps, default=0) >= LASER_STEP


def _is_channel(word: str) -> bool:
    if re.sub(r"[\W_]", "", word) in CHANNEL_WORDS:
        return True
    parts = re.findall(r"[^\W_]+", word)
    return bool(parts) and all(part in CHANNEL_WORDS for part in parts)


def without_descriptions(names: Sequence[FileName]) -> list[FileName]:
    """Drop words that only describe the number before them.

    In ``w1GFP_t1`` and ``w2DAPI_t1`` the word after ``w`` follows from its number. Of a
    number that is never twice the same that shows nothing, unless it is a channel's.
    """
    texts = [list(name.texts) for name in names]
    for at, kind in enumerate(kinds_of_numbers(names), start=1):
        if kind != "C" and len({name.numbers[at - 1] for name in names}) == len(names):
            continue
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
