"""What the header of a PNG, JPEG or BMP file says of its pixels, before any is read.

A header is a few bytes that may claim anything. So it is read first, and an image that
its file or this machine's memory cannot hold is refused before anything is allocated.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from math import prod

import numpy as np
import psutil

from napari_sam2.errors import InputError

PNG_MAGIC, JPEG_MAGIC, BMP_MAGIC = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"BM"
PICTURE_MAGIC = (PNG_MAGIC, JPEG_MAGIC, BMP_MAGIC)
HIGHEST_DEFLATE_RATIO = 1032
"""Deflate never makes a file smaller than this, so a PNG cannot hold more pixels."""

_PNG_SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_JPEG_STANDALONE = (0x01, *range(0xD0, 0xD9))
_JPEG_NO_FRAME = (0xC4, 0xC8, 0xCC)
_JPEG_SCAN, _JPEG_END = b"\xff\xda", b"\xff\xd9"
_SIZES = ("bytes", "kB", "MB", "GB", "TB", "PB", "EB")


class ImageFormat(StrEnum):
    """Kinds of image files that are no stacks."""

    PNG = "PNG"
    JPEG = "JPEG"
    BMP = "BMP"


@dataclass(frozen=True, slots=True)
class ImageHeader:
    """What a file says of its image.

    Attributes
    ----------
    image_format
        Kind of file, by its first bytes.
    samples
        Numbers of each pixel; 1 where they are indices into a palette.
    bits
        Bits of each sample.
    palette
        ``(entries, 3)`` uint8 colours, or ``(entries, 4)`` with alpha, of an indexed
        image; None of others.
    palette_at
        Where the palette begins in the file, and how many bytes an entry has.
    ink
        ``"dark"`` or ``"bright"`` if the pixels are stored as printing colours, cyan to
        black, and a large number means much ink or (Adobe's) little; else ``""``.
    """

    image_format: ImageFormat
    height: int
    width: int
    samples: int
    bits: int
    palette: np.ndarray | None = None
    palette_at: tuple[int, int] = (0, 0)
    ink: str = ""

    @property
    def dtype(self) -> np.dtype:
        """Type of the pixels stored; one bit a pixel is bool."""
        if self.bits == 1 and self.palette is None:
            return np.dtype(bool)
        return np.dtype(np.uint8 if self.bits <= 8 else np.uint16)

    @property
    def shape(self) -> tuple[int, ...]:
        """``(Y, X)``, or ``(Y, X, samples)``."""
        plane = (self.height, self.width)
        return plane if self.samples == 1 else (*plane, self.samples)


def read_header(content: bytes, name: str) -> ImageHeader:
    """Read the header of an image file.

    Parameters
    ----------
    content
        The file, or as much of it as holds the header.
    name
        What errors call it.

    Raises
    ------
    InputError
        If it is none of the three kinds, or its header is broken.
    """
    readers = (
        (PNG_MAGIC, _read_png_header),
        (JPEG_MAGIC, _read_jpeg_header),
        (BMP_MAGIC, _read_bmp_header),
    )
    for magic, read in readers:
        if content.startswith(magic):
            try:
                header = read(content)
            except (struct.error, IndexError, KeyError, ValueError) as error:
                reason = (
                    str(error) if type(error) is ValueError else "its header is broken"
                )
                raise InputError(
                    f"{name} cannot be read as an image: {reason}"
                ) from error
            if header.height < 1 or header.width < 1:
                raise InputError(f"{name} is empty: {header.height} × {header.width}")
            return header
    raise InputError(
        f"{name} cannot be read as an image: it is no PNG, JPEG, BMP or TIFF"
    )


def check_whole(content: bytes, header: ImageHeader, name: str) -> None:
    """Refuse a PNG with a wrong checksum, a JPEG without end: decoders only warn.

    Raises
    ------
    InputError
        Naming the part.
    """
    if header.image_format is ImageFormat.JPEG and content.rfind(
        _JPEG_END
    ) < content.rfind(_JPEG_SCAN):  # a thumbnail before it may have an end of its own
        raise InputError(
            f"{name} cannot be read as an image: it ends too early; copy it again"
        )
    if header.image_format is not ImageFormat.PNG:
        return
    for kind, start, data in _png_chunks(content):
        end = start + len(data)
        if content[end : end + 4] != zlib.crc32(kind + data).to_bytes(4):
            part = kind.decode("ascii", "backslashreplace")
            raise InputError(
                f"{name} cannot be read as an image: it is damaged (its part {part} is "
                "not as it was saved); copy it again"
            )


def refuse_impossible_size(header: ImageHeader, file_size: int, name: str) -> None:
    """Refuse an image that its file cannot hold, or memory cannot.

    Raises
    ------
    InputError
        Saying how large it claims to be.
    """
    samples = prod(header.shape)
    if header.image_format is ImageFormat.PNG:
        most_bytes = HIGHEST_DEFLATE_RATIO * file_size
    elif header.image_format is ImageFormat.BMP:
        most_bytes = 256 * file_size
    else:
        most_bytes = samples * header.bits
    if samples * header.bits // 8 > most_bytes:
        raise InputError(
            f"{name} claims {header.height} × {header.width} pixels, which a file of "
            f"{readable_size(file_size)} cannot hold; copy it again"
        )
    refuse_beyond_memory(samples * header.dtype.itemsize, name)


def refuse_beyond_memory(size: int, name: str) -> None:
    """Refuse an image of so many bytes if the free memory does not hold it.

    Raises
    ------
    InputError
        Saying how much is needed and free.
    """
    free = psutil.virtual_memory().available
    if size > free:
        raise InputError(
            f"{name}: one frame needs {readable_size(size)}, but "
            f"{readable_size(free)} of memory are free; crop or bin the images"
        )


def readable_size(size: int) -> str:
    """Return a number of bytes as people say it.

    >>> readable_size(1536), readable_size(2**41)
    ('1.5 kB', '2.0 TB')
    """
    steps = min((max(size, 1).bit_length() - 1) // 10, len(_SIZES) - 1)
    number = f"{size / 1024**steps:.1f}" if steps else str(size)
    return f"{number} {_SIZES[steps]}"


def _read_png_header(content: bytes) -> ImageHeader:
    width, height, bits, kind = struct.unpack(">IIBB", content[16:26])
    palette, alpha, palette_at = None, b"", (0, 0)
    for name, start, data in _png_chunks(content):
        if name == b"IDAT":
            break
        if name == b"acTL" and struct.unpack(">I", data[:4]) > (1,):
            raise ValueError("an animation; save its images one by one")
        if kind == 3 and name == b"PLTE":
            palette, palette_at = _colors(data, 3), (start, 3)
        elif kind == 3 and name == b"tRNS":
            alpha = data
    if kind == 3 and palette is None:
        raise ValueError("an indexed image without a palette")
    if palette is not None and alpha:
        opaque = np.full((len(palette), 1), 255, np.uint8)
        known = np.frombuffer(alpha, np.uint8)[: len(palette)]
        opaque[: len(known), 0] = known
        palette = np.hstack([palette, opaque])
    return ImageHeader(
        ImageFormat.PNG, height, width, _PNG_SAMPLES[kind], bits, palette, palette_at
    )


def _png_chunks(content: bytes) -> Iterator[tuple[bytes, int, bytes]]:
    """Yield name, place and content of all chunks that are whole."""
    at = len(PNG_MAGIC)
    while at + 8 <= len(content):
        size, name = struct.unpack(">I4s", content[at : at + 8])
        yield name, at + 8, content[at + 8 : at + 8 + size]
        at += 12 + size


def _read_jpeg_header(content: bytes) -> ImageHeader:
    """Walk the segments to the one that describes the frame."""
    at, by_adobe = 2, False
    while True:
        if content[at] != 0xFF:
            raise ValueError("no marker where a segment begins")
        marker = content[at + 1]
        if marker == 0xFF or marker in _JPEG_STANDALONE:
            at += 1 if marker == 0xFF else 2
            continue
        (size,) = struct.unpack(">H", content[at + 2 : at + 4])
        by_adobe |= marker == 0xEE and content[at + 4 : at + 9] == b"Adobe"
        if 0xC0 <= marker <= 0xCF and marker not in _JPEG_NO_FRAME:
            bits, height, width, samples = struct.unpack(
                ">BHHB", content[at + 4 : at + 10]
            )
            ink = ("bright" if by_adobe else "dark") if samples == 4 else ""
            return ImageHeader(
                ImageFormat.JPEG, height, width, min(samples, 3), bits, ink=ink
            )
        at += 2 + size


def _read_bmp_header(content: bytes) -> ImageHeader:
    (size,) = struct.unpack("<I", content[14:18])
    if size == 12:
        width, height, _, depth = struct.unpack("<HHHH", content[18:26])
        compression, used, entry = 0, 0, 3
    else:
        width, height, _, depth, compression = struct.unpack("<iiHHI", content[18:34])
        (used,) = struct.unpack("<I", content[46:50])
        entry = 4
    if compression not in (0, 3, 6):
        raise ValueError("a compressed BMP")
    height = abs(height)
    if depth > 8:
        has_alpha = compression in (3, 6) and size >= 56 and any(content[66:70])
        return ImageHeader(ImageFormat.BMP, height, width, 3 + has_alpha, 8)
    start = 14 + size
    count = min(used or 2**depth, 2**depth)
    blue_first = _colors(content[start : start + count * entry], entry)
    palette = np.ascontiguousarray(blue_first[:, 2::-1])
    is_black_and_white = depth == 1 and palette.tolist() == [[0] * 3, [255] * 3]
    return ImageHeader(
        ImageFormat.BMP,
        height,
        width,
        1,
        depth,
        None if is_black_and_white else palette,
        (start, entry),
    )


def _colors(data: bytes, entry: int) -> np.ndarray:
    return np.frombuffer(data, np.uint8).reshape(-1, entry)
