"""What the axes of a TIFF are, by all that the file says of itself.

tifffile reads the descriptions of many programs. What it makes of them is taken here
with a grain of salt: pages of which nothing is said are told from axes that are named,
three or four pictures from colours, and recordings of ScanImage are laid out by their
own settings.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import tifffile

from napari_sam2.errors import InputError
from napari_sam2.io.axis_names import AXIS_NAMES, PLANES_OR_COLORS, UNSAID

UNSAID_BY = ("uniform", "generic", "imagej", "stk", "scanimage", "nih")
"""Kinds of series in which tifffile calls pages a sequence for want of knowledge."""

_WORDS = {"R": "P", "I": "sequence", "Q": "other"}
_KINDS = {
    "ome": "OME-XML",
    "imagej": "ImageJ's description",
    "shaped": "the file's description",
    "mmstack": "Micro-Manager's metadata",
    "ndtiff": "NDTiff's index",
    "scanimage": "ScanImage's settings",
    "stk": "MetaMorph's metadata",
    "lsm": "LSM's metadata",
    "fluoview": "FluoView's metadata",
}
_OME_TYPES = {
    "int8": "i1",
    "int16": "i2",
    "int32": "i4",
    "uint8": "u1",
    "uint16": "u2",
    "uint32": "u4",
    "float": "f4",
    "double": "f8",
    "bit": "?",
}


XML_BEGINS = 2_000
"""Characters within which OME-XML begins, behind a comment."""

MICRO_MANAGER = "mmstack"
"""What tifffile calls series of its multi-page files, which may hold OME-XML, too."""

NDTIFF, NDTIFF_INDEX = "ndtiff", "NDTiff.index"
NDTIFF_BYTES = {0: 1, 2: 3}
"""Bytes of a pixel by its type in an NDTiff's index; 2 where it is grey and deeper."""

OWN_SOFTWARE = "tifffile.py"
"""What tifffile calls itself in what it writes."""

THUMBNAILED = "lsm"
COUNTS_PAGES = (THUMBNAILED, "fluoview", "sis")
"""Kinds of series whose header says how many pages there are along each axis."""


@dataclass(frozen=True, slots=True)
class TiffAxes:
    """Shape of a TIFF's image, what its axes are, and by what that is known."""

    shape: tuple[int, ...]
    axes: tuple[str, ...]
    known_from: str


def axes_of_series(
    file: tifffile.TiffFile, series: tifffile.TiffPageSeries
) -> TiffAxes:
    """Return what a series of pages is.

    Raises
    ------
    InputError
        If the settings of a recording do not fit its pages.
    """
    shape = tuple(int(length) for length in series.shape)
    letters: Sequence[str] = series.axes
    if file.pages.first.is_scanimage:
        return _axes_of_scanimage(file, series)
    if series.kind == "shaped" and not _states_axes(file):
        letters = _without_guessed_colors(series.axes, shape)
        is_said = False
    else:
        is_said = series.kind not in UNSAID_BY
    if not is_said and _is_planar_by_default(series):
        letters = [PLANES_OR_COLORS if letter == "S" else letter for letter in letters]
    if not is_said and _holds_channels(series.keyframe):
        letters = ["C" if letter == "S" else letter for letter in letters]
    if series.kind == "imagej":
        _check_imagej(file, series)
    if series.kind == "shaped":
        _check_shaped(file)
    axes = tuple(_word(letter, is_said=is_said) for letter in letters)
    known_from = _KINDS.get(series.kind, f"its metadata ({series.kind})")
    doubt = _doubt(series)
    is_known = UNSAID not in axes or doubt
    return TiffAxes(shape, axes, known_from + doubt if is_known else "")


def _word(letter: str, *, is_said: bool) -> str:
    if len(letter) > 1:
        return letter
    if letter in "IQ" and not is_said:
        return UNSAID
    if letter in _WORDS or letter in AXIS_NAMES:
        return _WORDS.get(letter, letter)
    return tifffile.TIFF.AXES_NAMES.get(letter, letter)


