"""TIFF files as image stacks: plain multi-page, OME, ImageJ, and tifffile's own.

Only the pages of a frame are read. A file that ends too early is refused when it is
opened if its structure shows it, otherwise at the first page that is not whole.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from math import prod
from pathlib import Path
from threading import Lock
from typing import TypeAlias

import numpy as np
import tifffile

from napari_sam2.errors import InputError
from napari_sam2.io.axis_names import UNSAID
from napari_sam2.io.movies.calibration import (
    AxisScale,
    scales_from_imagej,
    scales_from_ome_xml,
    scales_from_resolution,
)
from napari_sam2.io.movies.files.image_stacks import Index, read_pages, reading
from napari_sam2.io.movies.files.tiff_axes import (
    axes_of_series,
    check_counts,
    check_micro_manager,
    check_ndtiff,
    check_ome,
    first_file,
    metadata_file,
)

LOSSY_COMPRESSIONS = (
    *(6, 7, 33007, 34892),  # JPEG, as old and new TIFFs, cameras and scanners name it
    *(33003, 33004, 33005, 34712),  # JPEG 2000
    *(22610, 34934),  # JPEG XR
    *(50002, 52546),  # JPEG XL
    *(34927, 50001),  # WebP
    34887,  # LERC
)
"""Compressions that change pixels, or may: a file does not say whether it was meant."""

OTHER_COLORS = ("SEPARATED", "CIELAB", "ICCLAB", "ITULAB", "CFA")
"""How samples may be meant that are no brightness."""

COUNTED_ELSEWHERE = ("shaped", "imagej", "stk")
"""Kinds of series whose description, not their chain of pages, counts the images."""

SAYS_NO_PROGRAM = ("shaped", "uniform", "generic")
"""Kinds of series of programs that save pictures: their palettes may be colours."""

STEPS_OF_A_SCALE = 0.9
"""Share of a palette's steps that go one way where it shows intensities; a few of its
colours may be those of overlays."""

COMPANION_SUFFIX = ".companion.ome"
TIFF_REMEDY = "it may be truncated or of another format"

Page: TypeAlias = tifffile.TiffPage | tifffile.TiffFrame

_logger = logging.getLogger(__name__)


class TiffStack:
    """The first image of a TIFF file, read page by page.

    Attributes
    ----------
    palette
        Colours that pixels are indices into, ``(entries, 3)``; None if they are
        intensities.

    Raises
    ------
    InputError
        If it is no TIFF, is truncated, or holds images of different shapes.
    """

    def __init__(self, path: Path) -> None:
        self.name = str(path)
        self._lock = Lock()
        with _tifffile_log_held_back(), reading(path, TIFF_REMEDY, "TIFF"):
            self._file = _open_whole(path)
            try:
                self._lay_out_pages()
                _check_codec(self._keyframe, self.name)
                _check_colors(self._keyframe, self.name)
                _check_whole(self._file, self._pages, self._raw_start, self.name)
                self.scales = _find_scales(self._file, self._keyframe)
                self.palette = _find_palette(self._file.series[0].kind, self._keyframe)
            except BaseException:
                self._file.close()
                raise

    @property
    def dtype(self) -> np.dtype:
        """Type of a pixel, in this machine's byte order."""
        dtype: np.dtype = np.dtype(self._keyframe.dtype).newbyteorder("=")
        return dtype

    @property
    def bits(self) -> int:
        """Bits of each sample in the file."""
        return int(self._keyframe.bitspersample)

    @property
    def is_lossy(self) -> bool:
        """True if pixels may differ from what was saved."""
        return int(self._keyframe.compression) in LOSSY_COMPRESSIONS

    def chunk_starts(self, axis: int) -> Sequence[int]:
        """Return where pages begin along an axis."""
        return range(self.shape[axis]) if axis < self._page_axes else (0,)

    def read(self, index: Index) -> np.ndarray:
        """Return the part that an index of integers and slices names."""
        lengths = self.shape[: self._page_axes]
        return read_pages(index, lengths, self._read_page)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _lay_out_pages(self) -> None:
        """Find the movie in the file: its pages, shape and axes."""
        series = self._file.series
        if not series:
            raise InputError(f"{self.name} is empty: it holds no image")
        first = series[0]
        self._pages: Sequence[Page | None] = first
        self._keyframe = first.keyframe
        self._raw_start = None if first.is_multifile else first.dataoffset
        check_ome(self._file, series, self.name)
        check_micro_manager(self._file, first, self.name)
        check_ndtiff(self._file, first, self.name)
        check_counts(self._file, first, self.name)
        said = axes_of_series(self._file, first)
        self.shape, self.axes, self.axes_from = said.shape, said.axes, said.known_from
        images = [first, *(s for s in series[1:] if not s.keyframe.is_reduced)]
        if len(images) > 1:
            self._join_series(images)
        elif first.kind == "uniform" and self._raw_start is None:
            # tifffile looks at three pages and takes the others to be alike.
            _check_uniform((page.aspage() for page in first if page), self.name)
        self._page_axes = _count_page_axes(self.shape, self._keyframe.size, self.name)

    def _join_series(self, series: Sequence[tifffile.TiffPageSeries]) -> None:
        """Make one image of series: positions of OME, or pages written one by one.

        Other kinds of file (microscopes', pyramids) keep thumbnails and labels in
        further series: there the first is the movie.
        """
        kind = series[0].kind
        pages = [page for images in series for page in images]
        if kind == "ome":
            self._join_positions(series, pages)
            return
        if kind not in SAYS_NO_PROGRAM:
            return
        found = [page for page in pages if page is not None]
        shape, axes = self._keyframe.shape, tuple(self._keyframe.axes)
        if kind == "shaped" and len({images.shape for images in series}) == 1:
            shape, axes = self.shape, self.axes
        else:
            found.sort(key=lambda page: page.index)
        _check_uniform(found, self.name)
        self._pages, self._raw_start, self.axes_from = found, None, ""
        self.shape = (len(found) * self._keyframe.size // prod(shape), *shape)
        self.axes = (UNSAID, *axes)

    def _join_positions(
        self, series: Sequence[tifffile.TiffPageSeries], pages: Sequence[Page | None]
    ) -> None:
        """Take the images of an OME file as stage positions, one of which is chosen."""
        kinds = {(images.shape, images.axes, images.dtype) for images in series}
        if len(kinds) > 1:
            raise InputError(
                f"{self.name} holds {len(series)} OME images of different shapes; save "
                "the one to track as its own file"
            )
        self._pages, self._raw_start = pages, None
        self.shape = (len(series), *self.shape)
        self.axes = ("P", *self.axes)

    def _read_page(self, position: int) -> np.ndarray:
        page_shape = self.shape[self._page_axes :]
        with self._lock:
            if self._raw_start is not None:
                pixels = self._read_raw(self._raw_start, position)
            else:
                pixels = _decode(self._pages[position])
        return pixels.reshape(page_shape).astype(self.dtype, copy=False)

    def _read_raw(self, start: int, position: int) -> np.ndarray:
        """Read a page of a file whose pixels lie in one uncompressed piece."""
        stored = self.dtype.newbyteorder(self._file.byteorder)
        size = self._keyframe.size * stored.itemsize
        self._file.filehandle.seek(start + position * size)
        data = self._file.filehandle.read(size)
        if len(data) < size:
            raise EOFError("the file ends inside this image")
        return np.frombuffer(data, stored)


def _find_palette(kind: str, page: tifffile.TiffPage) -> np.ndarray | None:
    """Return the palette, unless it only says how intensities are shown.

    So do those of ImageJ and of microscopes, and any that gets brighter step by step.
    """
    if page.photometric != tifffile.PHOTOMETRIC.PALETTE or page.colormap is None:
        return None
    steps = np.diff(page.colormap.sum(axis=0, dtype=np.int64))
    most = max(np.count_nonzero(steps > 0), np.count_nonzero(steps < 0))
    if kind not in SAYS_NO_PROGRAM or most >= STEPS_OF_A_SCALE * len(steps):
        return None
    return _narrow(page.colormap.T)


def _narrow(colors: np.ndarray) -> np.ndarray:
    """Return 16-bit colours as 8-bit ones where nothing is lost by it."""
    high = colors >> 8
    if ((colors & 255 == 0) | (colors == high * 257)).all():
        return high.astype(np.uint8)
    return colors


def _open_whole(path: Path) -> tifffile.TiffFile:
    """Open a TIFF, or the whole set that it is a part of."""
    if path.name.lower().endswith(COMPANION_SUFFIX):
        return _open_set(path, path)
    file = tifffile.TiffFile(path)
    try:
        elsewhere = metadata_file(file.ome_metadata)
        if elsewhere is None and (file.is_bigtiff or not file.is_scanimage):
            return file
    except BaseException:
        file.close()
        raise
    file.close()
    if elsewhere is None:
        # tifffile reckons where pages of old ScanImage are, and may miss the last.
        return tifffile.TiffFile(path, is_scanimage=False)
    metadata = path.parent / Path(elsewhere).name
    if not elsewhere or not metadata.is_file():
        raise InputError(
            f"{path} is one part of an image whose metadata are in "
            f"{elsewhere or 'another file'}; put all parts into its folder and open "
            "that file"
        )
    return _open_set(metadata, path)


def _open_set(metadata: Path, part: Path) -> tifffile.TiffFile:
    """Open a set of OME-TIFFs that a companion file, or one of them, describes."""
    if not metadata.name.lower().endswith(COMPANION_SUFFIX):
        return tifffile.TiffFile(metadata)
    xml = metadata.read_text(encoding="utf-8", errors="replace")
    named = first_file(xml)
    first = part if named is None else metadata.parent / Path(named).name
    if first == metadata or not first.is_file():
        raise InputError(
            f"{metadata} describes an image in {named or 'files that it does not name'}"
            ", which is missing; put all parts into its folder"
        )
    return tifffile.TiffFile(first, omexml=xml)


def _count_page_axes(shape: Sequence[int], page_size: int, name: str) -> int:
    """Return how many leading axes count pages; the rest lie within one page."""
    for axis in range(len(shape), -1, -1):
        if prod(shape[axis:]) == page_size:
            return axis
    raise InputError(f"{name}: pages of {page_size} pixels do not make up {shape}")


def _check_uniform(pages: Iterable[Page], name: str) -> None:
    first = None
    for number, page in enumerate(pages):
        first = first or page
        if (page.shape, page.dtype) != (first.shape, first.dtype):
            raise InputError(
                f"{name}: page {number} is {page.shape} of {page.dtype}, but page 0 is "
                f"{first.shape} of {first.dtype}; all frames must have one shape"
            )


def _decode(page: Page | None) -> np.ndarray:
    if page is None:
        raise EOFError("this image is declared, but not there; is a part file missing?")
    handle = page.parent.filehandle
    was_closed = handle.closed
    if was_closed:
        handle.open()
    try:
        if not _is_whole(page):
            raise EOFError("the file ends inside this image")
        pixels: np.ndarray = page.asarray()
    finally:
        if was_closed:
            handle.close()
    return pixels


def _is_whole(page: Page | None) -> bool:
    if page is None:
        return True
    pieces = min(len(page.dataoffsets), len(page.databytecounts))
    keyframe = page.keyframe
    if not page.is_final and keyframe and pieces < prod(keyframe.chunked):
        return False  # tifffile would leave them black
    ends = np.add(page.dataoffsets, page.databytecounts)
    return bool(ends.max(initial=0) <= page.parent.filehandle.size)


def _check_whole(
    file: tifffile.TiffFile,
    pages: Sequence[Page | None],
    raw_start: int | None,
    name: str,
) -> None:
    """Refuse a file that ends before its last page.

    tifffile reads as many pages as it finds and only logs that there should be more.
    """
    size, series = file.filehandle.size, file.series[0]
    declared = _images_by_imagej(file)
    if series.kind != "imagej" and declared > len(file.pages):
        raise InputError(
            f"{name} is truncated: it should hold {declared} images, but the file ends "
            f"after {len(file.pages)}; copy it again"
        )
    if raw_start is not None:
        whole = raw_start + series.nbytes <= size
    else:
        whole = _is_whole(pages[len(pages) - 1])
    counted_elsewhere = raw_start is not None and series.kind in COUNTED_ELSEWHERE
    if not whole or not (counted_elsewhere or _last_page_says_so(file)):
        raise InputError(
            f"{name} is truncated: its last image lies beyond the end of the file "
            f"({size} bytes); copy it again"
        )
    keyframe = series.keyframe
    stored = keyframe.size * int(keyframe.bitspersample) // 8
    if keyframe.compression == 1 and stored > size:
        raise InputError(
            f"{name} is truncated: it claims images of {stored} bytes, but "
            f"has {size}; copy it again"
        )


def _check_codec(page: tifffile.TiffPage, name: str) -> None:
    """Refuse a compression that cannot be undone here, before the first frame."""
    try:
        tifffile.TIFF.DECOMPRESSORS[page.compression]
        tifffile.TIFF.UNPREDICTORS[page.predictor]
    except KeyError as error:
        compression = getattr(page.compression, "name", page.compression)
        raise InputError(
            f"{name} is compressed as {compression}, which needs another package: "
            "pip install imagecodecs, or save it again with zlib or without compression"
        ) from error


def _check_colors(page: tifffile.TiffPage, name: str) -> None:
    """Refuse samples that are neither grey nor red, green and blue."""
    photometric = getattr(page.photometric, "name", str(page.photometric))
    is_other = photometric in OTHER_COLORS
    # Decoders of lossy codecs give red, green and blue of these; others do not.
    is_coded = int(page.compression) in LOSSY_COMPRESSIONS
    is_other |= photometric == "YCBCR" and not is_coded
    if is_other and page.samplesperpixel > 1:
        raise InputError(f"{name} is in {photometric} colours; save it as grey or RGB")


def _images_by_imagej(file: tifffile.TiffFile) -> int:
    """Return how many images ImageJ's description counts, by number or by axes."""
    metadata = (file.imagej_metadata if file.is_imagej else None) or {}
    along = [metadata.get(axis, 1) for axis in ("channels", "slices", "frames")]
    return max(int(metadata.get("images", 1)), prod(map(int, along)))


def _last_page_says_so(file: tifffile.TiffFile) -> bool:
    """Tell whether the chain of pages ends with a link to nothing, as it must."""
    where = file.pages.next_page_offset
    if where is None:
        return True
    file.filehandle.seek(where)
    link = file.filehandle.read(file.tiff.offsetsize)
    return len(link) == file.tiff.offsetsize and not any(link)


def _find_scales(
    file: tifffile.TiffFile, page: tifffile.TiffPage
) -> Mapping[str, AxisScale]:
    resolution = _steps_per_unit(page)
    if file.is_ome and file.ome_metadata:
        return scales_from_ome_xml(file.ome_metadata)
    if file.is_imagej and file.imagej_metadata:
        return scales_from_imagej(file.imagej_metadata, resolution)
    unit = page.tags.valueof("ResolutionUnit")
    return scales_from_resolution(resolution, getattr(unit, "name", "").lower())


def _steps_per_unit(page: tifffile.TiffPage) -> tuple[float, float] | None:
    """Return ``(y, x)`` pixels per unit from the resolution tags."""
    steps = []
    for tag in ("YResolution", "XResolution"):
        numerator, denominator = page.tags.valueof(tag, default=(0, 0))
        if numerator <= 0 or denominator <= 0:
            return None
        steps.append(numerator / denominator)
    return steps[0], steps[1]


@contextmanager
def _tifffile_log_held_back() -> Iterator[None]:
    """Keep tifffile's complaints out of the way: what matters here becomes an error."""

    def hold_back(record: logging.LogRecord) -> bool:
        _logger.debug("tifffile: %s", record.getMessage())
        return False

    log = logging.getLogger("tifffile")
    log.addFilter(hold_back)
    try:
        yield
    finally:
        log.removeFilter(hold_back)