def _states_axes(file: tifffile.TiffFile) -> bool:
    """Tell whether the description of the first series says what its axes are."""
    described = file.shaped_metadata or ()
    return any("axes" in metadata for metadata in described[:1])


def _without_guessed_colors(letters: str, shape: Sequence[int]) -> Sequence[str]:
    """Return axes in which planes are no colours because there are three or four.

    tifffile, and napari through it, writes any stack of 3 or 4 planes as planar colour,
    and says of it no more than its shape. A single such stack is one of frames; in a
    longer one nobody knows what they are.
    """
    at = letters.find("S")
    if at < 0 or at == len(letters) - 1:
        return letters
    named = list(letters)
    named[at] = "Q" if prod(shape[:at]) == 1 else PLANES_OR_COLORS
    return named


def _is_planar_by_default(series: tifffile.TiffPageSeries) -> bool:
    """Tell whether tifffile wrote planes as colours, and no word of them.

    So it does with any 3 or 4 planes where it is told to describe nothing
    (``metadata=None``). Planar colours of other programs are meant.
    """
    page = series.keyframe
    is_own = series.kind in ("uniform", "generic") and page.software == OWN_SOFTWARE
    is_planar = page.planarconfig == tifffile.PLANARCONFIG.SEPARATE
    return is_own and is_planar and page.photometric == tifffile.PHOTOMETRIC.RGB


def _holds_channels(page: tifffile.TiffPage) -> bool:
    """Tell whether samples of a page are neither colours nor how opaque a grey is."""
    is_grey = page.photometric in (
        tifffile.PHOTOMETRIC.MINISBLACK,
        tifffile.PHOTOMETRIC.MINISWHITE,
    )
    has_alpha = page.samplesperpixel == 2 and page.extrasamples[:1] in ((1,), (2,))
    return is_grey and not has_alpha


def _check_imagej(file: tifffile.TiffFile, series: tifffile.TiffPageSeries) -> None:
    """Refuse a hyperstack that holds more images than its axes make up."""
    described = series.size // series.keyframe.size
    held = len(file.pages)
    if held == 1 and "S" not in series.axes:
        held = int((file.imagej_metadata or {}).get("images", 1))
    path = file.filehandle.path
    if 1 < held < described:
        raise InputError(
            f"{path} is truncated: ImageJ's description counts {described} images, and "
            f"the file holds {held}; copy it again"
        )
    if held > described:
        raise InputError(
            f"{path}: ImageJ's description counts {described} images by channels, "
            f"planes and frames, but the file holds {held}; save it again from the "
            "program that wrote it"
        )


def _check_shaped(file: tifffile.TiffFile) -> None:
    """Refuse a file whose pages are not as many as the shapes in it make up.

    Programs that cut frames out, or split a file, keep the description as it was.
    """
    described = 0
    for number, series in enumerate(file.series):
        said = (file.shaped_metadata or ())[number : number + 1]
        is_one_page = any(metadata.get("truncated") for metadata in said)
        for level in series.levels:
            if len(level.keyframe.treeindex) == 1:  # others lie below pages
                described += 1 if is_one_page else level.size // level.keyframe.size
    held = len(file.pages)
    if held not in (1, described):
        raise InputError(
            f"{file.filehandle.path}: its description does not fit the {held} images "
            "that the file holds: it is truncated, or has the description of another; "
            "copy it, or save it again"
        )


def _doubt(series: tifffile.TiffPageSeries) -> str:
    """Say that a stack of MetaMorph may hold more planes than it counts, if it may.

    Planes lie in one piece, of which only the first has a page; what else lies there,
    and how long it is, only MetaMorph knows.
    """
    page = series.keyframe
    if series.kind != "stk" or page.compression != 1:
        return ""
    end = page.dataoffsets[0] + series.nbytes
    places = [page.offset, *(tag.valueoffset for tag in page.tags)]
    next_known = min((at for at in places if at >= end), default=None)
    size = page.parent.filehandle.size
    room = ((size if next_known is None else next_known) - end) // page.nbytes
    if room < 1:
        return ""
    counted = series.size // page.size
    return f", which counts {counted} planes where the file has room for {room} more"


def _axes_of_scanimage(
    file: tifffile.TiffFile, series: tifffile.TiffPageSeries
) -> TiffAxes:
    """Lay out a recording by the channels, planes and volumes that were saved.

    Pages come channel by channel, of frame after frame; of a fast stack plane by plane,
    of a slow one all frames of a plane first.
    """
    page = series.keyframe
    settings = _scanimage_settings(file)
    pages = len(series)
    channels, planes, is_fast = _scanimage_counts(settings)
    if pages % (channels * planes):
        raise InputError(
            f"{file.filehandle.path}: ScanImage saved {channels} channels and {planes} "
            f"planes, but the file holds {pages} images; the recording was cut short"
        )
    times = pages // (channels * planes)
    order = {"T": times, "Z": planes} if is_fast else {"Z": planes, "T": times}
    counts = {**order, "C": channels}
    kept = {letter: count for letter, count in counts.items() if count > 1} or {"T": 1}
    is_movie = kept != {"T": 1} or pages > 1
    kept = kept if is_movie else {}
    return TiffAxes(
        (*kept.values(), *page.shape), (*kept, *page.axes), _KINDS["scanimage"]
    )


def _scanimage_settings(file: tifffile.TiffFile) -> dict[str, str]:
    """Return the settings of a recording, of old and new versions alike."""
    metadata: Mapping[str, Any] = file.scanimage_metadata or {}
    frame_data = metadata.get("FrameData") or {}
    settings = {str(key): str(value) for key, value in frame_data.items()}
    page = file.pages.first
    for line in (*page.description.splitlines(), *page.software.splitlines()):
        key, equals, value = line.partition("=")
        if equals:
            settings.setdefault(key.strip(), value.strip())
    return settings


def _scanimage_counts(settings: Mapping[str, str]) -> tuple[int, int, bool]:
    """Return how many channels and planes were saved, and whether volume by volume."""
    channels = _count_listed(
        _setting(settings, "SI.hChannels.channelSave", "SI5.channelsSave")
        or _setting(settings, "SI4.channelsSave", "SI.channelsSave")
    )
    saved = [
        key
        for key, value in settings.items()
        if re.fullmatch(r"state\.acq\.savingChannel\d+", key) and value == "1"
    ]
    channels = channels or len(saved) or 1
    fast = _setting(settings, "SI.hFastZ.enable", "SI5.fastZEnable", "SI4.fastZEnable")
    is_fast = fast.lower() in ("1", "true")
    stack = _setting(settings, "SI.hStackManager.enable")
    planes = _setting(
        settings,
        *("SI.hStackManager.actualNumSlices", "SI.hStackManager.numSlices"),
        *("SI5.stackNumSlices", "SI4.stackNumSlices", "state.acq.numberOfZSlices"),
    )
    is_stack = stack.lower() not in ("0", "false")
    count = int(planes) if planes.isascii() and planes.isdigit() and is_stack else 1
    return channels, max(count, 1), is_fast


def _setting(settings: Mapping[str, str], *names: str) -> str:
    """Return the first of some settings, by the end of its name; empty if none is."""
    for name in names:
        for key, value in settings.items():
            if key == name or key.endswith(f".{name}"):
                return value
    return ""


def _count_listed(value: str) -> int:
    """Count the numbers of a list such as ``[1;2]``, ``[1, 2]`` or ``1``."""
    return len(re.findall(r"[0-9]+", value))


def check_ome(
    file: tifffile.TiffFile, series: Sequence[tifffile.TiffPageSeries], name: str
) -> None:
    """Refuse an OME-TIFF whose pages are not what its OME-XML says.

    Raises
    ------
    InputError
        Saying how the two disagree.
    """
    if series[0].kind == MICRO_MANAGER or not _claims_ome(file):
        return
    xml = _ome_root(file.ome_metadata)
    if xml is None:
        raise InputError(
            f"{name}: its OME-XML is damaged, so that nobody knows what its pages are; "
            "save it again from the program that wrote it"
        )
    if series[0].kind != "ome":
        raise _disagree(name, "they cannot be matched")
    for pixels, images in zip(xml.findall("{*}Image/{*}Pixels"), series, strict=False):
        _check_pixels(pixels, images, name)
    named = {uuid.get("FileName") for uuid in xml.findall(".//{*}TiffData/{*}UUID")}
    parts = sorted(part for part in named if part)
    first = series[0].keyframe
    declared = sum(len(images) for images in series)
    held = len(file.pages)
    is_longer = held > declared and file.pages[declared].aspage().shape == first.shape
    missing = [page for images in series for page in images if page is None]
    gone = [one for one in parts if not Path(file.filehandle.dirname, one).exists()]
    if missing and gone:
        raise InputError(
            f"{name} lacks {len(missing)} images: its OME-XML says that they lie in "
            f"{', '.join(gone[:3])}{', …' * (len(gone) > 3)}, which is not beside it; "
            "put all parts into its folder"
        )
    if missing or (is_longer and not parts):
        lacks = f" and does not say where {len(missing)} of them are" * bool(missing)
        raise _disagree(
            name, f"it describes {declared} images{lacks}, and the file holds {held}"
        )


def check_micro_manager(
    file: tifffile.TiffFile, series: tifffile.TiffPageSeries, name: str
) -> None:
    """Refuse a stack of Micro-Manager that lacks its beginning, or pages.

    Its settings say what was planned: one that was stopped has fewer time points.

    Raises
    ------
    InputError
        Saying what is missing.
    """
    if series.kind != MICRO_MANAGER:
        return
    index = (file.micromanager_metadata or {})["IndexMap"]
    channel, plane, time, _ = (int(column.min()) for column in index[:, :4].T)
    if not series.is_multifile and max(channel, plane, time):
        raise InputError(
            f"{name} is one part of a recording: it begins with time {time}, plane "
            f"{plane}, channel {channel}; put all its files into its folder"
        )
    if (more := _page_behind(file, int(index[:, 4].max()))) is not None:
        raise InputError(
            f"{name}: its index lists {len(index)} images, but one more begins at byte "
            f"{more}: the index is not whole; copy the file again, or save it again "
            "from Micro-Manager"
        )
    missing = [page is None or page.dataoffsets[0] == 0 for page in series]
    if any(missing):
        raise InputError(
            f"{name} lacks {sum(missing)} of its {len(missing)} pages, the first being "
            f"number {missing.index(True)}: it was stopped between two time points, or "
            "is damaged; save its whole time points as another file, in Micro-Manager "
            "or in Fiji"
        )


def check_ndtiff(
    file: tifffile.TiffFile, series: tifffile.TiffPageSeries, name: str
) -> None:
    """Refuse an NDTiff recording whose index ends early, or lists not all images.

    Raises
    ------
    InputError
        Saying what the index does not list.
    """
    if series.kind != NDTIFF:
        return
    folder = Path(file.filehandle.dirname)
    remedy = "copy the recording again, all its files"
    ends: dict[str, tuple[int, int]] = {}
    for part, end, size in _listed_images(folder, remedy):
        ends[part] = max(ends.get(part, (0, 0)), (end, size))
    for part, (end, size) in ends.items():
        if _holds_more(folder / part, end, size):
            raise InputError(
                f"{folder / part} holds more images than {NDTIFF_INDEX} beside it "
                f"lists; {remedy}"
            )
    parts = sorted(one.name for one in folder.glob("*NDTiffStack*.tif"))
    if unlisted := [part for part in parts if part not in ends]:
        raise InputError(
            f"{folder / NDTIFF_INDEX} lists nothing of {unlisted[0]}, which lies "
            f"beside it; {remedy}"
        )


def _listed_images(folder: Path, remedy: str) -> Iterator[tuple[str, int, int]]:
    """Yield of each image that an index lists its file, where it ends, its bytes."""
    index, at, number = (folder / NDTIFF_INDEX).read_bytes(), 0, 0
    while at < len(index):
        try:
            (said,) = struct.unpack_from("<I", index, at)
            (length,) = struct.unpack_from("<I", index, at + 4 + said)
            at += 8 + said
            part = index[at : at + length].decode("utf-8", "replace")
            pixels, width, height, kind, _, more, size, _ = struct.unpack_from(
                "<IiiiiIii", index, at + length
            )
        except struct.error as error:
            raise InputError(
                f"{folder / NDTIFF_INDEX} ends inside its entry number {number}, "
                f"counted from 0: images would be missing; {remedy}"
            ) from error
        at, number = at + length + 32, number + 1
        plane = width * height * NDTIFF_BYTES.get(kind, 2)
        yield part, max(pixels + plane, more + size), plane


def _holds_more(path: Path, end: int, size: int) -> bool:
    """Tell whether another image may follow; space that is kept free is zeros."""
    if size <= 0 or path.stat().st_size - end < size:
        return False
    with path.open("rb") as stream:
        stream.seek(end)
        return any(stream.read(size))


def _page_behind(file: tifffile.TiffFile, page_at: int) -> int | None:
    """Return where the page after another begins; None if that is the last."""
    tiff, handle = file.tiff, file.filehandle
    if page_at + tiff.tagnosize > handle.size:
        return None
    handle.seek(page_at)
    (count,) = struct.unpack(tiff.tagnoformat, handle.read(tiff.tagnosize))
    handle.seek(page_at + tiff.tagnosize + count * tiff.tagsize)
    link = handle.read(tiff.offsetsize)
    if len(link) < tiff.offsetsize:
        return None
    (following,) = struct.unpack(tiff.offsetformat, link)
    return int(following) if 0 < following < handle.size else None


def check_counts(
    file: tifffile.TiffFile, series: tifffile.TiffPageSeries, name: str
) -> None:
    """Refuse a file that holds more images, or fewer, than its header counts.

    Raises
    ------
    InputError
        Saying how many were counted, and how many there are.
    """
    if series.kind not in COUNTS_PAGES:
        return
    counted = series.size // series.keyframe.size
    pages = len(file.pages)
    held = -(-pages // 2) if series.kind == THUMBNAILED else pages
    if counted != held:
        raise InputError(
            f"{name}: {_KINDS.get(series.kind, 'its header')} counts {counted} images, "
            f"and the file holds {held}: it is truncated, or its header is of another; "
            "copy it, or save it again"
        )


def _claims_ome(file: tifffile.TiffFile) -> bool:
    """Tell whether a file has OME-XML, be it whole or not."""
    description = file.pages.first.description[:XML_BEGINS]
    return bool(file.is_ome) or re.search(r"<(\w+:)?OME[\s>]", description) is not None


def _check_pixels(
    pixels: ElementTree.Element, images: tifffile.TiffPageSeries, name: str
) -> None:
    page = images.keyframe
    said = tuple(int(pixels.get(f"Size{letter}", "0")) for letter in "YX")
    found = tuple(page.shape[page.axes.index(letter)] for letter in "YX")
    if said != found:
        raise _disagree(name, f"it describes {said} pixels, and the pages have {found}")
    kind = pixels.get("Type") or pixels.get("PixelType") or ""
    if kind in _OME_TYPES and np.dtype(page.dtype) != np.dtype(_OME_TYPES[kind]):
        raise _disagree(name, f"it describes {kind}, and the pages are {page.dtype}")


def _disagree(name: str, how: str) -> InputError:
    return InputError(
        f"{name}: its OME-XML and its pages disagree: {how}; save it again from the "
        "program that wrote it"
    )


def metadata_file(xml: str | None) -> str | None:
    """Return the file that an OME-TIFF says its metadata are in, if it has none."""
    root = _ome_root(xml)
    binary_only = None if root is None else root.find("{*}BinaryOnly")
    return None if binary_only is None else binary_only.get("MetadataFile", "")


def first_file(xml: str) -> str | None:
    """Return the first file of the set that an OME-XML describes."""
    root = _ome_root(xml)
    named = () if root is None else root.findall(".//{*}TiffData/{*}UUID")
    return next((uuid.get("FileName") for uuid in named if uuid.get("FileName")), None)


def _ome_root(xml: str | None) -> ElementTree.Element | None:
    try:
        return ElementTree.fromstring(xml) if xml else None
    except ElementTree.ParseError:
        return None
